// How soon clients with the library's defaults are live again after an outage. The short form has a few outages of a second;
// RETURN_LONG=1 (make test-return) has twenty of each kind, of 5 s, 30 s and 120 s, by a relay that is killed and started
// again and by one that is stopped, and five of 2 s in a row. Each try has a relay and a client of its own; those of a kind run
// at the same time.
import path from 'node:path';
import { spawn } from 'node:child_process';
import { assert, atMost, binDir, root, scaled, test, until, within } from '../integration/lib/harness.mjs';
import { addressOf, killed } from '../integration/lib/backend.mjs';

const LONG = process.env.RETURN_LONG === '1';
const CLIENTS = Number(process.env.RETURN_CLIENTS ?? (LONG ? 1000 : 200));
const testBin = path.resolve(root, process.env.AGENT_RELAY_TESTS ?? 'build/tests');
/** Live again after at most, and in the mean. */
const MOST_MS = 2000;
const MEAN_MS = 1000;
/** From when an outage that lasts so long is noticed by a relay's silence alone: dead_after_ms. */
const SILENCE_MS = 10_000;

const servers = { agents: { command: path.join(binDir, 'agent-mock') } };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const numbersOf = (list) => `${Math.round(list.reduce((a, b) => a + b, 0) / list.length)} ms in the mean, ${Math.max(...list)} at most`;

/** The program's clients: the state of each, and when the last change of each state was (Unix ms). */
class Clients {
  #text = '';

  constructor(t, url, count) {
    this.states = new Array(count).fill('connecting');
    this.at = {};
    this.process = spawn(path.join(testBin, 'client_return'), ['--url', url, '--clients', String(count)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.stdout.on('data', (chunk) => this.#feed(chunk.toString()));
    t.atEnd(() => this.close());
  }

  #feed(text) {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop();
    for (const line of lines) {
      const [at, number, state] = line.split(' ');
      this.states[Number(number)] = state;
      this.at[state] = Number(at);
    }
  }

  all(state) {
    return this.states.every((each) => each === state);
  }

  none(state) {
    return !this.states.includes(state);
  }

  async close() {
    this.process.stdin.end();
    assert.equal(await within(this.exited, 'the clients end'), 0);
  }
}

const start = (t, listen, exit) => t.relay({ servers, relay: { listen: [listen] }, ...(exit && { exit }) });

/** Unix ms of when it listened, by its own log: the test may look later. */
const listenedAt = (relay) => Date.parse(relay.log.find(({ event }) => event === 'listening').ts);

/** The relay is killed and, `ms` later, started again. */
async function restart(t, relay, ms) {
  const address = addressOf(relay);
  relay.expectedEnd = killed;
  relay.signal('SIGKILL');
  await relay.exited;
  await pause(ms);
  const again = await start(t, address);
  return { relay: again, backAt: listenedAt(again) };
}

async function stopAndContinue(_t, relay, ms) {
  relay.signal('SIGSTOP');
  await pause(ms);
  const backAt = Date.now();
  relay.signal('SIGCONT');
  return { relay, backAt };
}

/** One outage: how long it took from the relay's return until it was live; 0 where it was live all the time. */
async function outage(t, pair, how, ms) {
  const liveAt = pair.clients.at.live;
  const { relay, backAt } = await how(t, pair.relay, ms);
  pair.relay = relay;
  await until(() => pair.clients.all('live') && (pair.clients.at.live > liveAt || how === stopAndContinue), 'live again');
  return Math.max(0, pair.clients.at.live - backAt);
}

async function pairOf(t) {
  const relay = await start(t, '127.0.0.1:0');
  const clients = new Clients(t, addressOf(relay), 1);
  await until(() => clients.all('live'), 'live');
  return { relay, clients };
}

function check(t, what, took) {
  t.figure(`return: ${took.length} ${what}: live again after ${numbersOf(took)}`);
  const late = took.filter((ms) => ms > atMost(MOST_MS));
  assert.deepEqual(late, [], what);
  if (took.length >= 20) assert.ok(took.reduce((a, b) => a + b, 0) / took.length <= atMost(MEAN_MS), what);
}

async function tries(t, count, how, ms, what) {
  const pairs = await Promise.all(Array.from({ length: count }, () => pairOf(t)));
  const took = await Promise.all(
    pairs.map(async (pair, i) => {
      await pause((i * 2000) / count); // at different moments of the clients' polls and of each other
      return outage(t, pair, how, ms);
    }),
  );
  check(t, what, took);
}

const kinds = LONG
  ? [5_000, 30_000, 120_000].flatMap((ms) => [
      [20, restart, ms, `outages of ${ms / 1000} s, killed`],
      [20, stopAndContinue, ms, `outages of ${ms / 1000} s, stopped`],
    ])
  : [
      [4, restart, 1_000, 'outages of 1 s, killed'],
      [4, stopAndContinue, SILENCE_MS + 2_000, 'outages of 12 s, stopped'],
    ];

for (const [count, how, ms, what] of kinds) {
  test(`${count} ${what}: live again within two seconds`, { timeoutMs: 600_000 }, (t) => tries(t, count, how, ms, what));
}

test('outages in a row, too short to start over: each is over within two seconds', { timeoutMs: 300_000 }, async (t) => {
  const count = LONG ? 20 : 2;
  const times = LONG ? 5 : 3;
  const ms = LONG ? 2_000 : 500;
  const took = await Promise.all(
    Array.from({ length: count }, async () => {
      const pair = await pairOf(t);
      const each = [];
      for (let i = 0; i < times; i++) each.push(await outage(t, pair, restart, ms));
      return each;
    }),
  );
  check(t, `outages of ${ms / 1000} s, ${times} in a row`, took.flat());
});

test(`${CLIENTS} clients come back to one relay: all are live within five seconds`, { timeoutMs: 300_000 }, async (t) => {
  const relay = await start(t, '127.0.0.1:0');
  const clients = new Clients(t, addressOf(relay), CLIENTS);
  await until(() => clients.all('live'), 'live');
  relay.expectedEnd = killed;
  relay.signal('SIGKILL');
  await relay.exited;
  await until(() => clients.none('live'), 'degraded');
  await pause(3_000); // every client waits with the longest step by then
  const again = await start(t, addressOf(relay));
  const backAt = listenedAt(again);
  const client = await t.client(again);
  let slowest = 0;
  while (!clients.all('live')) {
    const from = performance.now();
    await client.request('relay/ping');
    slowest = Math.max(slowest, performance.now() - from);
  }
  const took = clients.at.live - backAt;
  t.figure(`return: ${CLIENTS} clients: all live ${took} ms after the relay's return; its slowest ping meanwhile ${Math.round(slowest)} ms`);
  assert.ok(took <= atMost(5_000), `${took}`);
});
