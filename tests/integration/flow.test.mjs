// Flow control and fairness: no client can hurt another, and nothing grows without end.
import fs from 'node:fs';
import { spawnSync } from 'node:child_process';
import {
  assert,
  atMost,
  assertRelayError,
  childrenOf,
  descriptorCount,
  fake,
  peakBytes,
  processInfo,
  readJournal,
  residentBytes,
  scaled,
  test,
  until,
} from './lib/harness.mjs';
import { LineClient } from './lib/line_client.mjs';

const MIB = 1024 * 1024;
const percentile = (list, p) =>
  [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * p))];

async function latencies(client, count) {
  const took = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    const answer = await client.request('tools/call', { name: 'echo', arguments: { i } });
    assert.equal(answer.result.content[0].text, `{"i":${i}}`);
    took.push(performance.now() - began);
  }
  return took;
}

const connections = async (client) => (await client.request('relay/status')).result.clients.connections;

const readLimit = (pid, name) =>
  Number(fs.readFileSync(`/proc/${pid}/limits`, 'utf8').match(new RegExp(`${name}\\s+(\\d+)`))[1]);

/** Asks for answers of 256 KiB, a few at a time, until it is stopped or the connection ends. */
async function keepAsking(client, isOver) {
  for (let id = 0; !isOver() && !client.stream.destroyed; id++) {
    client.sendScript(id, [{ big: 256 * 1024 }]).catch(() => {});
    if (!client.stream.isPaused()) await client.reply(id);
    else if (id >= 200) return;
  }
}

test('case 07: a slow reader: others keep their pace, memory stays bounded, it is closed with a reason', async (t) => {
  const relay = await t.relay({
    relay: { clientStallMs: scaled(2000), servers: { fake: { maxInFlight: 8 } } },
  });
  const [reader, slow, quick] = [await t.ready(relay), await t.ready(relay), await t.ready(relay)];
  // The pace beside a client that asks for as much and reads it: the child is the same busy one then.
  let over = false;
  const reading = keepAsking(reader, () => over);
  const before = percentile(await latencies(quick, 500), 0.99);
  over = true;
  await reading;

  const memoryBefore = residentBytes(relay.pid);
  let closed;
  const ending = relay.event('client closed').then((entry) => (closed = entry));
  slow.stream.pause();
  await keepAsking(slow, () => false); // far more than the sockets between can hold
  const took = [];
  while (!closed) took.push(...(await latencies(quick, 20)));
  await ending;
  assert.match(closed.reason, /took no byte/);
  const during = percentile(took, 0.99);
  const grown = peakBytes(relay.pid) - memoryBefore;
  t.figure(
    `beside a slow reader: p99 ${during.toFixed(2)} ms (${took.length} calls), beside a reader that keeps up ` +
      `${before.toFixed(2)} ms; memory +${(grown / MIB).toFixed(1)} MiB`,
  );
  // A reader that held others up would do so for its stall time.
  assert.ok(during < before * 3 + scaled(500), `p99 ${before} -> ${during}`);
  assert.ok(grown < 8 * MIB * (relay.sanitized ? 8 : 1), `${grown} bytes more`);
});

test('case 07: nothing owed is dropped: a client that is owed more than clientOutBytes is closed', async (t) => {
  const limit = 10 * MIB;
  const relay = await t.relay({ relay: { clientOutBytes: limit } });
  const [slow, quick] = [await t.ready(relay), await t.ready(relay)];
  const memoryBefore = residentBytes(relay.pid);
  slow.stream.pause();
  let closed;
  const ending = relay.event('client closed').then((entry) => (closed = entry));
  await keepAsking(slow, () => false); // all of them are at the child before its first answer is
  while (!closed) await latencies(quick, 1);
  await ending;
  assert.match(closed.reason, /answers wait to be read, more come, and they are read too slowly/);
  const grown = peakBytes(relay.pid) - memoryBefore;
  t.figure(`a client owed more than ${limit / MIB} MiB: memory +${(grown / MIB).toFixed(1)} MiB`);
  assert.ok(grown < limit * 2 + 8 * MIB * (relay.sanitized ? 8 : 1), `${grown} bytes more`);
  await quick.flush();
});

test('case 07: a client that takes nothing at all is closed after its stall time', async (t) => {
  const relay = await t.relay({ relay: { clientStallMs: scaled(500) } });
  const slow = await t.ready(relay);
  slow.stream.pause();
  for (let id = 0; id < 40; id++) slow.sendScript(id, [{ big: 512 * 1024 }]).catch(() => {});
  const { reason } = await relay.event('client closed');
  assert.match(reason, /took no byte/);
  const other = await t.ready(relay);
  await other.flush();
});

test('case 16: a thousand reconnects: descriptors, processes, timers and memory flat', async (t) => {
  const relay = await t.relay({});
  const steady = await t.ready(relay);
  const round = async (count) => {
    for (let i = 0; i < count; i += 10) {
      const clients = await Promise.all(Array.from({ length: 10 }, () => LineClient.connect(relay.address)));
      await Promise.all(
        clients.map(async (client, n) => {
          await client.initialize();
          client.sendScript(1, [{ hold: 'left behind' }]);
          await client.request('resources/subscribe', { uri: `x://${n}` });
          if (n % 3 === 0) client.stream.resetAndDestroy();
          else if (n % 3 === 1) client.destroy();
          else await client.close();
          await client.closed;
        }),
      );
      await steady.script([{ release: 'left behind' }]);
    }
    await until(async () => (await connections(steady)) === 1, 'all of them are gone');
  };
  await round(100);
  const figures = () => ({
    descriptors: descriptorCount(relay.pid),
    processes: relay.descendants().length,
    memory: residentBytes(relay.pid),
  });
  const before = figures();
  await round(1000);
  const after = figures();
  t.figure(
    `1000 reconnects: descriptors ${before.descriptors} -> ${after.descriptors}, processes ${before.processes} -> ` +
      `${after.processes}, memory ${(before.memory / MIB).toFixed(2)} -> ${(after.memory / MIB).toFixed(2)} MiB`,
  );
  assert.equal(after.descriptors, before.descriptors);
  assert.equal(after.processes, before.processes);
  assert.ok(
    after.memory - before.memory < (relay.sanitized ? 64 : 2) * MIB,
    `${after.memory - before.memory} bytes more`,
  );
  const idle = processInfo(relay.pid).cpuTicks;
  await steady.script([{ pauseMs: 1000 }]);
  const ticks = processInfo(relay.pid).cpuTicks - idle;
  assert.ok(ticks <= 10, `an idle relay used ${ticks} ticks of CPU in a second`);
});

/** Runs prlimit on a living relay; the hard limit stays, so that it can be undone. */
function setDescriptorLimit(pid, limit) {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
  assert.equal(status, 0, String(stderr));
}

test('case 25: out of descriptors at accept: back off and go on, without a busy loop', async (t) => {
  const relay = await t.relay({});
  const steady = await t.ready(relay);
  await steady.flush();
  const limit = readLimit(relay.pid, 'Max open files');
  // No new descriptor from here on.
  const used = new Set(fs.readdirSync(`/proc/${relay.pid}/fd`).map(Number));
  let free = 0;
  while (used.has(free)) free++;
  setDescriptorLimit(relay.pid, free);
  const crowd = await Promise.all(Array.from({ length: 100 }, () => LineClient.connect(relay.address)));
  await relay.event('cannot accept connections');
  const before = processInfo(relay.pid).cpuTicks;
  await steady.script([{ pauseMs: 2000 }]);
  const ticks = processInfo(relay.pid).cpuTicks - before;
  t.figure(`out of descriptors: ${ticks} ticks of CPU in 2 s`);
  assert.ok(ticks <= 20, `${ticks} of 200 ticks`);
  // A client that could not be served got an error, and did not hang.
  const refusal = (await Promise.race(crowd.map((client) => client.take(({ msg }) => msg.error, 'a refusal'))))
    .msg;
  assertRelayError(refusal, 'OVERLOADED', { retryable: true });
  await Promise.all(crowd.map((client) => client.destroy()));
  setDescriptorLimit(relay.pid, limit);
  const late = await t.ready(relay, {});
  await relay.event('accepting connections again');
  await late.flush();
  await steady.flush();
});

test('case 25: with few descriptors from the start, the clients there is room for are served', async (t) => {
  const relay = await t.relay({ wrap: ['sh', '-c', 'ulimit -n 64; exec "$0" "$@"'] });
  assert.equal(readLimit(relay.pid, 'Max open files'), 64);
  const steady = await t.ready(relay);
  const crowd = await Promise.all(Array.from({ length: 100 }, () => LineClient.connect(relay.address)));
  let [served, refused] = [0, 0];
  for (const client of crowd) {
    client.send({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const { msg } = await client.take(() => true, 'an answer or a refusal');
    if (msg.error) refused += assertRelayError(msg, 'OVERLOADED') ? 1 : 0;
    else served++;
  }
  assert.ok(served >= 10 && refused >= 10, `${served} served, ${refused} refused`);
  await steady.flush();
  await Promise.all(crowd.map((client) => client.destroy()));
  await until(async () => (await connections(steady)) === 1, 'they are gone');
  await (await t.ready(relay)).flush();
});

test('more clients than maxClients: refused with a word, and room again when one goes', async (t) => {
  const relay = await t.relay({ relay: { maxClients: 3 } });
  const clients = [await t.ready(relay), await t.ready(relay), await t.ready(relay)];
  const over = await t.client(relay);
  const { msg } = await over.take(() => true, 'the refusal');
  assertRelayError(msg, 'OVERLOADED');
  assert.equal(msg.id, null);
  await over.closed;
  await clients[0].close();
  await until(async () => {
    const next = await LineClient.connect(relay.address);
    next.send({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const answer = await next.take(() => true, 'any answer');
    await next.destroy();
    return answer.msg.result;
  }, 'there is room again');
  await clients[1].flush();
});

test('case 28: a client with maxInFlight hanging calls does not hold up another', async (t) => {
  const maxInFlight = 8;
  const relay = await t.relay({ relay: { servers: { fake: { maxInFlight } } } });
  const [hog, other] = [await t.ready(relay), await t.ready(relay)];
  for (let id = 0; id < 4 * maxInFlight; id++) hog.sendScript(id, [{ hold: 'hog' }]);
  await hog.pingRelay();
  const began = performance.now();
  await other.flush();
  const took = performance.now() - began;
  t.figure(`echo beside a hog: ${took.toFixed(1)} ms`);
  assert.ok(took < atMost(1000), `${took} ms`);
  const [calls] = await other.scriptValues([{ seen: { method: 'tools/call' } }]);
  const hanging = calls.filter(({ text }) => text.includes('"hog"')).length;
  assert.ok(hanging >= 1 && hanging <= maxInFlight / 2, `half of the slots at most, not ${hanging}`);
  // Everything is served in the end.
  for (let done = 0; done < 4 * maxInFlight;) {
    const [released] = await other.scriptValues([{ release: 'hog' }]);
    done += released;
  }
  for (let id = 0; id < 4 * maxInFlight; id++) assert.ok((await hog.reply(id)).result);
});

test('case 28: cancelled and abandoned calls free their slots', async (t) => {
  const relay = await t.relay({ relay: { servers: { fake: { maxInFlight: 4 } } } });
  const other = await t.ready(relay);
  const canceller = await t.ready(relay);
  for (let id = 0; id < 40; id++) {
    canceller.sendScript(id, [{ hold: 'for ever' }]);
    canceller.notify('notifications/cancelled', { requestId: id });
  }
  await canceller.pingRelay();
  for (let i = 0; i < 10; i++) {
    const leaver = await t.ready(relay);
    for (let id = 0; id < 4; id++) leaver.sendScript(id, [{ hold: 'for ever' }]);
    await leaver.pingRelay();
    await leaver.destroy();
  }
  await other.script([]);
  // Nothing of that is in flight; each request that the child received was also cancelled.
  const { result } = await other.request('relay/inflight');
  assert.deepEqual(
    result.calls.filter(({ state }) => state !== 'abandoned'),
    [],
  );
  const [calls, cancels] = await other.scriptValues([
    { seen: { method: 'tools/call' } },
    { seen: { method: 'notifications/cancelled' } },
  ]);
  const hung = calls.filter(({ text }) => text.includes('for ever')).map(({ id }) => id);
  const cancelled = cancels.map(({ text }) => JSON.parse(text).params.requestId);
  assert.deepEqual(cancelled.sort(), hung.sort());
  assert.deepEqual(canceller.left, []);
});

test('a cancel overtakes waiting requests, and stays behind its own', async (t) => {
  const relay = await t.relay({ relay: { servers: { fake: { maxInFlight: 2 } } } });
  const client = await t.ready(relay);
  client.sendScript(1, [{ hold: 'one' }]);
  for (let id = 2; id < 20; id++) client.sendScript(id, [{ reply: { id } }]);
  client.notify('notifications/cancelled', { requestId: 1 });
  client.notify('notifications/cancelled', { requestId: 19 }); // waits still: nobody hears of either
  for (let id = 2; id < 19; id++) assert.deepEqual((await client.reply(id, scaled(20_000))).result, { id });
  const [lines] = await client.scriptValues([{ seen: {} }]);
  const methods = lines.map(({ method }) => method);
  const cancels = methods.filter((method) => method === 'notifications/cancelled');
  assert.equal(cancels.length, 1);
  assert.ok(!lines.some(({ text }) => text.includes('"id":19}')));
  assert.deepEqual(client.left, []);
});

test('a pipelined file of requests just works', async (t) => {
  const relay = await t.relay({ relay: { servers: { fake: { maxInFlight: 16 } } } });
  const client = await t.client(relay);
  const count = 4000;
  const lines = [
    '{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  ];
  for (let id = 0; id < count; id++) {
    const pad = 'x'.repeat(1000);
    lines.push(
      `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":{"n":${id},"pad":"${pad}"}}}`,
    );
  }
  client.sendText(lines.join('\n'));
  assert.ok((await client.reply('i')).result);
  for (let id = 0; id < count; id++) {
    const answer = await client.reply(id, scaled(60_000));
    assert.ok(answer.result?.content[0].text.startsWith(`{"n":${id},`), JSON.stringify(answer).slice(0, 300));
  }
  const other = await t.ready(relay);
  await other.flush();
});

test('more waiting requests than a child may have: OVERLOADED, for those alone', async (t) => {
  const relay = await t.relay({ relay: { servers: { fake: { maxInFlight: 2, maxWaiting: 10 } } } });
  const [client, other] = [await t.ready(relay), await t.ready(relay)];
  for (let id = 0; id < 30; id++) client.sendScript(id, [{ hold: 'x' }]);
  const refused = [];
  for (let id = 11; id < 30; id++) refused.push(await client.reply(id));
  for (const message of refused) {
    const data = assertRelayError(message, 'OVERLOADED', { limit: 10, sent: false, retryable: true });
    assert.equal(typeof data.retryAfterMs, 'number');
    assert.equal(typeof data.queued, 'number');
  }
  client.destroy();
  await client.closed;
  await until(async () => !(await other.script([])).error, 'there is room again');
});

/** A relay whose child is up: with short time-outs, its start must not count. */
async function warm(t, limits) {
  const relay = await t.relay({ relay: { servers: { fake: { start: 'eager', ...limits } } } });
  await relay.event('child ready');
  return relay;
}

test('a request that takes too long: TIMEOUT at the client, a cancel at the child', async (t) => {
  const timeoutMs = scaled(1000);
  const relay = await warm(t, { timeoutMs });
  const client = await t.ready(relay);
  const began = performance.now();
  client.sendScript(1, [{ hold: 'x' }]);
  const { afterMs } = assertRelayError(await client.reply(1), 'TIMEOUT', { sent: true, retryable: false });
  assert.ok(afterMs >= timeoutMs && afterMs < timeoutMs + atMost(1000), `${afterMs}`);
  const took = performance.now() - began;
  assert.ok(took >= timeoutMs - 20 && took < timeoutMs + atMost(1000), `${took} ms`);
  await client.script([{ wait: { method: 'notifications/cancelled' } }]);
  await client.script([{ release: 'x' }]); // the late answer goes nowhere
  await client.flush();
  assert.deepEqual(client.left, []);
});

test("progress resets a request's clock, up to the hard cap", async (t) => {
  const timeoutMs = scaled(1000);
  const relay = await warm(t, { timeoutMs, timeoutMaxMs: timeoutMs * 3 });
  const client = await t.ready(relay);
  const beat = [{ pauseMs: timeoutMs / 4 }, { progress: { progress: 1 } }];
  const alive = await client.script(
    [...beat, ...beat, ...beat, ...beat, ...beat, { reply: { alive: true } }],
    { token: 't' },
  );
  assert.deepEqual(alive.result, { alive: true });
  const endless = Array.from({ length: 30 }, () => beat).flat();
  const began = performance.now();
  assertRelayError(await client.script(endless, { token: 't' }), 'TIMEOUT');
  assert.ok(performance.now() - began >= timeoutMs * 3 - 50);
});

test('waiting counts: a request that never got its turn times out too, and the child never sees it', async (t) => {
  const relay = await warm(t, { maxInFlight: 2, timeoutMs: scaled(1000) });
  const client = await t.ready(relay);
  for (let id = 0; id < 6; id++) client.sendScript(id, [{ hold: `call ${id}` }]);
  const sent = [];
  for (let id = 0; id < 6; id++) sent.push(assertRelayError(await client.reply(id), 'TIMEOUT').sent);
  assert.ok(sent.includes(true) && sent.includes(false), `${sent}`);
  const other = await t.ready(relay);
  const [calls] = await other.scriptValues([{ seen: { method: 'tools/call' } }]);
  const seen = sent.map((_, id) => calls.some(({ text }) => text.includes(`call ${id}`)));
  assert.deepEqual(seen, sent, '`sent` is the truth');
});

test("big and small: one client's long requests do not starve another's short ones", async (t) => {
  const relay = await t.relay({ relay: { servers: { fake: { maxInFlight: 4 } } } });
  const [big, small] = [await t.ready(relay), await t.ready(relay)];
  const pad = 'x'.repeat(500_000);
  const bigDone = (async () => {
    for (let id = 0; id < 60; id++)
      big.send({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'last', arguments: { pad } } });
    for (let id = 0; id < 60; id++) await big.reply(id, scaled(60_000));
    return performance.now();
  })();
  await latencies(small, 50);
  const smallDone = performance.now();
  assert.ok(smallDone < (await bigDone) + scaled(500));
});

test('a frame that is begun and never ended: the client is closed when its time is over', async (t) => {
  const relay = await t.relay({ relay: { frameTimeoutMs: scaled(300) } });
  const client = await t.ready(relay);
  await client.sendBytes(Buffer.from('{"jsonrpc":"2.0","id":1,'));
  await client.closed;
});

test('memory in sum: links with a long partial frame are paused, and everything arrives in the end', async (t) => {
  const relay = await t.relay({ relay: { maxMemoryBytes: 8 * MIB } });
  const clients = await Promise.all(Array.from({ length: 6 }, () => t.ready(relay)));
  const line = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"last","arguments":{"pad":"${'x'.repeat(3 * MIB)}"}}}\n`;
  const half = line.length >> 1;
  for (const client of clients) client.sendBytes(Buffer.from(line.slice(0, half)));
  const quick = await t.ready(relay);
  await quick.flush();
  for (const client of clients) client.sendBytes(Buffer.from(line.slice(half)));
  // A request beyond the router's share is refused, and may be sent again.
  for (const client of clients) {
    let answer = await client.reply(1, scaled(30_000));
    for (let tries = 0; answer.error && tries < 20; tries++) {
      assertRelayError(answer, 'OVERLOADED');
      assert.equal(answer.error.data.retryable, true);
      await client.sendText(line);
      answer = await client.reply(1, scaled(30_000));
    }
    assert.ok(answer.result);
  }
});

test('a paused client that has gone is noticed', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({
    servers: { fake: fake({ journal }) },
    relay: { sessionWaitingBytes: 64 * 1024, servers: { fake: { maxInFlight: 1 } } },
  });
  const [other, gone] = [await t.ready(relay), await t.ready(relay)];
  const pad = 'x'.repeat(10_000);
  for (let id = 0; id < 40; id++) gone.sendScript(id, [{ hold: pad }]).catch(() => {});
  await until(
    () => readJournal(journal).filter(({ text }) => text?.includes(pad)).length > 0,
    'the first call is at the child',
  );
  gone.stream.resetAndDestroy();
  await until(async () => (await connections(other)) === 1, 'the relay noticed');
  assert.ok(childrenOf(relay.pid).length >= 1);
});
