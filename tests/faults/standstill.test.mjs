// Time in which nobody ran: the relay, its child, the keeper, the client, alone and all at once, stopped and continued in
// every state that has a deadline. What had arrived is never judged late. How long a standstill lasts is the input of these
// tests: the one thing that is waited for by the clock.
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import {
  assert,
  assertRelayError,
  atMost,
  fake,
  processInfo,
  readJournal,
  scaled,
  test,
  until,
} from '../integration/lib/harness.mjs';
import { LineClient } from '../integration/lib/line_client.mjs';

const LONG = process.env.TEST_LONG === '1';
/** Of everything in these relays, unless a test says otherwise. */
const DEADLINE = scaled(1500);
const STANDSTILL = 2 * DEADLINE;
/** How long a child works: well within the deadline, and over before a standstill is. */
const WORK = 400;

const passed = (ms) => {
  const end = performance.now() + ms;
  return until(() => performance.now() >= end, 'the clock', ms + 60_000);
};

/** Stops processes; the test goes on when each stands. Gives what continues them, in the order given or another one. */
async function stop(t, ...pids) {
  const resume = (order = pids) => {
    for (const pid of order) {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // it has ended meanwhile
      }
    }
  };
  t.atEnd(() => resume());
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await until(() => pids.every((pid) => processInfo(pid)?.state === 'T'), 'all of them stand still');
  return resume;
}

/** `meanwhile` runs at the beginning of the standstill. */
async function standStill(t, pids, { ms = STANDSTILL, meanwhile, order = pids } = {}) {
  const resume = await stop(t, ...pids);
  await meanwhile?.();
  await passed(ms);
  resume(order);
}

async function status(client) {
  return (await client.request('relay/status', {})).result;
}

/** A client in a process of its own, so that it can be stopped. */
async function clientProcess(t, { host, port }) {
  const script = `const s = require("net").connect(${port}, "${host}"); process.stdin.pipe(s); s.pipe(process.stdout);`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.atEnd(() => child.kill('SIGKILL'));
  const client = new LineClient(
    Duplex.from({ writable: child.stdin, readable: child.stdout }),
    'client process',
  );
  assert.ok((await client.initialize()).result);
  return { client, pid: child.pid };
}

/** A relay with short deadlines, and the journal of its child. */
async function shortRelay(t, { options = {}, ...relay } = {}) {
  const journal = t.file('journal');
  const started = await t.relay({
    servers: { fake: fake({ journal, ...options }) },
    relay: {
      timeoutMs: DEADLINE,
      startTimeoutMs: DEADLINE,
      clientStallMs: DEADLINE,
      frameTimeoutMs: DEADLINE,
      ...relay,
    },
  });
  const seen = (event, match = '') =>
    until(
      () => readJournal(journal).find((line) => line.event === event && (line.text ?? '').includes(match)),
      `${event} in the journal`,
    );
  return { relay: started, seen };
}

const answersAfter = (ms) => [{ pauseMs: ms }, { reply: { late: false } }];

// ---- the relay

test('the relay stands still while a child answers: the answer arrives', async (t) => {
  const { relay, seen } = await shortRelay(t);
  const client = await t.ready(relay);
  await client.flush();
  client.sendScript('in-flight', answersAfter(WORK));
  await seen('line', '"pauseMs"');
  await standStill(t, [relay.pid]);
  assert.deepEqual((await client.reply('in-flight')).result, { late: false });
  const { loop, uptimeMs, requests } = await status(client);
  assert.ok(loop.standstills >= 1 && loop.standstillMs >= STANDSTILL - 200, JSON.stringify(loop));
  assert.ok(uptimeMs >= STANDSTILL, `people read the true time: ${uptimeMs}`);
  assert.equal(requests.answers, 2);
  await relay.event(/^the relay did not run/);
});

test('the relay stands still while a child starts: it is ready', async (t) => {
  const { relay, seen } = await shortRelay(t, { options: { beforeReply: [{ pauseMs: WORK }] } });
  const client = await t.client(relay);
  const initialized = client.initialize();
  await seen('line', '"initialize"');
  await standStill(t, [relay.pid]);
  assert.ok((await initialized).result);
});

test('the relay stands still while the end of a line arrives: it is answered', async (t) => {
  const { relay } = await shortRelay(t);
  const client = await t.ready(relay);
  const other = await t.ready(relay);
  const line = `${JSON.stringify({ jsonrpc: '2.0', id: 'cut', method: 'ping' })}\n`;
  await client.sendBytes(line.slice(0, 20));
  await other.pingRelay(); // the first half has been read
  await standStill(t, [relay.pid], { meanwhile: () => client.sendBytes(line.slice(20)) });
  assert.deepEqual((await client.reply('cut')).result, {});
});

test('the relay stands still while a client reads all it was given: the rest follows', async (t) => {
  const { relay } = await shortRelay(t);
  const client = await t.ready(relay);
  const watcher = await t.ready(relay);
  const bytes = 8_000_000;
  client.stream.pause();
  client.sendScript('large', [{ big: bytes }]);
  const queued = async () => {
    const { clients } = (await watcher.request('relay/clients', {})).result;
    return clients.some(({ queuedBytes }) => queuedBytes > 0);
  };
  await until(queued, 'a queue before the client');
  await standStill(t, [relay.pid], { meanwhile: () => client.stream.resume() });
  assert.equal((await client.reply('large')).result.pad.length, bytes);
});

test('the relay stands still while a client answers its server: the call goes on', async (t) => {
  const { relay } = await shortRelay(t, { sharing: 'perSession', timeoutMaxMs: 2 * DEADLINE });
  const client = await t.ready(relay, { capabilities: { sampling: {} } });
  client.sendScript('asks', [{ request: { method: 'sampling/createMessage', params: {} } }]);
  const { msg } = await client.take((item) => item.msg.method === 'sampling/createMessage', 'the question');
  await standStill(t, [relay.pid], {
    ms: 2 * STANDSTILL,
    meanwhile: () => client.send({ jsonrpc: '2.0', id: msg.id, result: { model: 'm' } }),
  });
  assert.deepEqual((await client.reply('asks')).result.values[0].result, { model: 'm' });
});

test('the relay stands still beyond the idle time: a request that waits finds its child', async (t) => {
  const { relay } = await shortRelay(t, { idleTimeoutMs: DEADLINE });
  const client = await t.ready(relay);
  const [pid] = await client.scriptValues([{ pid: {} }]);
  let asked;
  await standStill(t, [relay.pid], {
    meanwhile: () => {
      asked = client.scriptValues([{ pid: {} }]);
    },
  });
  assert.deepEqual(await asked, [pid]);
});

test('the relay stands still while it drains: what is in flight is answered', async (t) => {
  const { relay, seen } = await shortRelay(t, { drainMs: DEADLINE });
  const client = await t.ready(relay);
  client.sendScript('last', answersAfter(WORK));
  await seen('line', '"pauseMs"');
  relay.signal('SIGTERM');
  await relay.event('draining');
  await standStill(t, [relay.pid]);
  assert.deepEqual((await client.reply('last')).result, { late: false });
  assert.ok(!relay.log.some(({ event }) => /in flight: stopping anyway/.test(event)));
});

test('the relay stands still while a child ends: it is not killed', async (t) => {
  const { relay, seen } = await shortRelay(t, { options: { stayAtEof: true }, stopGraceMs: DEADLINE });
  const client = await t.ready(relay);
  await client.flush();
  relay.signal('SIGTERM');
  await relay.event(/SIGTERM$/);
  await seen('signal');
  await standStill(t, [relay.pid]);
  await relay.event('stopped');
  assert.ok(!relay.log.some(({ event }) => /SIGKILL/.test(event)));
});

test('the relay stands still during a back-off: it has not become shorter', async (t) => {
  const { relay } = await shortRelay(t, { backoffMinMs: 4 * DEADLINE, backoffMaxMs: 4 * DEADLINE });
  const client = await t.ready(relay);
  client.sendScript('ends', [{ exit: 3 }]);
  assertRelayError(await client.reply('ends'), 'SERVER_UNAVAILABLE');
  const left = async () => (await status(client)).servers[0].retryInMs;
  const before = await left();
  await standStill(t, [relay.pid]);
  const after = await left();
  assert.ok(after > before - STANDSTILL + DEADLINE / 2, `${before} ms, then ${after} ms`);
});

test('the relay stands still again and again', async (t) => {
  const { relay, seen } = await shortRelay(t, { timeoutMs: 2 * DEADLINE });
  const client = await t.ready(relay);
  await client.flush();
  client.sendScript('in-flight', answersAfter(3 * DEADLINE));
  await seen('line', '"pauseMs"');
  const answered = client.reply('in-flight');
  let done = false;
  answered.finally(() => (done = true));
  while (!done) {
    await standStill(t, [relay.pid], { ms: 300 });
    await passed(20);
  }
  assert.deepEqual((await answered).result, { late: false });
});

// ---- the others

test('a child stands still: its calls time out while the relay runs, and it serves again', async (t) => {
  const { relay, seen } = await shortRelay(t);
  const client = await t.ready(relay);
  const [pid] = await client.scriptValues([{ pid: {} }]);
  const resume = await stop(t, pid);
  assertRelayError(await client.request('tools/list'), 'TIMEOUT', { sent: true });
  client.sendScript('short', [{ reply: { late: false } }]);
  resume();
  await seen('line', 'late');
  assert.deepEqual((await client.reply('short')).result, { late: false });
  assert.equal((await status(client)).servers[0].generation, 1);
});

test('a client stands still: what it is sent waits for it', async (t) => {
  const { relay } = await shortRelay(t, { clientStallMs: 4 * DEADLINE });
  const { client, pid } = await clientProcess(t, relay.address);
  const bytes = 7_000_000;
  const asked = client.script([{ big: bytes }]);
  await standStill(t, [pid], { ms: DEADLINE });
  assert.equal((await asked).result.pad.length, bytes);
});

test('a keeper stands still: its child is served and ended as ever', async (t) => {
  const { relay } = await shortRelay(t, { stopGraceMs: DEADLINE });
  const client = await t.ready(relay);
  await client.flush();
  const [keeper] = relay.keepers();
  await stop(t, keeper.pid);
  await client.flush();
  const begun = performance.now();
  assert.equal((await relay.stop()).code, 0);
  assert.ok(performance.now() - begun < atMost(4 * DEADLINE));
  await relay.noDescendants();
});

test('a keeper that stands still when the relay is killed leaves nothing behind', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({
    servers: { fake: fake({ journal, stayAtEof: true, ignoreTerm: true }) },
    exit: { code: null, signal: 'SIGKILL' },
  });
  const client = await t.ready(relay);
  await client.flush();
  const [keeper] = relay.keepers();
  await stop(t, keeper.pid);
  relay.signal('SIGKILL');
  await relay.exited;
  await relay.noDescendants();
});

// ---- everybody

for (const first of ['relay', 'child', 'client', 'keeper']) {
  test(`everybody stands still, and the ${first} goes on first: nobody has lost anything`, async (t) => {
    const { relay, seen } = await shortRelay(t);
    const { client, pid } = await clientProcess(t, relay.address);
    const [child] = await client.scriptValues([{ pid: {} }]);
    const all = { relay: relay.pid, child, client: pid, keeper: relay.keepers()[0].pid };
    const order = [all[first], ...Object.values(all).filter((one) => one !== all[first])];
    client.sendScript('in-flight', answersAfter(WORK));
    await seen('line', '"pauseMs"');
    const resume = await stop(t, ...Object.values(all));
    const unread = client.request('tools/list');
    await passed(STANDSTILL);
    for (const one of order) {
      resume([one]);
      await until(() => processInfo(one).state !== 'T', 'it goes on');
    }
    assert.deepEqual((await client.reply('in-flight')).result, { late: false });
    assert.ok((await unread).result);
    assert.equal((await status(client)).servers[0].generation, 1);
  });
}

test('a pause of 65 s with the default deadlines', { skip: !LONG && 'TEST_LONG=1' }, async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({
    servers: {
      fake: fake({ journal }),
      slow: fake({ journal, beforeReply: [{ pauseMs: WORK }] }),
    },
    relay: { listen: ['127.0.0.1:0', '127.0.0.1:0=slow'], defaultServer: 'fake' },
  });
  const seen = (match) =>
    until(() => readJournal(journal).some(({ text }) => text?.includes(match)), `${match} in the journal`);
  const reader = await t.ready(relay);
  const writer = await t.ready(relay);
  const caller = await t.ready(relay);
  reader.stream.pause();
  reader.sendScript('large', [{ big: 8_000_000 }]);
  caller.sendScript('in-flight', answersAfter(WORK));
  await writer.sendBytes('{"jsonrpc":"2.0","id":1,');
  const starter = await t.client(relay.addresses[1]);
  const initialized = starter.initialize({ deadlineMs: 200_000 });
  await seen('"pauseMs"');
  await until(() => readJournal(journal).filter(({ event }) => event === 'start').length === 2, 'both start');
  await standStill(t, [relay.pid], {
    ms: 65_000,
    meanwhile: async () => {
      reader.stream.resume();
      await writer.sendBytes('"method":"ping"}\n');
    },
  });
  assert.deepEqual((await caller.reply('in-flight')).result, { late: false });
  assert.deepEqual((await writer.reply(1)).result, {});
  assert.equal((await reader.reply('large')).result.pad.length, 8_000_000);
  assert.ok((await initialized).result);
});
