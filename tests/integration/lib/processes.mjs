// Which processes belong to a relay, whoever their parent is by now. Each test's relay gets a TMPDIR of its own, which is
// among the variables that children inherit: so it marks every descendant, double-forked and setsid ones included.
import fs from 'node:fs';

function read(file) {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return ''; // gone meanwhile, or not ours to read
  }
}

/** pid, ppid, state, command of one process, or null when there is none. */
export function processInfo(pid) {
  const stat = read(`/proc/${pid}/stat`);
  const close = stat.lastIndexOf(')');
  if (close < 0) return null;
  const fields = stat.slice(close + 2).split(' ');
  return {
    pid,
    name: stat.slice(stat.indexOf('(') + 1, close),
    state: fields[0],
    ppid: Number(fields[1]),
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
  };
}

const pids = () =>
  fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** Whether it is over: no process of that number, or one that only waits to be reaped. */
export function hasEnded(pid) {
  const info = processInfo(pid); // once: it may end between two looks
  return !info || info.state === 'Z';
}

/** Living processes whose environment has TMPDIR=dir. Zombies have no environment, and do not count. */
export function processesWithTmpdir(dir) {
  const mark = `TMPDIR=${dir}`;
  return pids()
    .filter((pid) => read(`/proc/${pid}/environ`).split('\0').includes(mark))
    .map(processInfo)
    .filter((info) => info && info.state !== 'Z');
}

export function childrenOf(pid) {
  return pids()
    .map(processInfo)
    .filter((info) => info && info.ppid === pid);
}

/** Resident bytes. */
export function residentBytes(pid) {
  return Number(read(`/proc/${pid}/statm`).split(' ')[1]) * 4096;
}

/** The most that was ever resident. */
export function peakBytes(pid) {
  return Number(read(`/proc/${pid}/status`).match(/VmHWM:\s*(\d+) kB/)[1]) * 1024;
}

export function descriptorCount(pid) {
  return fs.readdirSync(`/proc/${pid}/fd`).length;
}
