// Which slot gets what: the chart reads the cluster's state while it renders, here from a server that knows four objects.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { check, read } from './assert.mjs';
import { all, render, renderAsync } from './chart.mjs';

const [A, B, C] = ['1.0.0-aaaaaaa', '1.1.0-bbbbbbb', '1.2.0-ccccccc'];

// Helm asks for every kind that it is going to make.
const plural = kind => kind.toLowerCase().replace(/y$/, 'ie').replace(/(s|x|ch)$/, '$1e') + 's';
const kinds = new Map();
for (const { apiVersion, kind } of read(render(...all))) kinds.set(apiVersion, (kinds.get(apiVersion) ?? new Set()).add(kind));
const groups = [...kinds.keys()].filter(v => v.includes('/')).map(groupVersion => ({ groupVersion, version: groupVersion.split('/')[1] }));
const discovery = {
  '/version': { major: '1', minor: '33', gitVersion: 'v1.33.0' },
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(g => ({ name: g.groupVersion.split('/')[0], versions: [g], preferredVersion: g })) },
};
for (const [version, names] of kinds) discovery[version === 'v1' ? '/api/v1' : `/apis/${version}`] = { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: version,
  resources: [...names].map(kind => ({ name: plural(kind), singularName: '', namespaced: true, kind, verbs: ['get', 'list'] })) };

/** A Kubernetes API with these objects, by their path below the namespace. */
async function withCluster(objects, use) {
  const server = http.createServer((request, response) => {
    const path = new URL(request.url, 'http://x').pathname;
    const name = /^\/(?:api\/v1|apis\/apps\/v1)\/namespaces\/millrace\/(.*)$/.exec(path)?.[1];
    const found = discovery[path] ?? objects[name];
    response.writeHead(found ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(found ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }));
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  try { return await use(`http://127.0.0.1:${server.address().port}`); } finally { server.closeAllConnections?.(); server.close(); }
}

const mine = name => ({ name, namespace: 'millrace', labels: { 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': 'millrace', 'meta.helm.sh/release-namespace': 'millrace' } });
const record = data => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: mine('millrace-release'), data: { ...data, versions: JSON.stringify(data.versions) } });
const api = (slot, tag, replicas, ready) => deployment(`millrace-api-${slot}`, `millrace-api:${tag}`, replicas, ready);
const worker = (slot, tag, replicas) => deployment(`millrace-worker-digits-${slot}`, `millrace-worker:${tag}`, replicas);
const deployment = (name, image, replicas, ready = replicas) => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: mine(name),
  spec: { replicas, template: { spec: { containers: [{ name: 'c', image }] } } }, status: { readyReplicas: ready } });
const cluster = (data, ...deployments) =>
  ({ 'configmaps/millrace-release': record(data), ...Object.fromEntries(deployments.map(d => [`deployments/${d.metadata.name}`, d])) });

const rendered = (objects, ...settings) => withCluster(objects, async url =>
  read(await renderAsync('--dry-run=server', '--disable-openapi-validation', '--kube-apiserver', url, ...settings.flatMap(s => ['--set', s]))));

/** The record, and of each slot its tag, its replicas and whether its workers stand by. */
function seen(objects) {
  const data = objects.find(o => o.metadata.name === 'millrace-release').data;
  const slots = {};
  for (const o of objects.filter(x => x.kind === 'Deployment' && /-(blue|green)$/.test(x.metadata.name) && !/diabetes/.test(x.metadata.name))) {
    const c = o.spec.template.spec.containers[0];
    const standby = c.env.find(e => e.name === 'MILLRACE__WORKER__STANDBY')?.value;
    slots[o.metadata.name.replace('millrace-', '')] = [c.image.split(':')[1], o.spec.replicas, standby].filter(x => x !== undefined).join(' ');
  }
  const test = objects.find(o => o.metadata.name === 'millrace-test-api').spec.containers[0].env.find(e => e.name === 'URL').value;
  return { active: data.active, previous: data.previous, versions: JSON.parse(data.versions), slots, tests: test.includes('preview') ? 'preview' : 'active' };
}

test('Given nothing When it is installed Then blue has the traffic and there is no idle slot', async () => {
  const objects = await rendered({}, `image.tag=${A}`);
  assert.deepEqual(seen(objects), { active: 'blue', previous: '', versions: { blue: A, green: '' },
    slots: { 'api-blue': A, 'worker-digits-blue': `${A} false` }, tests: 'active' });
  assert.deepEqual(check(objects), []);
});

const running = cluster({ active: 'blue', previous: '', versions: { blue: A, green: '' }, since: 's', lastRollback: 'l' },
  api('blue', A, 3), worker('blue', A, 5));
test('Given blue When a new version comes Then it waits in green, with as many pods, and there is nothing to roll back to', async () => {
  const objects = await rendered(running, `image.tag=${B}`);
  assert.deepEqual(seen(objects), { active: 'blue', previous: '', versions: { blue: A, green: B }, tests: 'preview',
    slots: { 'api-blue': `${A} 3`, 'api-green': `${B} 3`, 'worker-digits-blue': `${A} 5 false`, 'worker-digits-green': `${B} 1 true` } });
  assert.deepEqual(check(objects).filter(f => f.rule !== 'replicas are left to the autoscaler'), []); // the live count is repeated
});

test('Given blue When settings change Then all stays where it is', async () => {
  const objects = await rendered(running, `image.tag=${A}`, 'settings.MILLRACE__SYNC__MAXWAIT=00:00:02');
  assert.deepEqual(seen(objects).slots, { 'api-blue': `${A} 3`, 'worker-digits-blue': `${A} 5 false` });
  assert.deepEqual([seen(objects).active, objects.find(o => o.metadata.name === 'millrace-release').data.since], ['blue', 's']);
});

const waiting = cluster({ active: 'blue', previous: '', versions: { blue: A, green: B }, since: 's', lastRollback: 'l' },
  api('blue', A, 4), api('green', B, 3),
  worker('blue', A, 5), worker('green', B, 1));
test('Given a version that waits When it is promoted Then it has the traffic and the old one is kept, with one pod', async () => {
  const objects = await rendered(waiting, `image.tag=${B}`, 'release.promote=true');
  assert.deepEqual(seen(objects), { active: 'green', previous: 'blue', versions: { blue: A, green: B }, tests: 'active',
    slots: { 'api-blue': `${A} 1`, 'api-green': `${B} 4`, 'worker-digits-blue': `${A} 1 true`, 'worker-digits-green': `${B} 5 false` } });
  const { since, lastRollback } = objects.find(o => o.metadata.name === 'millrace-release').data;
  assert.match(since, /^\d{4}-\d\d-\d\dT/);
  assert.equal(lastRollback, 'l');
  assert.deepEqual(check(objects).filter(f => f.rule !== 'replicas are left to the autoscaler'), []);
});

test('Given a version that waits When nobody promotes it Then it goes on waiting', async () => assert.equal(seen(await rendered(waiting, `image.tag=${B}`)).active, 'blue'));
test('Given a version that waits When another is promoted Then it is refused', () =>
  assert.rejects(rendered(waiting, `image.tag=${C}`, 'release.promote=true'), /does not hold 1\.2\.0-ccccccc/));
test('Given a version without a ready pod When it is promoted Then it is refused', () => assert.rejects(
  rendered({ ...waiting, 'deployments/millrace-api-green': api('green', B, 3, 0) }, `image.tag=${B}`, 'release.promote=true'), /has no ready pod/));

const promoted = cluster({ active: 'green', previous: 'blue', versions: { blue: A, green: B } }, api('green', B, 2), api('blue', A, 1));
test('Given a promoted version When the same is asked for again Then nothing moves', async () => {
  for (const promote of ['true', 'false']) {
    const { active, previous, slots } = seen(await rendered(promoted, `image.tag=${B}`, `release.promote=${promote}`));
    assert.deepEqual([active, previous, slots['api-blue'], slots['api-green']], ['green', 'blue', `${A} 1`, `${B} 2`]);
  }
});
test('Given a promoted version When the old one is promoted by hand Then it has the traffic again', async () => {
  const { active, previous, slots } = seen(await rendered(promoted, `image.tag=${A}`, 'release.promote=true'));
  assert.deepEqual([active, previous, slots['api-blue'], slots['api-green']], ['blue', 'green', `${A} 2`, `${B} 1`]);
});

const rolledBack = cluster({ active: 'blue', previous: '', versions: { blue: A, green: B }, lastRollback: '2026-01-01T00:00:00Z', reason: 'r' },
  api('blue', A, 2), api('green', B, 1));
test('Given a rollback When the bad version is still in the values Then it does not get the traffic back', async () => {
  const { active, previous, slots } = seen(await rendered(rolledBack, `image.tag=${B}`));
  assert.deepEqual([active, previous, slots['api-blue']], ['blue', '', `${A} 2`]);
});
test('Given a rollback When the good version is asked for Then the bad one is kept aside and not rolled back to', async () => {
  const { active, previous, slots } = seen(await rendered(rolledBack, `image.tag=${A}`));
  assert.deepEqual([active, previous, slots['api-green']], ['blue', '', `${B} 1`]);
});
test('Given a rollback under way When somebody upgrades Then it is refused', () => assert.rejects(
  rendered({ 'configmaps/millrace-release': record({ active: 'green', versions: { green: B }, rollingBack: '{}' }) }, `image.tag=${B}`), /rollback is under way/));

test('Given a slot in the values When it is rendered Then the cluster is not asked', async () => {
  const { active, versions } = seen(await rendered(promoted, `image.tag=${C}`, 'release.active=blue', `release.previousTag=${B}`));
  assert.deepEqual([active, versions], ['blue', { blue: C, green: B }]);
});
