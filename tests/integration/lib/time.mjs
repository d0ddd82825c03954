// Deadlines. Tests wait for events; a deadline only says when to give up. TEST_TIME_SCALE stretches all of them, for
// sanitized builds and slow machines.
export const scale = Number(process.env.TEST_TIME_SCALE ?? 1);

export const scaled = (ms) => Math.round(ms * scale);

/** Below the minute after which the relay itself gives up a request. */
export const DEADLINE_MS = scaled(40_000);

/**
 * What bounds something that takes `ms` at most on an idle machine. A busy one must not fail a test, and what the bound is
 * there for, a wait for some time-out, takes longer still: the test gives the relay times far above it.
 */
export const atMost = (ms) => scaled(10 * ms);

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
