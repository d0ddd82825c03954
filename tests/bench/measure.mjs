// Running the load generator, reading a process's memory and processor time, and medians.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { loadPath, withPolicy } from './targets.mjs';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Resident memory of one process, in bytes. */
export function residentBytes(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

function addressesOf(target) {
  return target.ports.map((port) => `127.0.0.1:${port}`).join(',');
}

function flags(options) {
  return Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
}

/** Runs a program to its end and reads the line of JSON it prints. */
export function runJson(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(...withPolicy(program, args), { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (out.trim() === '') reject(new Error(`${program} ${args.join(' ')} exited ${code}: ${err.trim()}`));
      else resolve(JSON.parse(out));
    });
  });
}

/** One run of the load. watchedUs is the processor time of the target's main thread per answer. Throws when an answer was
 * an error, wrong or lost: a fast relay that mixes answers up has no speed. */
export async function load(target, options) {
  const all = { ...(target.http ? { http: target.http } : {}), watch: target.pid, ...options };
  const result = await runJson(loadPath, ['run', '--connect', addressesOf(target), ...flags(all)]);
  if (result.errors + result.wrong + result.lost > 0 || result.answers === 0) {
    const { answers, errors, wrong, lost, firstError } = result;
    throw new Error(`${target.name}: ${JSON.stringify({ answers, errors, wrong, lost, firstError })}`);
  }
  return result;
}

export const death = (target) => runJson(loadPath, ['death', '--connect', addressesOf(target)]);
export const start = (command) => runJson(loadPath, ['start', '--', ...command]);

/** Opens connections that greet and then sit, until release() is called. */
export function holdIdle(target, count) {
  const child = spawn(loadPath, ['idle', '--connect', addressesOf(target), '--idle', String(count)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  return new Promise((resolve, reject) => {
    let err = '';
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('error', reject);
    child.stdout.once('data', () => {
      resolve({
        release: () => {
          child.stdin.end();
          return ended;
        },
      });
    });
    ended.then((code) => reject(new Error(`bench_load idle exited ${code}: ${err.trim()}`)));
  });
}

/** The most descriptors a process may have here. */
export function descriptorLimit() {
  const text = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).stdout.trim();
  return text === 'unlimited' ? Infinity : Number(text);
}
