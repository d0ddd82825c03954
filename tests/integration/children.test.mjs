// Children that fail: at their start, under load, again and again; and how they come back.
import fs from 'node:fs';
import { assert, assertRelayError, atMost, fake, readJournal, scaled, test, until } from './lib/harness.mjs';

const serverState = async (client, name) => {
  const { result } = await client.request('relay/servers');
  return result.servers.find((server) => server.name === name);
};

/** Short enough to be watched, long enough to be distinguished. */
const QUICK = { backoffMinMs: 10, backoffMaxMs: 50, stopGraceMs: scaled(300) };

test('case 04: 256 KiB of stderr before the first reply', async (t) => {
  const relay = await t.relay({
    servers: { fake: fake({ boot: [{ flood: 256 * 1024 }], beforeReply: [{ flood: 256 * 1024 }] }) },
  });
  const client = await t.ready(relay);
  assert.ok((await client.script([{ flood: 512 * 1024 }])).result);
});

test('case 06: a client gone without a FIN; its result comes; the relay lives, the slot is free', async (t) => {
  const relay = await t.relay({ relay: { servers: { fake: { maxInFlight: 2 } } } });
  const other = await t.ready(relay);
  for (let round = 0; round < 5; round++) {
    const gone = await t.ready(relay);
    await gone.sendScript(1, [{ hold: 'gone' }, { progress: { progress: 1 } }], { token: 1 });
    await other.script([{ wait: { method: 'tools/call', count: 5 * round + 2 } }]);
    gone.stream.resetAndDestroy();
    // The call is cancelled at the child, whose answer comes all the same and goes nowhere.
    await other.script([{ wait: { method: 'notifications/cancelled', count: round + 1 } }]);
    await other.script([{ release: 'gone' }]);
    await other.flush();
  }
  assert.deepEqual(other.left, []);
  const { result } = await other.request('relay/inflight');
  assert.deepEqual(result.calls, []);
});

// ---- case 10

test('case 10: a child that never speaks: an error when its start time is over', async (t) => {
  const startTimeoutMs = scaled(1000);
  const relay = await t.relay({
    servers: { mute: { command: 'sh', args: ['-c', 'echo waiting for a licence server >&2; exec sleep 86400'] } },
    relay: { ...QUICK, servers: { mute: { startTimeoutMs } } },
  });
  const client = await t.client(relay);
  const began = performance.now();
  const answer = await client.initialize();
  const took = performance.now() - began;
  const data = assertRelayError(answer, 'SERVER_UNAVAILABLE', { server: 'mute' });
  assert.ok(took >= startTimeoutMs - 50, `not before its time: ${took} ms`);
  assert.match(data.stderrTail, /licence server/, 'its stderr is in the error');
});

for (const when of ['boot', 'beforeReply']) {
  test(`case 10: a child that exits during its start (${when}): exit code and stderr within a second`, async (t) => {
    const steps = [{ err: 'no such database: \u2018agents\u2019' }, { out64: '' }, { exit: 3 }];
    const relay = await t.relay({
      servers: { broken: fake({ [when]: steps }) },
      relay: { backoffMinMs: 5000 },
    });
    const client = await t.client(relay);
    client.sendText('{"jsonrpc":"2.0","id":"early","method":"tools/list"}');
    const answer = await client.initialize();
    for (const message of [answer, await client.reply('early')]) {
      const data = assertRelayError(message, 'SERVER_UNAVAILABLE', { server: 'broken', sent: false });
      assert.equal(data.exitStatus, 3, JSON.stringify(data));
      assert.match(data.stderrTail, /no such database: ‘agents’/);
      assert.equal(typeof data.retryAfterMs, 'number');
    }
  });
}

test('case 10: the error of a failed start comes within a second', async (t) => {
  // A program that fails as fast as any: what is measured is the relay, not Node's start.
  const relay = await t.relay({
    servers: { broken: { command: 'sh', args: ['-c', 'echo "bad flag --no-such" >&2; exit 64'] } },
    relay: { backoffMinMs: scaled(60_000), backoffMaxMs: scaled(60_000) },
  });
  const client = await t.client(relay);
  const began = performance.now();
  const data = assertRelayError(await client.initialize(), 'SERVER_UNAVAILABLE');
  const took = performance.now() - began;
  assert.ok(took < atMost(1000), `${took} ms`);
  assert.match(data.stderrTail, /bad flag --no-such/);
});

test('case 10: a command that does not exist', async (t) => {
  const relay = await t.relay({
    servers: { none: { command: 'no-such-command-anywhere' } },
    relay: { backoffMinMs: 5000 },
  });
  const client = await t.client(relay);
  const answer = await client.initialize();
  assertRelayError(answer, 'SERVER_UNAVAILABLE', { server: 'none' });
  assert.match(JSON.stringify(answer.error), /no-such-command-anywhere/);
});

test('case 10: stderr that is not UTF-8, and more than the tail holds', async (t) => {
  const relay = await t.relay({
    servers: { broken: fake({ boot: [{ flood: 100_000 }, { err: 'last words é' }, { exit: 1 }] }) },
    relay: { backoffMinMs: 5000 },
  });
  const client = await t.client(relay);
  const data = assertRelayError(await client.initialize(), 'SERVER_UNAVAILABLE');
  assert.match(data.stderrTail, /last words é\s*$/);
  assert.ok(Buffer.byteLength(data.stderrTail) <= 2048 + 8, `${Buffer.byteLength(data.stderrTail)} bytes`);
});

// ---- case 11

test('case 11: the child dies with 50 requests of 10 clients: 50 errors at once, then service', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({ servers: { fake: fake({ journal }) }, relay: QUICK });
  const clients = await Promise.all(Array.from({ length: 10 }, () => t.ready(relay)));
  for (const client of clients) {
    for (let id = 1; id <= 5; id++) client.sendScript(id, [{ hold: 'all' }]);
  }
  const killer = await t.ready(relay);
  const [pid] = await killer.scriptValues([{ wait: { method: 'tools/call', count: 51 } }, { pid: 1 }]);
  const began = performance.now();
  process.kill(pid, 'SIGKILL');
  let last = 0;
  for (const client of clients) {
    for (let id = 1; id <= 5; id++) {
      const { msg, at } = await client.take(({ msg: m }) => m.id === id, `the error of ${id}`);
      assertRelayError(msg, 'SERVER_UNAVAILABLE', { server: 'fake', sent: true, retryable: false });
      last = Math.max(last, at);
    }
  }
  t.figure(`50 errors ${(last - began).toFixed(1)} ms after the child's death`);
  assert.ok(last - began < atMost(1000));
  // No client does anything but ask again: no new connection, no new initialize.
  const pids = await Promise.all(clients.map(async (client) => (await client.scriptValues([{ pid: 1 }]))[0]));
  assert.equal(new Set(pids).size, 1);
  assert.notEqual(pids[0], pid);
  for (const client of clients)
    assert.deepEqual(
      client.left.filter(({ id }) => id !== undefined),
      [],
    );
  const second = readJournal(journal).filter((line) => line.pid === pids[0]);
  assert.deepEqual(
    second
      .filter(({ event }) => event === 'line')
      .slice(0, 2)
      .map(({ method }) => method),
    ['initialize', 'notifications/initialized'],
  );
});

test('case 11: answers that the child wrote before it died still arrive', async (t) => {
  const relay = await t.relay({ relay: QUICK });
  const client = await t.ready(relay);
  client.sendScript(1, [{ hold: 'x' }]);
  client.sendScript(2, [{ reply: { last: 'words' } }, { exit: 7 }]);
  assert.deepEqual((await client.reply(2)).result, { last: 'words' });
  const data = assertRelayError(await client.reply(1), 'SERVER_UNAVAILABLE', { sent: true });
  assert.equal(data.exitStatus, 7, JSON.stringify(data));
});

test('case 11: a child that closes stdout, or is stopped by a grandchild holding the pipe, does not hang', async (t) => {
  // The grandchild inherits stdout and lives on: the relay must not wait for the end of that pipe.
  const relay = await t.relay({
    servers: {
      sh: { command: 'sh', args: ['-c', 'sleep 86400 & exec "$0" "$@"', fake().command, ...fake().args] },
    },
    relay: QUICK,
  });
  const client = await t.ready(relay);
  client.sendScript(1, [{ exit: 0 }]);
  assertRelayError(await client.reply(1), 'SERVER_UNAVAILABLE');
  await client.flush();
});

test('a restarted shared child gets what its clients had set up', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({
    servers: { fake: fake({ journal }) },
    relay: { ...QUICK, servers: { fake: { logMessages: 'broadcast' } } },
  });
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  await a.request('resources/subscribe', { uri: 'x://a' });
  await b.request('resources/subscribe', { uri: 'x://b' });
  await b.request('resources/subscribe', { uri: 'x://gone' });
  await b.request('resources/unsubscribe', { uri: 'x://gone' });
  await a.request('logging/setLevel', { level: 'info' });
  const [pid] = await a.scriptValues([{ pid: 1 }]);
  process.kill(pid, 'SIGKILL');
  // The capabilities advertise listChanged for tools: clients that cached the list are notified.
  for (const client of [a, b]) await client.notification('notifications/tools/list_changed');
  await a.flush();
  const lines = readJournal(journal).filter((line) => line.pid !== pid && line.event === 'line');
  assert.deepEqual(
    lines.slice(0, 2).map(({ method }) => method),
    ['initialize', 'notifications/initialized'],
  );
  const subscribed = lines.filter(({ method }) => method === 'resources/subscribe');
  assert.deepEqual(subscribed.map(({ text }) => JSON.parse(text).params.uri).sort(), ['x://a', 'x://b']);
  const levels = lines.filter(({ method }) => method === 'logging/setLevel');
  assert.deepEqual(
    levels.map(({ text }) => JSON.parse(text).params.level),
    ['info'],
  );
  const call = lines.findIndex(({ method }) => method === 'tools/call');
  const setUp = lines.findLastIndex(({ method }) =>
    ['resources/subscribe', 'logging/setLevel'].includes(method),
  );
  assert.ok(setUp < call, 'all of that before the first request');
});

test('a restarted child that is another one: its clients are closed so that they start afresh', async (t) => {
  const journal = t.file('journal');
  const marker = t.file('upgraded');
  const script = 'if [ -e "$1" ]; then exec "$2" "$3" "$5"; else exec "$2" "$3" "$4"; fi';
  const { command, args } = fake();
  const before = JSON.stringify({ journal, capabilities: { tools: {} } });
  const after = JSON.stringify({ journal, capabilities: { tools: {}, prompts: {} } });
  const relay = await t.relay({
    servers: { fake: { command: 'sh', args: ['-c', script, 'sh', marker, command, args[0], before, after] } },
    relay: QUICK,
  });
  const client = await t.ready(relay);
  const [pid] = await client.scriptValues([{ pid: 1 }]);
  fs.writeFileSync(marker, '');
  process.kill(pid, 'SIGKILL');
  client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' }); // somebody wants it
  await client.closed;
  const next = await t.client(relay);
  assert.deepEqual((await next.initialize()).result.capabilities, { tools: {}, prompts: {} });
});

test('a session child that dies: its requests are answered, then the connection is closed', async (t) => {
  const relay = await t.relay({ relay: { ...QUICK, servers: { fake: { sharing: 'session' } } } });
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  a.sendScript(1, [{ hold: 'x' }]);
  const [pid] = await a.scriptValues([{ pid: 1 }]);
  process.kill(pid, 'SIGKILL');
  assertRelayError(await a.reply(1), 'SERVER_UNAVAILABLE', { sent: true });
  await a.closed;
  await b.flush();
});

// ---- case 12

test('case 12: five fast exits open the breaker; others go on; a probe closes it', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({
    servers: { bad: fake({ journal, crashes: 5 }), good: fake() },
    relay: {
      ...QUICK,
      listen: ['127.0.0.1:0=bad', '127.0.0.1:0=good'],
      breakerProbeMs: scaled(1500),
      servers: { bad: { start: 'eager' } },
    },
  });
  const [bad, good] = [await t.client(relay.addresses[0]), await t.ready(relay.addresses[1])];
  const [goodPid] = await good.scriptValues([{ pid: 1 }]);
  good.sendScript('through', [{ hold: 'it all' }]);
  await until(async () => {
    const { state } = await serverState(good, 'bad');
    if (state === 'crash-loop') return true;
    await bad.initialize(); // somebody keeps asking
    return false;
  }, 'the breaker is open');
  const starts = () => readJournal(journal).filter(({ event }) => event === 'start').length;
  assert.equal(starts(), 5);
  const began = performance.now();
  const data = assertRelayError(await bad.initialize(), 'SERVER_UNAVAILABLE', {
    state: 'crash-loop',
    sent: false,
  });
  t.figure(`crash-loop answered in ${(performance.now() - began).toFixed(1)} ms`);
  assert.ok(data.retryAfterMs > 0);
  assert.equal((await good.scriptValues([{ pid: 1 }]))[0], goodPid, 'the other child is untouched');
  // The probe: nobody acts but the relay.
  await until(async () => (await serverState(good, 'bad')).state === 'ready', 'the probe brought it back');
  assert.equal(starts(), 6);
  assert.ok((await bad.initialize()).result);
  await good.script([{ release: 'it all' }]);
  assert.ok((await good.reply('through')).result);
});
