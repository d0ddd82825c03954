// The bench: this relay and its peers side by side, as ratios against the budgets, and how cost grows.
//
//   node tests/bench/run.mjs [--quick] [--realtime] [--rounds N] [--rows KEY[,KEY...]] [--before DIR] [--json FILE]
//
// --quick      shorter runs            --realtime   under chrt -r: for a machine that does other work, too
// --rounds N   how often each target is measured, in turns; what is judged is the median (5, quick 3)
// --rows       only these rows: one that compares throughput takes about half a minute
// --before     the programs' folder (build/bin) of another build of the relay, compared with in the same run
//
// Prints a table and writes build/bench.json. Exits 1 when a row misses its budget or could not be measured; a row that
// names why it was skipped does neither pass nor fail. `make bench` builds what it needs and runs it.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { rows } from './rows.mjs';
import {
  childPath,
  clientPath,
  loadPath,
  natsPath,
  pumpPath,
  relayPath,
  root,
  stopAll,
  useRealtime,
} from './targets.mjs';

const USAGE = 'run.mjs [--quick] [--realtime] [--rounds N] [--rows KEY[,KEY...]] [--before DIR] [--json FILE]';

function usage(problem) {
  console.error(`bench: ${problem}\nusage: ${USAGE}`);
  console.error(`rows: ${rows.map((row) => row.key).join(' ')}`);
  process.exit(2);
}

function readOptions() {
  const options = {
    quick: { type: 'boolean' },
    realtime: { type: 'boolean' },
    rounds: { type: 'string' },
    rows: { type: 'string' },
    before: { type: 'string' },
    json: { type: 'string' },
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return usage(error.message);
  }
}

function chosenRows(list) {
  if (list === undefined) return rows;
  const keys = list.split(',');
  const unknown = keys.filter((key) => !rows.some((row) => row.key === key));
  if (unknown.length > 0) usage(`no such row: ${unknown.join(', ')}`);
  return rows.filter((row) => keys.includes(row.key));
}

function roundsOf({ rounds, quick }) {
  if (rounds === undefined) return quick ? 3 : 5;
  if (!/^[1-9]\d{0,2}$/.test(rounds)) usage(`--rounds takes a number from 1 to 999, not '${rounds}'`);
  return Number(rounds);
}

function figure(value, unit) {
  if (value === undefined) return '';
  const digits = value >= 1000 ? 0 : value >= 100 ? 1 : 2;
  return `${value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`;
}

function verdict(result) {
  if (result.failed !== undefined) return `FAILED: ${result.failed}`;
  if (result.skipped !== undefined) return `skipped: ${result.skipped}`;
  if (result.pass === undefined) return '';
  return result.pass ? 'ok' : 'MISSED';
}

function notes({ detail = {} }) {
  return [
    ['relayUsPerMessage', (us) => `${us.toFixed(2)} µs cpu`],
    ['peerUsPerMessage', (us) => `peer ${us.toFixed(2)}`],
    ['p50Us', (us) => `p50 ${Math.round(us)} µs`],
    ['p99Us', (us) => `p99 ${Math.round(us)} µs`],
    ['peerP50Us', (us) => `peer p50 ${Math.round(us)}`],
    ['megabytesPerSecond', (mb) => `${Math.round(mb)} MB/s`],
    ['residentBytes', (bytes) => `${(bytes / 1048576).toFixed(1)} MiB`],
  ]
    .filter(([name]) => detail[name] !== undefined)
    .map(([name, show]) => show(detail[name]))
    .join(', ');
}

function line(result) {
  const bound = result.budget === undefined ? '' : `${result.atMost ? '≤' : '≥'} ${result.budget}`;
  const peer = result.peerName ? `${result.peerName} ${figure(result.peer, result.unit)}` : '';
  const ratio = result.ratio === undefined ? '' : `${result.ratio.toFixed(2)} ×`;
  const cells = [
    result.what.padEnd(36),
    figure(result.ours, result.unit ?? '').padStart(14),
    peer.padStart(26),
  ];
  cells.push(ratio.padStart(9), bound.padStart(7), verdict(result).padEnd(6), notes(result));
  return cells.join('  ').trimEnd();
}

async function runRow(row, settings) {
  try {
    return await row.run(settings);
  } catch (error) {
    return [{ what: row.title, failed: error.message }];
  }
}

function machine() {
  const cpus = os.cpus();
  return { cpu: cpus[0]?.model, cpus: cpus.length, kernel: os.release(), node: process.version };
}

const options = readOptions();
for (const file of [relayPath, loadPath, childPath, clientPath, natsPath, pumpPath])
  if (!existsSync(file)) usage(`${path.relative(root, file)} is missing: run make bench`);
if (options.before !== undefined && !existsSync(path.join(options.before, 'agent-relay')))
  usage(`there is no agent-relay in ${options.before}`);
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    stopAll();
    process.exit(130);
  });
process.on('exit', stopAll);

const chosen = chosenRows(options.rows);
if (options.realtime) useRealtime();
const settings = {
  ...(options.quick ? { quick: true, runMs: 250, warmupMs: 100 } : { quick: false, runMs: 800, warmupMs: 200 }),
  repetitions: roundsOf(options),
  before: options.before,
};
const realtime = options.realtime === true;
const report = { at: new Date().toISOString(), machine: machine(), settings, realtime, rows: [] };
console.log(
  `${''.padEnd(36)}  ${'relay'.padStart(14)}  ${'peer'.padStart(26)}  ${'ratio'.padStart(9)}   budget`,
);
for (const row of chosen) {
  if (row.key.startsWith('grow-')) console.log(row.title);
  const results = await runRow(row, settings);
  for (const result of results) console.log(line(result));
  report.rows.push({ key: row.key, title: row.title, results });
}

const results = report.rows.flatMap((row) => row.results);
const count = (test) => results.filter(test).length;
report.summary = {
  met: count((result) => result.pass === true),
  missed: count((result) => result.pass === false || result.failed !== undefined),
  skipped: count((result) => result.skipped !== undefined),
};
const file = path.resolve(options.json ?? path.join(root, 'build/bench.json'));
mkdirSync(path.dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
console.log(
  `${report.summary.met} met, ${report.summary.missed} missed, ${report.summary.skipped} skipped; ${file}`,
);
process.exitCode = report.summary.missed === 0 && results.length > report.summary.skipped ? 0 : 1;
