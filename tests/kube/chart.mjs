// Renders the chart for tests.
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, '../..');
const helm = path.join(path.resolve(root, process.env.MILLRACE_TOOLS ?? 'artifacts/tools'), 'bin/helm');
export const chart = path.join(root, 'deploy/k8s');
const line = options => ['template', 'millrace', chart, '-n', 'millrace', ...options];

/** Standard output, or an exception with what helm said. */
export function render(...options) {
  const run = spawnSync(helm, line(options), { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(run.stderr);
  return run.stdout;
}

/** The same beside a server in this process. */
export const renderAsync = (...options) => new Promise((done, fail) => {
  const run = spawn(helm, line(options), { env: { ...process.env, KUBECONFIG: '/dev/null' } });
  let out = '', errors = '';
  run.stdout.on('data', text => { out += text; });
  run.stderr.on('data', text => { errors += text; });
  run.on('error', fail);
  run.on('close', code => code === 0 ? done(out) : fail(new Error(errors)));
});

/** Everything that the chart can make. */
export const all = [
  'image.tag=1.2.0-0123abc', 'release.active=green', 'release.previousTag=1.1.0-fedcba9', 'gateway.enabled=true', 'broker.operator.enabled=true',
  'database.operator.enabled=true', 'drill.enabled=true', 'drill.existingSecret=millrace-drill',
  'monitoring.tracesEndpoint=http://collector:4317', 'monitoring.runbookBase=https://git.example/millrace',
].flatMap(setting => ['--set', setting]);
