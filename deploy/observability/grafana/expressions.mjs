#!/usr/bin/env node
// Checks the dashboard, and what dashboard and rules name. It writes every expression of the dashboard as a rule to OUT,
// so that promtool can parse them.
//   expressions.mjs OUT
// One line for each check; ends with 1 when one fails.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../..');
const read = (...path) => readFileSync(join(...path), 'utf8');
const rulesText = read(here, '../prometheus/rules.yaml');
const testsText = read(here, '../prometheus/rules.test.yaml');

let failed = false;
function report(check, faults, summary) {
  if (faults.length > 0) failed = true;
  console.log(faults.length === 0 ? `ok    ${check}: ${summary}` : `FAIL  ${check}: ${faults.join('; ')}`);
}

// ---- the dashboard
const dashboard = JSON.parse(read(here, 'millrace.json'));
const panels = dashboard.panels.flatMap(p => [p, ...(p.panels ?? [])]);

function layout() {
  const faults = [];
  const seen = new Set();
  const taken = new Map();
  for (const panel of panels) {
    const { x, y, w, h } = panel.gridPos;
    if (seen.has(panel.id)) faults.push(`id ${panel.id} twice`);
    seen.add(panel.id);
    if (!panel.title) faults.push(`panel ${panel.id} has no title`);
    if (x < 0 || w < 1 || h < 1 || x + w > 24) faults.push(`'${panel.title}' leaves the 24 columns`);
    for (let row = y; row < y + h; row++) {
      for (let column = x; column < x + w; column++) {
        const other = taken.get(`${row},${column}`);
        if (other && other !== panel.title) faults.push(`'${panel.title}' lies over '${other}'`);
        taken.set(`${row},${column}`, panel.title);
      }
    }
    if (panel.type !== 'row' && !panel.targets?.length) faults.push(`'${panel.title}' asks for nothing`);
    if (panel.targets && new Set(panel.targets.map(t => t.refId)).size !== panel.targets.length) faults.push(`'${panel.title}' has a refId twice`);
  }
  const fixed = JSON.stringify(dashboard).match(/"datasource":\{[^}]*"uid":"(?!\$\{datasource\}")[^"]*"/g) ?? [];
  if (fixed.length > 0) faults.push(`names a data source: ${fixed[0]}`);
  if (dashboard.schemaVersion < 38) faults.push('schemaVersion is below 38');
  const rows = panels.filter(p => p.type === 'row').length;
  report('layout', [...new Set(faults)], `${panels.length - rows} panels in ${rows} rows, none over another`);
}

const variables = dashboard.templating.list;
const expressions = [
  ...panels.flatMap(p => (p.targets ?? []).map(t => ({ from: p.title, text: t.expr }))),
  ...dashboard.annotations.list.filter(a => a.expr).map(a => ({ from: a.name, text: a.expr })),
  ...variables.filter(v => v.type === 'query').map(v => ({ from: `variable ${v.name}`, text: v.query.query.replace(/^label_values\((.*),[^,]*\)$/s, '$1') })),
].map(e => ({ ...e, text: substitute(e.text) }));

/** As Grafana would put them in when all is chosen. */
function substitute(text) {
  const values = { __rate_interval: '1m', __interval: '15s', __range: '1h', ...Object.fromEntries(variables.map(v => [v.name, v.allValue ?? '.*'])) };
  return text.replace(/\$\{?(\w+)\}?/g, (all, name) => values[name] ?? all);
}

function writeRules(file) {
  const unknown = expressions.filter(e => /\$/.test(e.text)).map(e => `'${e.from}' uses an unknown variable: ${e.text}`);
  const lines = expressions.map((e, at) =>
    `  - record: dashboard:expression:n${at}\n    expr: ${JSON.stringify(e.text)}\n    labels: {panel: ${JSON.stringify(e.from)}}`);
  writeFileSync(file, `groups:\n- name: dashboard\n  rules:\n${lines.join('\n')}\n`);
  report('variables', unknown, `${variables.map(v => v.name).join(', ')} in ${expressions.length} expressions`);
}

// ---- the rules, by what a reader sees of the YAML
/** Each value of the key, also where it spreads over the lines below. */
function valuesOf(text, key) {
  const lines = text.split('\n');
  return lines.flatMap((line, at) => {
    const match = line.match(new RegExp(`^(\\s*(?:- )?)${key}: (.*)$`));
    if (!match) return [];
    if (match[2] !== '|') return [match[2].replace(/ #.*$/, '').trim()];
    const block = [];
    for (let next = at + 1; next < lines.length && (lines[next].trim() === '' || lines[next].search(/\S/) > match[1].length); next++) block.push(lines[next]);
    return [block.join('\n')];
  });
}

const records = valuesOf(rulesText, 'record');
const alerts = [...new Set(valuesOf(rulesText, 'alert'))];

function cases() {
  const faults = [];
  const alertCases = testsText.split(/(?=\{?eval_time:)/).filter(t => /alertname:/.test(t));
  const expressionCases = (testsText.match(/exp_samples:/g) ?? []).length;
  for (const alert of alerts) {
    const own = alertCases.filter(c => new RegExp(`alertname: ${alert}\\b`).test(c));
    const fires = own.filter(c => /exp_alerts:/.test(c)).length;
    if (fires === 0) faults.push(`${alert} has no case in which it fires`);
    if (fires === own.length) faults.push(`${alert} has no case in which it does not fire`);
  }
  const asked = new Set(testsText.match(/millrace:[\w:]+/g));
  for (const record of records)
    if (!asked.has(record)) faults.push(`${record} has no case`);
  const fires = alertCases.filter(c => /exp_alerts:/.test(c)).length;
  const histories = (testsText.match(/^- name:/gm) ?? []).length;
  report('cases', faults, `${histories} histories; ${fires} cases in which an alert fires, ${alertCases.length - fires} in which none does, ${expressionCases} values`);
}

function runbooks() {
  const faults = [];
  const folder = join(root, 'docs/runbooks');
  const index = existsSync(join(folder, 'README.md')) ? read(folder, 'README.md') : '';
  const urls = valuesOf(rulesText, 'runbook_url');
  const rules = valuesOf(rulesText, 'alert');
  rules.forEach((alert, at) => { if (urls[at] !== `docs/runbooks/${alert}.md`) faults.push(`${alert} names ${urls[at]}`); });
  for (const alert of alerts) {
    if (!existsSync(join(folder, `${alert}.md`))) faults.push(`docs/runbooks/${alert}.md is missing`);
    if (!index.includes(`(${alert}.md)`)) faults.push(`docs/runbooks/README.md does not list ${alert}`);
  }
  if (existsSync(folder))
    for (const page of readdirSync(folder))
      if (page !== 'README.md' && !alerts.includes(page.replace(/\.md$/, ''))) faults.push(`docs/runbooks/${page} belongs to no alert`);
  report('runbooks', faults, `${alerts.length} alerts, each with its page`);
}

// ---- names of metrics
const keywords = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'atan2', 'inf', 'nan']);

/** Of all that is left of an expression without strings, matchers, windows, lists of labels and functions. */
function metricsOf(text) {
  const names = [...text.matchAll(/__name__=~?"([^"]*)"/g)].flatMap(m => m[1].split('|'));
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/g, '').replace(/\{[^}]*\}/g, ' ').replace(/\[[^\]]*\]/g, ' ')
    .replace(/\boffset\s+\w+/g, ' ')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  for (const [, name, call] of bare.matchAll(/(?<![\w:.])([a-zA-Z_:][\w:]*)(\s*\()?/g))
    if (!call && !keywords.has(name.toLowerCase())) names.push(name);
  return names;
}

function names() {
  const page = join(root, 'docs/metrics.md');
  const foreign = /^(process_|dotnet_|rabbitmq_|kube_)\w+$|^up$|^ALERTS$/;
  const rollback = /^millrace_rollbacks?_\w+$/; // the rollback service is no part of the runtime whose metrics the page lists
  const all = [...valuesOf(rulesText, 'expr').map(text => ({ from: 'rules.yaml', text })), ...expressions];
  const used = all.flatMap(e => metricsOf(e.text).map(name => ({ from: e.from, name })));
  const own = used.filter(u => !foreign.test(u.name) && !rollback.test(u.name));
  const recorded = own.filter(u => u.name.includes(':'));
  report('recorded names', recorded.filter(u => !records.includes(u.name)).map(u => `'${u.from}' uses ${u.name}, which no rule records`),
    `${new Set(recorded.map(u => u.name)).size} used of ${records.length}`);
  const plain = own.filter(u => !u.name.includes(':'));
  const wrong = plain.filter(u => !u.name.startsWith('millrace_')).map(u => `'${u.from}' uses ${u.name}, which is none of ours and of no family we know`);
  if (!existsSync(page)) {
    report('metric names', wrong,
      `skipped for the ${new Set(plain.map(u => u.name)).size} of millrace_: there is no docs/metrics.md to compare with`);
    return;
  }
  const known = new Map([...read(page).matchAll(/^\| `(millrace_\w+)`(.*)$/gm)].map(m => [m[1], m[2]]));
  const exists = name => known.has(name)
    || (/_(bucket|sum|count)$/.test(name) && /histogram/.test(known.get(name.replace(/_(bucket|sum|count)$/, '')) ?? ''));
  const rowOf = name => known.get(name) ?? known.get(name.replace(/_(bucket|sum|count)$/, '')) ?? '';
  const labelsOf = name => [...(rowOf(name).split('|')[2] ?? '').matchAll(/`(\w+)`/g)].map(m => m[1]);
  const targets = ['job', 'instance', 'namespace', 'version', 'slot', 'le'];
  for (const text of all.map(e => e.text)) {
    for (const [, name, matchers] of text.matchAll(/\b(millrace_\w+)\{([^}]*)\}/g))
      for (const [, label] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
        if (exists(name) && ![...labelsOf(name), ...targets].includes(label)) wrong.push(`${name} has no label ${label}`);
  }
  wrong.push(...plain.filter(u => u.name.startsWith('millrace_') && !exists(u.name))
    .map(u => `'${u.from}' uses ${u.name}, which docs/metrics.md does not list`));
  report('metric names', [...new Set(wrong)], `${new Set(plain.map(u => u.name)).size} used of the ${known.size} of docs/metrics.md`);
}

if (!process.argv[2]) {
  console.error('expressions.mjs OUT');
  process.exit(2);
}
layout();
writeRules(process.argv[2]);
cases();
runbooks();
names();
process.exit(failed ? 1 : 0);
