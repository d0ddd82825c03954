import os from 'node:os';

// Deadlines. Tests wait for events; a deadline only says when to give up. TEST_TIME_SCALE stretches all of them, for
// sanitized builds and slow machines.
export const scale = Number(process.env.TEST_TIME_SCALE ?? 1);

export const scaled = (ms) => Math.round(ms * scale);

/** Below the minute after which the relay itself gives up a request. */
export const DEADLINE_MS = scaled(40_000);

/**
 * The bound of something that takes `ms` at most on an idle machine, by the clock on the wall. Beside other work it takes
 * longer by as many times as there are runnable tasks per core, and the kernel's average follows late: four times that.
 */
export const atMost = (ms) => scaled(ms * (1 + (4 * os.loadavg()[0]) / os.cpus().length));

/** Rejects with `what` unless `promise` settles in time. */
export function within(promise, what, deadlineMs = DEADLINE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms: ${what}`)), deadlineMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Looks every few milliseconds until `look` returns something truthy, and returns that. For conditions that nobody
 * announces: a process that is gone, a file that has grown, a figure in /proc.
 */
export async function until(look, what, deadlineMs = DEADLINE_MS) {
  const end = performance.now() + deadlineMs;
  let last;
  for (;;) {
    last = await look();
    if (last) return last;
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
