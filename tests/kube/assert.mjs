#!/usr/bin/env node
// What the chart's objects must keep, beyond being valid. Reads manifests on standard input, prints a line for each rule, exits 1 on a fault.
//   helm template millrace deploy/k8s --set image.tag=TAG | node assert.mjs [--quiet]
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseAllDocuments } from 'yaml';

const TAG = /^\d+\.\d+\.\d+-[0-9a-f]{7,40}$/;
const WITH_TOKEN = ['rollback'];
const SLOTS = ['blue', 'green'];

export const read = text => parseAllDocuments(text).map(d => d.toJS()).filter(Boolean);

const of = (all, kind) => all.filter(o => o.kind === kind);
const named = (all, kind, name) => all.find(o => o.kind === kind && o.metadata.name === name);

function templateOf(o) {
  if (o.kind === 'Pod') return o;
  if (o.kind === 'CronJob') return o.spec.jobTemplate.spec.template;
  return ['Deployment', 'Job', 'StatefulSet', 'DaemonSet'].includes(o.kind) ? o.spec.template : null;
}
const pods = all => all.filter(templateOf).map(o => {
  const { metadata, spec } = templateOf(o);
  return { o, spec, labels: metadata?.labels ?? {}, containers: [...spec.containers, ...(spec.initContainers ?? [])] };
});
/** Faults of single containers: `find` gives a text, several, or nothing. */
const inContainers = (all, find) => pods(all).flatMap(pod => pod.containers.flatMap(c => [find(c, pod) || []].flat().map(text => [pod.o, `${c.name} ${text}`])));

const mainOf = deployment => deployment?.spec.template.spec.containers[0];
const labelsOf = deployment => deployment?.spec.template.metadata.labels ?? {};
const slotOf = deployment => labelsOf(deployment)['millrace/slot'];
const tagOf = deployment => mainOf(deployment)?.image.split(':').at(-1) ?? '';
const env = (container, name) => container?.env?.find(e => e.name === name)?.value;
const selects = (selector, labels) => Object.entries(selector?.matchLabels ?? {}).every(([k, v]) => labels[k] === v);
const seconds = span => span.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
const workersOf = all => of(all, 'Deployment').filter(o => labelsOf(o)['app.kubernetes.io/component'] === 'worker');
const scaledBy = all => [...of(all, 'HorizontalPodAutoscaler'), ...of(all, 'ScaledObject')]
  .map(scaler => ({ scaler, target: named(all, 'Deployment', scaler.spec.scaleTargetRef.name) }));
const alertsOf = rule => rule.spec.groups.flatMap(g => g.rules).filter(r => r.alert);

/** Each rule says what is wrong as [object, text]. */
export const rules = {
  'pods are restricted': all => [
    ...pods(all).flatMap(({ o, spec }) => {
      const out = [], s = spec.securityContext ?? {};
      if (s.runAsNonRoot !== true || !(s.runAsUser > 0)) out.push([o, 'may run as root']);
      if (s.seccompProfile?.type !== 'RuntimeDefault') out.push([o, 'no seccomp profile']);
      if (spec.hostNetwork || spec.hostPID || spec.hostIPC) out.push([o, 'shares a namespace of the host']);
      if (spec.volumes?.some(v => v.hostPath)) out.push([o, 'has a volume of the host']);
      return out;
    }),
    ...inContainers(all, c => {
      const out = [], s = c.securityContext ?? {};
      if (s.allowPrivilegeEscalation !== false || s.privileged) out.push('may escalate privileges');
      if (!s.capabilities?.drop?.includes('ALL') || s.capabilities.add?.length) out.push('keeps capabilities');
      if (s.readOnlyRootFilesystem !== true) out.push('may write its root');
      if (s.runAsUser === 0 || s.runAsNonRoot === false) out.push('may run as root');
      if (c.ports?.some(p => p.hostPort)) out.push('takes a port of the host');
      return out;
    }),
  ],

  'only the rollback has a token': all => pods(all)
    .filter(p => (p.spec.automountServiceAccountToken !== false) !== WITH_TOKEN.includes(p.labels['app.kubernetes.io/component']))
    .map(p => [p.o, 'automountServiceAccountToken']),

  'temporary space is bounded': all => [
    ...pods(all).flatMap(({ o, spec }) => (spec.volumes ?? []).filter(v => v.emptyDir && !v.emptyDir.sizeLimit).map(v => [o, `volume ${v.name} has no sizeLimit`])),
    ...inContainers(all, c => !c.volumeMounts?.some(m => m.mountPath === '/tmp') && 'has no /tmp'),
  ],

  'resources are said': all => inContainers(all, ({ resources }) => !(resources?.limits?.memory && resources.requests?.memory && resources.requests.cpu)
    && 'lacks a memory limit or a request'),

  'long-running pods have probes': all => inContainers(all, (c, { o, spec }) => {
    if (o.kind !== 'Deployment' || !spec.containers.includes(c)) return [];
    const missing = ['startupProbe', 'readinessProbe', 'livenessProbe'].filter(probe => !c[probe]?.httpGet).map(probe => `has no ${probe}`);
    const path = c.livenessProbe?.httpGet?.path ?? '/health/live';
    return path === '/health/live' ? missing : [...missing, `is asked ${path} for its liveness`];
  }),

  'images are pinned': all => inContainers(all, ({ image }) => {
    const [, name, tag] = /^(?:.*\/)?([^/:@]+)(?::([^@]+))?(?:@.*)?$/.exec(image) ?? [];
    const good = name?.startsWith('millrace-') ? TAG.test(tag ?? '') : /@sha256:/.test(image) || (tag && tag !== 'latest');
    return !good && `has the image ${image}`;
  }),

  'a version label says the image': all => of(all, 'Deployment').filter(o => labelsOf(o)['app.kubernetes.io/version'] !== tagOf(o))
    .map(o => [o, 'app.kubernetes.io/version is not the tag']),

  'replicas are left to the autoscaler': all => scaledBy(all).filter(s => s.target?.spec.replicas !== undefined).map(s => [s.target, 'sets replicas']),

  'what nothing scales says its replicas': all => of(all, 'Deployment')
    .filter(o => o.spec.replicas === undefined && !scaledBy(all).some(s => s.target === o)).map(o => [o, 'sets no replicas']),

  'one slot is active everywhere': all => {
    const record = of(all, 'ConfigMap').find(o => o.metadata.name.endsWith('-release'));
    const { active, previous } = record.data, versions = JSON.parse(record.data.versions), out = [];
    const tag = slot => tagOf(of(all, 'Deployment').find(o => o.metadata.name.endsWith(`-api-${slot}`)));
    for (const slot of SLOTS) if (versions[slot] !== tag(slot)) out.push([record, `says ${versions[slot]} of ${slot}, which is ${tag(slot)}`]);
    if (previous && (previous === active || !tag(previous))) out.push([record, `says that ${previous} is the previous slot`]);
    for (const { scaler, target } of scaledBy(all)) if (slotOf(target) !== active) out.push([scaler, `scales ${slotOf(target)}, and ${active} is active`]);
    for (const o of of(all, 'Service')) {
      const slot = o.spec.selector['millrace/slot'];
      if (slot && (slot === active) === o.metadata.name.endsWith('-preview')) out.push([o, `selects ${slot}, and ${active} is active`]);
    }
    for (const o of workersOf(all))
      if (env(mainOf(o), 'MILLRACE__WORKER__STANDBY') !== String(slotOf(o) !== active)) out.push([o, 'MILLRACE__WORKER__STANDBY is wrong for its slot']);
    return out;
  },

  'one ScaledObject for each worker group': all => {
    const scaled = of(all, 'ScaledObject'), out = [];
    if (!scaled.length) return [];
    const groups = new Map(workersOf(all).map(o => [o.metadata.name.replace(/-(blue|green)$/, ''), o]));
    for (const s of scaled) if (!groups.has(s.metadata.name)) out.push([s, 'scales no worker group']);
    for (const [name, worker] of groups) {
      const own = scaled.filter(s => s.metadata.name === name && s.spec.scaleTargetRef.name.startsWith(`${name}-`));
      if (own.length !== 1) { out.push([worker, `has ${own.length} ScaledObjects`]); continue; }
      const prefix = env(mainOf(worker), 'MILLRACE__BROKER__PREFIX') ?? '', models = env(mainOf(worker), 'MILLRACE__MODELS__NAMES').split(',');
      const want = models.flatMap(m => [`${prefix}infer.${m}`, `${prefix}jobs.${m}`]).sort().join();
      const have = own[0].spec.triggers.map(t => t.metadata.queueName).sort().join();
      if (want !== have) out.push([own[0], `looks at ${have}, and the workers at ${want}`]);
    }
    return out;
  },

  'scaling counts unacknowledged messages': all => of(all, 'ScaledObject').flatMap(s => s.spec.triggers.map(t => t.metadata)
    .filter(m => m.protocol !== 'http' || m.mode !== 'QueueLength' || m.excludeUnacknowledged === 'true').map(m => [s, `trigger of ${m.queueName}`])),

  'scaling sees the whole backlog': all => scaledBy(all).filter(s => s.scaler.kind === 'ScaledObject').flatMap(({ scaler, target }) => {
    const window = Number(env(mainOf(target), 'MILLRACE__STORE__WINDOW'));
    const need = m => 2 * scaler.spec.maxReplicaCount * Number(m.value);
    return scaler.spec.triggers.map(t => t.metadata).filter(m => /(^|\.)jobs\./.test(m.queueName) && !(window >= need(m)))
      .map(m => [scaler, `window ${window} is below 2 * max * value = ${need(m)}`]);
  }),

  'scaling goes down in steps and survives a deaf broker': all => of(all, 'ScaledObject').filter(({ spec }) => {
    const down = spec.advanced?.horizontalPodAutoscalerConfig?.behavior?.scaleDown?.policies;
    return !down?.every(p => p.type === 'Pods') || spec.fallback?.behavior !== 'currentReplicasIfHigher';
  }).map(s => [s, 'behavior or fallback']),

  'there is time to drain': all => inContainers(all, (c, { spec }) => {
    const drain = env(c, 'MILLRACE__DRAIN__TIMEOUT'), grace = spec.terminationGracePeriodSeconds;
    return drain && grace <= (c.lifecycle?.preStop?.sleep?.seconds ?? 0) + seconds(drain) && `gets ${grace} s, which is not above preStop + drain`;
  }),

  'an API leaves its Service before it stops': all => inContainers(all, c => c.name === 'api' && !(c.lifecycle?.preStop?.sleep?.seconds >= 5) && 'has no preStop'),

  'a rollout takes no pod away first': all => of(all, 'Deployment').filter(o => o.spec.strategy?.rollingUpdate?.maxUnavailable !== 0).map(o => [o, 'maxUnavailable']),

  'scaled pods have a disruption budget': all => scaledBy(all)
    .filter(s => s.target && !of(all, 'PodDisruptionBudget').some(p => selects(p.spec.selector, labelsOf(s.target)))).map(s => [s.target, 'has no PodDisruptionBudget']),

  'the network is closed': all => {
    const policies = of(all, 'NetworkPolicy'), own = p => Object.keys(p.spec.podSelector).length > 0, out = [];
    if (policies.filter(p => !own(p) && p.spec.policyTypes?.length === 2 && !p.spec.ingress && !p.spec.egress).length !== 1)
      out.push([{ kind: 'NetworkPolicy', metadata: { name: '*' } }, 'no default deny']);
    for (const p of policies) for (const rule of [...(p.spec.ingress ?? []), ...(p.spec.egress ?? [])]) {
      const peers = rule.to ?? rule.from ?? [];
      if (!peers.length || peers.some(x => /\/0$/.test(x.ipBlock?.cidr ?? ''))) out.push([p, 'a rule for every address']);
      if (!rule.ports?.length) out.push([p, 'a rule for every port']);
    }
    for (const { o, labels } of pods(all)) if (!policies.some(p => own(p) && selects(p.spec.podSelector, labels))) out.push([o, 'no policy of its own']);
    return out;
  },

  'nothing secret is in a manifest': all => [
    ...of(all, 'Secret').map(o => [o, 'a Secret']),
    ...inContainers(all, c => (c.env ?? []).filter(e => e.value !== undefined)
      .filter(e => /:\/\/[^/@]*:(?!\$\()[^/@]+@/.test(e.value) || /PASSWORD|TOKEN|SECRET$/.test(e.name)).map(e => `is given ${e.name}`)),
  ],

  'rights are by name': all => [
    ...all.filter(o => /^Cluster(Role|RoleBinding)$/.test(o.kind)).map(o => [o, 'goes beyond the namespace']),
    ...of(all, 'Role').flatMap(o => o.rules.flatMap(r => {
      const verbs = r.verbs.join(), resources = r.resources.join();
      if ([...r.verbs, ...r.resources, ...r.apiGroups].includes('*')) return [[o, 'a wildcard']];
      if (r.resources.some(x => /^(secrets|pods\/exec|roles|rolebindings)$/.test(x))) return [[o, resources]];
      const free = resources === 'events' && verbs === 'create'; // it has no name before it is made
      return free || r.resourceNames?.length ? [] : [[o, `${verbs} ${resources} without resourceNames`]];
    })),
    ...of(all, 'RoleBinding').filter(o => !named(all, 'Role', o.roleRef.name) || o.subjects.some(s => s.kind !== 'ServiceAccount' || s.name !== o.roleRef.name))
      .map(o => [o, 'binds others']),
  ],

  'rights and settings of the rollback agree': all => of(all, 'Deployment').filter(o => o.metadata.name.endsWith('-rollback')).flatMap(o => {
    const setting = name => env(mainOf(o), `MILLRACE__ROLLBACK__${name}`), list = name => setting(name).split(',').filter(Boolean);
    const granted = named(all, 'Role', o.spec.template.spec.serviceAccountName)?.rules ?? [];
    const may = (verb, resource) => granted.filter(r => r.resources.includes(resource) && r.verbs.includes(verb)).flatMap(r => r.resourceNames).sort().join();
    const workers = list('WORKERS').flatMap(w => SLOTS.map(slot => `${w}-${slot}`)), deployments = [...list('DEPLOYMENTS'), ...workers];
    const want = [
      ['get', 'configmaps', [setting('CONFIGMAP')]], ['patch', 'configmaps', [setting('CONFIGMAP')]], ['patch', 'services', [setting('SERVICE')]],
      ['patch', 'horizontalpodautoscalers', list('HPA')], ['patch', 'scaledobjects', list('WORKERS')],
      ['get', 'deployments', deployments], ['patch', 'deployments', workers], ['patch', 'deployments/scale', deployments],
    ];
    return want.map(([verb, resource, names]) => [`${verb} ${resource}`, may(verb, resource), names.sort().join()]).filter(([, has, needs]) => has !== needs)
      .map(([what, has, needs]) => [o, `${what}: may for ${has}, and needs ${needs}`]);
  }),

  'only a drill lets a slot fail, and its own': all => {
    const drill = of(all, 'CronJob').find(o => o.metadata.name.endsWith('-drill')), names = ['MILLRACE__CHAOS__ENABLED', 'MILLRACE__CHAOS__SCOPE', 'DOTNET_ENVIRONMENT'];
    return of(all, 'Deployment').filter(slotOf).flatMap(o => {
      const has = names.map(name => env(mainOf(o), name)).join(), needs = drill ? `true,${slotOf(o)},Staging` : ',,';
      return has === needs ? [] : [[o, `has ${names.join()} = ${has}, and needs ${needs}`]];
    });
  },

  'the drill reaches what it asks': all => of(all, 'CronJob').filter(o => o.metadata.name.endsWith('-drill')).flatMap(o => {
    const { containers: [c], volumes } = templateOf(o).spec, labels = templateOf(o).metadata.labels, out = [];
    if (c.args?.join() !== 'drill' || !/millrace-rollback:/.test(c.image)) out.push([o, `runs ${c.image} ${c.args}`]);
    if (!volumes.some(v => v.secret?.items?.some(i => i.path === 'MILLRACE__DRILL__KEY'))) out.push([o, 'has no key']);
    for (const name of ['API', 'ROLLBACK']) {
      const service = named(all, 'Service', new URL(env(c, `MILLRACE__DRILL__${name}`)).hostname);
      if (!service) { out.push([o, `${name} is no Service`]); continue; }
      const target = { 'app.kubernetes.io/instance': labels['app.kubernetes.io/instance'], 'app.kubernetes.io/component': service.spec.selector['app.kubernetes.io/component'] };
      const inner = policy => selects(policy.spec.podSelector, { ...labels, ...service.spec.selector });
      const lets = (peers, whom) => peers?.some(p => p.podSelector && selects(p.podSelector, whom)
        && (p.podSelector.matchExpressions ?? []).every(e => e.values.includes(whom[e.key])));
      const policies = of(all, 'NetworkPolicy');
      if (policies.length && !policies.some(p => Object.keys(p.spec.podSelector.matchLabels ?? {}).length && selects(p.spec.podSelector, labels) && p.spec.egress?.some(e => lets(e.to, target))))
        out.push([o, `may not reach ${service.metadata.name}`]);
      if (policies.length && !policies.some(p => Object.keys(p.spec.podSelector.matchLabels ?? {}).length && inner(p) && p.spec.ingress?.some(i => lets(i.from, labels))))
        out.push([o, `is not let in by ${service.metadata.name}`]);
    }
    return out;
  }),

  'each alert has a runbook': all => of(all, 'PrometheusRule').flatMap(o => alertsOf(o)
    .filter(r => !r.annotations?.runbook_url?.endsWith(`docs/runbooks/${r.alert}.md`)).map(r => [o, r.alert])),

  'a bad version is named to the rollback': all => of(all, 'PrometheusRule').flatMap(o => {
    const asks = alertsOf(o).filter(r => r.labels?.action === 'rollback');
    return asks.length === 2 && asks.every(r => r.labels.severity === 'page' && /version/.test(r.expr)) ? [] : [[o, `${asks.map(r => r.alert)} ask for a rollback`]];
  }),
};

/** All faults, as {rule, text}. */
export const check = all => Object.entries(rules)
  .flatMap(([rule, find]) => find(all).map(([o, text]) => ({ rule, text: `${o.kind} ${o.metadata.name}: ${text}` })));

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  const faults = check(read(fs.readFileSync(0, 'utf8'))), bad = new Set(faults.map(f => f.rule)), total = Object.keys(rules).length;
  if (!process.argv.includes('--quiet')) for (const rule of Object.keys(rules)) if (!bad.has(rule)) console.log(`ok       ${rule}`);
  for (const f of faults) console.log(`FAULT    ${f.rule}: ${f.text}`);
  console.log(`${total - bad.size} of ${total} rules hold`);
  process.exitCode = faults.length ? 1 : 0;
}
