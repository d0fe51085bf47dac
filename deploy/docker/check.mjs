// The rules of docker-compose.yml and deploy/docker/Dockerfile. Run by check.sh.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const { parse } = createRequire(resolve('tests/kube/package.json'))('yaml');
const faults = [];
const must = (holds, text) => holds || faults.push(text);

/** As compose does: ${NAME:-default} is its default. */
const filled = (value) => String(value).replace(/\$\{\w+:-([^}]*)\}/g, '$1');

const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true });
const ours = /^millrace-(api|worker):local$/;
for (const [name, service] of Object.entries(compose.services)) {
  const image = filled(service.image);
  must(ours.test(image) || /:v?\d[\w.-]*$/.test(image), `${name}: ${image} is not of a version`);
  must(service.read_only === true, `${name}: its root can be written`);
  must(service.cap_drop?.join() === 'ALL', `${name}: it keeps capabilities`);
  must(service.security_opt?.includes('no-new-privileges:true'), `${name}: it may gain privileges`);
  must(!service.privileged && !service.pid && !service.ipc && !service.devices, `${name}: it reaches into the machine`);
  must(service.mem_limit && service.pids_limit, `${name}: it has no limits of memory and processes`);
  must(service.restart === 'no' || service.cpus, `${name}: it has no limit of processors`);
  must(service.restart === 'no' || service.healthcheck || ours.test(image) || service.profiles, `${name}: nothing tells whether it is well`);
  must(service.networks || service.network_mode === 'none', `${name}: it names no network`);
  for (const port of service.ports ?? []) must(/^127\.0\.0\.1:\d+:\d+$/.test(filled(port)), `${name}: the port ${port} is open to others`);
  must(!service.ports || service.networks.includes('edge'), `${name}: its ports lead nowhere`);
  for (const tmpfs of service.tmpfs ?? []) must(/:size=\d+m/.test(tmpfs), `${name}: ${tmpfs.split(':')[0]} has no bound`);
  for (const volume of service.volumes ?? []) {
    const [from, , mode] = volume.split(':');
    if (from.startsWith('.')) {
      must(existsSync(from), `${name}: there is no ${from}`);
      must(mode === 'ro', `${name}: it may write to ${from}`);
    } else {
      must(from in compose.volumes, `${name}: there is no volume ${from}`);
      must(!from.startsWith('secrets-') || mode === 'ro' || name === 'secrets', `${name}: it may write to ${from}`);
    }
  }
  for (const [key, value] of Object.entries(service.environment ?? {})) {
    const secret = /PASSWORD|SECRET|TOKEN|KEY|URL$/i.test(key) && !/__FILE$/.test(key);
    must(!secret, `${name}: ${key}=${value} belongs in a file of secrets`);
  }
  if (ours.test(image)) {
    must(service.user === '1654:1654' && !service.cap_add, `${name}: it is not user 1654 with nothing more`);
    must(service.init === true, `${name}: it has no init`);
    must(service.build?.dockerfile === 'deploy/docker/Dockerfile', `${name}: it is not built here`);
  }
}
must(compose.networks.backend.internal === true, 'the network backend has a way out');
for (const name of ['postgres', 'database', 'rabbitmq', 'migrate', 'announce', 'worker'])
  must(compose.services[name].networks.join() === 'backend', `${name}: it is not on the inner network alone`);
must(!/change-?me|guest/i.test(JSON.stringify(compose)), 'a password stands in docker-compose.yml');

const dockerfile = readFileSync('deploy/docker/Dockerfile', 'utf8');
must(/^ARG RUNTIME=.*-chiseled$/m.test(dockerfile), 'Dockerfile: the base has more than it needs');
must(/^USER \$APP_UID$/m.test(dockerfile), 'Dockerfile: it does not name a user by number');
const last = dockerfile.split(/^FROM /m).at(-1);
must(!/^RUN|^ADD|latest/m.test(last), 'Dockerfile: its last stage runs something');
must(!/--mount|<<[A-Z'"]/.test(dockerfile), 'Dockerfile: the classic builder cannot build it');

for (const fault of faults) console.error(fault);
process.exit(faults.length ? 1 : 0);
