// Each rule of assert.mjs is seen to fail on a chart that breaks it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { check, read, rules } from './assert.mjs';
import { all, render } from './chart.mjs';

const good = render(...all);
const find = (objects, kind, name) => { const o = objects.find(x => x.kind === kind && x.metadata.name === name); assert.ok(o, `${kind} ${name}`); return o; };
const api = o => find(o, 'Deployment', 'millrace-api-green').spec.template.spec;
const worker = (o, slot = 'green') => find(o, 'Deployment', `millrace-worker-digits-${slot}`);
const scaled = o => find(o, 'ScaledObject', 'millrace-worker-digits');
const role = o => find(o, 'Role', 'millrace-rollback');
const drill = o => find(o, 'CronJob', 'millrace-drill').spec.jobTemplate.spec.template.spec;
const mainContainer = deployment => deployment.spec.template.spec.containers[0];
const setEnv = (container, name, value) => { container.env.find(e => e.name === name).value = value; };
const alert = (o, name) => find(o, 'PrometheusRule', 'millrace').spec.groups.flatMap(g => g.rules).find(r => r.alert === name);

// rule, what is broken, how
const broken = [
  ['pods are restricted', 'root', o => { delete api(o).securityContext.runAsNonRoot; }],
  ['pods are restricted', 'seccomp', o => { delete api(o).securityContext.seccompProfile; }],
  ['pods are restricted', 'writable root', o => { api(o).containers[0].securityContext.readOnlyRootFilesystem = false; }],
  ['pods are restricted', 'capabilities', o => { api(o).containers[0].securityContext.capabilities = { drop: ['NET_RAW'] }; }],
  ['pods are restricted', 'escalation', o => { delete api(o).containers[0].securityContext.allowPrivilegeEscalation; }],
  ['pods are restricted', 'host path', o => { api(o).volumes.push({ name: 'h', hostPath: { path: '/' } }); }],
  ['pods are restricted', 'a hook job', o => { delete find(o, 'Job', 'millrace-migrate').spec.template.spec.securityContext; }],
  ['pods are restricted', 'the drill',
    o => { find(o, 'CronJob', 'millrace-drill').spec.jobTemplate.spec.template.spec.containers[0].securityContext = {}; }],
  ['pods are restricted', 'a test pod', o => { find(o, 'Pod', 'millrace-test-api').spec.securityContext.runAsUser = 0; }],
  ['only the rollback has a token', 'API', o => { delete api(o).automountServiceAccountToken; }],
  ['only the rollback has a token', 'rollback without',
    o => { find(o, 'Deployment', 'millrace-rollback').spec.template.spec.automountServiceAccountToken = false; }],
  ['only the rollback has a token', 'the drill', o => { delete drill(o).automountServiceAccountToken; }],
  ['only a drill lets a slot fail, and its own', 'a slot that does not', o => { setEnv(api(o).containers[0], 'MILLRACE__CHAOS__ENABLED', 'false'); }],
  ['only a drill lets a slot fail, and its own', 'the other slot', o => { setEnv(mainContainer(worker(o)), 'MILLRACE__CHAOS__SCOPE', 'blue'); }],
  ['only a drill lets a slot fail, and its own', 'Production', o => { setEnv(mainContainer(worker(o)), 'DOTNET_ENVIRONMENT', 'Production'); }],
  ['only a drill lets a slot fail, and its own', 'no drill', o => { o.splice(o.indexOf(find(o, 'CronJob', 'millrace-drill')), 1); }],
  ['the drill reaches what it asks', 'another program', o => { delete drill(o).containers[0].args; }],
  ['the drill reaches what it asks', 'no key', o => { drill(o).volumes.pop(); }],
  ['the drill reaches what it asks', 'another service', o => { setEnv(drill(o).containers[0], 'MILLRACE__DRILL__ROLLBACK', 'http://rollback:8080'); }],
  ['the drill reaches what it asks', 'may not leave', o => { find(o, 'NetworkPolicy', 'millrace-drill').spec.egress.splice(1, 1); }],
  ['the drill reaches what it asks', 'is not let in', o => { find(o, 'NetworkPolicy', 'millrace-rollback').spec.ingress[0].from.pop(); }],
  ['temporary space is bounded', 'no limit', o => { api(o).volumes.find(v => v.name === 'tmp').emptyDir = {}; }],
  ['temporary space is bounded', 'no /tmp', o => { api(o).containers[0].volumeMounts.shift(); }],
  ['resources are said', 'no memory limit', o => { delete api(o).containers[0].resources.limits; }],
  ['resources are said', 'no cpu request', o => { delete worker(o).spec.template.spec.containers[0].resources.requests.cpu; }],
  ['long-running pods have probes', 'no readiness', o => { delete api(o).containers[0].readinessProbe; }],
  ['long-running pods have probes', 'liveness asks for dependencies', o => { api(o).containers[0].livenessProbe.httpGet.path = '/health/ready'; }],
  ['images are pinned', 'version without commit', o => { api(o).containers[0].image = 'millrace-api:1.2.0'; }],
  ['images are pinned', 'latest', o => { find(o, 'Pod', 'millrace-test-api').spec.containers[0].image = 'curlimages/curl:latest'; }],
  ['images are pinned', 'no tag', o => { find(o, 'Pod', 'millrace-test-api').spec.containers[0].image = 'host:5000/curl'; }],
  ['a version label says the image', 'another label',
    o => { find(o, 'Deployment', 'millrace-api-green').spec.template.metadata.labels['app.kubernetes.io/version'] = '1.0.0-0123abc'; }],
  ['replicas are left to the autoscaler', 'API', o => { find(o, 'Deployment', 'millrace-api-green').spec.replicas = 2; }],
  ['replicas are left to the autoscaler', 'worker', o => { worker(o).spec.replicas = 1; }],
  ['what nothing scales says its replicas', 'idle slot', o => { delete find(o, 'Deployment', 'millrace-api-blue').spec.replicas; }],
  ['one slot is active everywhere', 'Service', o => { find(o, 'Service', 'millrace-api').spec.selector['millrace/slot'] = 'blue'; }],
  ['one slot is active everywhere', 'preview', o => { find(o, 'Service', 'millrace-api-preview').spec.selector['millrace/slot'] = 'green'; }],
  ['one slot is active everywhere', 'autoscaler',
    o => { find(o, 'HorizontalPodAutoscaler', 'millrace-api').spec.scaleTargetRef.name = 'millrace-api-blue'; }],
  ['one slot is active everywhere', 'the record',
    o => { find(o, 'ConfigMap', 'millrace-release').data.versions = '{"blue":"1.1.0-fedcba9","green":null}'; }],
  ['one slot is active everywhere', 'nothing to roll back to', o => { find(o, 'ConfigMap', 'millrace-release').data.previous = 'green'; }],
  ['one slot is active everywhere', 'two versions consume',
    o => { setEnv(worker(o, 'blue').spec.template.spec.containers[0], 'MILLRACE__WORKER__STANDBY', 'false'); }],
  ['one ScaledObject for each worker group', 'none', o => { o.splice(o.indexOf(scaled(o)), 1); }],
  ['one ScaledObject for each worker group', 'a model is not looked at', o => { scaled(o).spec.triggers.pop(); }],
  ['one ScaledObject for each worker group', 'another queue', o => { scaled(o).spec.triggers[0].metadata.queueName = 'jobs.other'; }],
  ['scaling counts unacknowledged messages', 'amqp', o => { scaled(o).spec.triggers[0].metadata.protocol = 'amqp'; }],
  ['scaling counts unacknowledged messages', 'ready only', o => { scaled(o).spec.triggers[0].metadata.excludeUnacknowledged = 'true'; }],
  ['scaling sees the whole backlog', 'small window', o => { setEnv(worker(o).spec.template.spec.containers[0], 'MILLRACE__STORE__WINDOW', '100'); }],
  ['scaling goes down in steps and survives a deaf broker', 'cliff',
    o => { scaled(o).spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.policies = [{ type: 'Percent', value: 100, periodSeconds: 15 }]; }],
  ['scaling goes down in steps and survives a deaf broker', 'no fallback', o => { delete scaled(o).spec.fallback; }],
  ['there is time to drain', 'API', o => { api(o).terminationGracePeriodSeconds = 35; }],
  ['there is time to drain', 'worker', o => { worker(o).spec.template.spec.terminationGracePeriodSeconds = 30; }],
  ['an API leaves its Service before it stops', 'no preStop', o => { delete api(o).containers[0].lifecycle; }],
  ['a rollout takes no pod away first', 'maxUnavailable', o => { worker(o).spec.strategy.rollingUpdate.maxUnavailable = 1; }],
  ['scaled pods have a disruption budget', 'worker', o => { o.splice(o.indexOf(find(o, 'PodDisruptionBudget', 'millrace-worker-digits')), 1); }],
  ['the network is closed', 'no deny', o => { o.splice(o.indexOf(find(o, 'NetworkPolicy', 'millrace-deny')), 1); }],
  ['the network is closed', 'one way', o => { find(o, 'NetworkPolicy', 'millrace-deny').spec.policyTypes = ['Ingress']; }],
  ['the network is closed', 'everywhere',
    o => { find(o, 'NetworkPolicy', 'millrace-worker').spec.egress.push({ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }], ports: [{ port: 443 }] }); }],
  ['the network is closed', 'every port', o => { delete find(o, 'NetworkPolicy', 'millrace-api').spec.ingress[0].ports; }],
  ['the network is closed', 'a pod is forgotten', o => { o.splice(o.indexOf(find(o, 'NetworkPolicy', 'millrace-hook')), 1); }],
  ['nothing secret is in a manifest', 'Secret', o => { o.push({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: 'eA==' } }); }],
  ['nothing secret is in a manifest', 'password in an address',
    o => { api(o).containers[0].env.push({ name: 'MILLRACE__STORE__URL', value: 'postgres://me:secret@db/x' }); }],
  ['rights are by name', 'no names', o => { delete role(o).rules[0].resourceNames; }],
  ['rights are by name', 'wildcard', o => { role(o).rules[0].verbs = ['*']; }],
  ['rights are by name', 'secrets', o => { role(o).rules[0].resources = ['secrets']; }],
  ['rights are by name', 'more for events', o => { role(o).rules.at(-1).verbs.push('delete'); }],
  ['rights are by name', 'cluster', o => { o.push({ kind: 'ClusterRole', metadata: { name: 'c' }, rules: [] }); }],
  ['rights are by name', 'bound to all',
    o => { find(o, 'RoleBinding', 'millrace-rollback').subjects = [{ kind: 'Group', name: 'system:authenticated' }]; }],
  ['rights and settings of the rollback agree', 'too few',
    o => { role(o).rules.find(r => r.resources.includes('deployments')).resourceNames.pop(); }],
  ['rights and settings of the rollback agree', 'other setting',
    o => { setEnv(find(o, 'Deployment', 'millrace-rollback').spec.template.spec.containers[0], 'MILLRACE__ROLLBACK__SERVICE', 'other'); }],
  ['each alert has a runbook', 'none', o => { delete alert(o, 'MillraceNoWorker').annotations.runbook_url; }],
  ['a bad version is named to the rollback', 'a third alert', o => { alert(o, 'MillraceNoWorker').labels.action = 'rollback'; }],
  ['a bad version is named to the rollback', 'no page', o => { alert(o, 'MillraceLatencyHigh').labels.severity = 'ticket'; }],
];

test('the chart as it is keeps all rules', () => assert.deepEqual(check(read(good)), []));
test('each rule is seen to fail', () => assert.deepEqual(Object.keys(rules).filter(rule => !broken.some(b => b[0] === rule)), []));
for (const [rule, what, change] of broken) test(`fails: ${rule} (${what})`, () => {
  const objects = read(good);
  change(objects);
  assert.ok(check(objects).some(f => f.rule === rule), JSON.stringify(check(objects)));
});
