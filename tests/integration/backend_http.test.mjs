// agent-backend's HTTP: refusals, hostile clients, and very many or very slow readers of its events.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { assert, atMost, binDir, scaled, test, until, within } from './lib/harness.mjs';
import { addressOf, backendBinary, crowdedServer, flags, killed, nobody, quick, relayOn, startBackend } from './lib/backend.mjs';

const residentKb = (pid) => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]);

// ---- HTTP

test('refusals have one shape and a suggestion', async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick) });
  const json = { 'content-type': 'application/json' };
  const task = '/api/bots/submit-task';
  const cases = [
    [404, 'NOT_FOUND', () => backend.get('/api/bots')],
    [404, 'NOT_FOUND', () => backend.get('/../etc/passwd')],
    [405, 'METHOD_NOT_ALLOWED', () => backend.request('DELETE', '/api/bots/agents')],
    [405, 'METHOD_NOT_ALLOWED', () => backend.get(task)],
    [405, 'METHOD_NOT_ALLOWED', () => backend.request('OPTIONS', task, { headers: { origin: 'http://x' } })],
    [415, 'UNSUPPORTED_MEDIA_TYPE', () => backend.post(task, '{"task":"x"}', { 'content-type': 'text/plain' })],
    [403, 'FOREIGN_ORIGIN', () => backend.post(task, { task: 'x' }, { origin: 'https://example.org' })],
    [403, 'FOREIGN_ORIGIN', () => backend.post(task, { task: 'x' }, { origin: 'null' })],
    [400, 'INVALID_JSON', () => backend.post(task, '{"task":\n}')],
    [400, 'INVALID_JSON', () => backend.post(task, '')],
    [400, 'INVALID_REQUEST', () => backend.post(task, {})],
    [400, 'INVALID_REQUEST', () => backend.post('/api/bots/initialize-swarm', { topology: 'mesh', maxAgents: 21 })],
    [400, 'INVALID_REQUEST', () => backend.get('/api/bots/task-status/')],
    [400, 'INVALID_REQUEST', () => backend.get(`/api/bots/task-status/${'a'.repeat(300)}`)],
    [400, 'INVALID_REQUEST', () => backend.get('/api/bots/task-status/x?whenDown=lie')],
    [413, 'TOO_LARGE', () => backend.post(task, { task: 'x'.repeat(70_000) })],
    [413, 'TOO_LARGE', () => backend.request('POST', task, { headers: json, body: `{"task":"${'x'.repeat(70_000)}"}` })],
  ];
  for (const [status, code, request] of cases) {
    const answer = await request();
    assert.equal(answer.status, status, `${code}: ${answer.text}`);
    assert.equal(answer.json.success, false);
    assert.equal(answer.json.code, code);
    assert.ok(answer.json.error.length > 5 && answer.json.details.suggestion.length > 5, answer.text);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
    if (status === 405) assert.match(answer.headers.allow, /GET|POST/);
  }
  const { json: list } = await backend.get('/nowhere');
  assert.ok(list.details.endpoints.some((line) => line.includes('/api/bots/events')));
});

test('our own pages may POST; the body may have exactly 64 KiB', async (t) => {
  const other = 'https://agents.example.org';
  const backend = await startBackend(t, { relay: nobody, args: [...flags(quick), '--allow-origin', other] });
  await until(async () => (await backend.health()).lastError, 'the first attempt has failed');
  for (const origin of [backend.url, other]) {
    const { status } = await backend.post('/api/bots/submit-task', { task: 'x' }, { origin });
    assert.equal(status, 503, 'it got as far as the relay');
  }
  const padded = (size) => `{"task":"x","pad":"${'p'.repeat(size - 21)}"}`;
  assert.equal(padded(65_536).length, 65_536);
  assert.equal((await backend.post('/api/bots/submit-task', padded(65_536))).status, 503);
  assert.equal((await backend.post('/api/bots/submit-task', padded(65_537))).status, 413);
});

test('a page whose name was made to point here reads nothing', async (t) => {
  const allow = ['--allow-origin', 'https://agents.example.org'];
  const backend = await startBackend(t, { relay: nobody, args: [...flags(quick), ...allow] });
  const { port } = new URL(backend.url);
  const paths = ['/', '/page.js', '/api/v1/bots/health', '/api/bots/agents', '/api/bots/data', '/api/bots/status', '/api/bots/events', '/api/bots/task-status/t', '/no'];
  for (const host of ['evil.example', `evil.example:${port}`, `127.0.0.1.evil.example:${port}`]) {
    for (const where of paths) {
      const { status, json } = await backend.get(where, { headers: { host } });
      assert.deepEqual([status, json.code], [403, 'FOREIGN_HOST'], `${host} ${where}`);
      assert.ok(json.error.includes(host) && json.details.suggestion.includes('--allow-origin'), json.error);
    }
    assert.equal((await backend.request('POST', '/api/bots/submit-task', { headers: { host } })).status, 403);
  }
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, 'agents.example.org', 'agents.example.org:443', 'backend']) {
    assert.equal((await backend.get('/api/bots/agents', { headers: { host } })).status, 200, host);
  }
  assert.equal(backend.stderr.includes('warning'), false);
});

test('on more than loopback any name is served, with a warning', async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick), listen: '0.0.0.0:0' });
  await backend.lines.take((line) => /warning: other machines can reach 0\.0\.0\.0:\d+, and nobody is asked/.test(line), 'the warning');
  for (const site of ['same-origin', 'none', 'cross-site']) {
    const headers = { host: 'agents.example.org:8080', 'sec-fetch-site': site };
    assert.equal((await backend.get('/', { headers })).status, 200, site);
  }
});

test('a target may be a whole address; a %00 in it cuts nothing off', async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick) });
  const statusOf = async (target, host = 'x') => {
    const answer = await backend.raw().send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`).answer();
    return Number(answer.match(/^HTTP\/1\.1 (\d+)/)?.[1]);
  };
  for (const path of ['/api/bots/agents', '/api/bots/agents?x=1', '', '/', '?x', '/page.css']) assert.equal(await statusOf(`http://127.0.0.1${path}`), 200, path);
  assert.equal(await statusOf('HTTP://localhost:8080/api/v1/bots/health', 'evil.example'), 200, 'the Host header counts for nothing then');
  assert.equal(await statusOf('http://evil.example/api/bots/agents', '127.0.0.1'), 403);
  assert.equal(await statusOf('http://127.0.0.1/no'), 404);
  assert.equal(await statusOf(`http://${'x'.repeat(300)}/`), 400);
  for (const path of ['/api/bots/agents%00xyz', '/api/bots/agents%00', '/%00', '/api/bots/task-status/t%00', '/api/bots/agents%0a', '/api/bots/task-status/t?whenDown=fail%00x']) {
    assert.equal(await statusOf(path), 400, path);
  }
  for (const path of ['/api/bots/agents%2500', '/api/bots/agents%', '/api/bots/agents%0']) assert.equal(await statusOf(path), 404, path);
});

test('HEAD gives what GET gives, without a body; connections are kept', async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick) });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.atEnd(() => agent.destroy());
  let sockets = 0;
  agent.on('free', () => sockets++);
  for (const where of ['/', '/page.js', '/page.css', '/icon.svg', '/api/v1/bots/health', '/api/bots/agents', '/nowhere']) {
    const get = await backend.get(where, { agent });
    const head = await backend.request('HEAD', where, { agent });
    assert.equal(head.status, get.status, where);
    assert.equal(head.text, '');
    assert.equal(head.headers['content-type'], get.headers['content-type']);
    assert.equal(get.headers['x-content-type-options'], 'nosniff');
    assert.match(get.headers['content-security-policy'], /default-src 'none'/);
  }
  assert.equal(sockets, 14, 'one connection, free after each of its requests');
  const events = await backend.request('HEAD', '/api/bots/events');
  assert.match(events.headers['content-type'], /^text\/event-stream/);
  assert.equal(events.headers['x-accel-buffering'], 'no', 'proxies must not buffer');
});

test('hostile HTTP is answered or cut, and nobody else notices', async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick) });
  const head = 'POST /api/bots/submit-task HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  const chunk = `ffff\r\n${'x'.repeat(65_535)}\r\n`;
  const cases = [
    ['a huge header', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 4\d\d/],
    ['a huge path', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, /^HTTP\/1\.1 4\d\d/],
    ['a bad chunk size', `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`, /^(HTTP\/1\.1 4\d\d|$)/],
    ['a chunked body without end', `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(40)}`, /^(HTTP\/1\.1 4\d\d|$)/],
    ['a negative length', `${head}Content-Length: -5\r\n\r\n{}`, /^(HTTP\/1\.1 4\d\d|$)/],
    ['a length twice', `${head}Content-Length: 3\r\nContent-Length: 5\r\n\r\n{}x{}`, /^HTTP\/1\.1 400/],
    ['a length and chunks', `${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 400/],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n', /^HTTP\/1\.1 400/],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400/],
    ['no HTTP', '{"jsonrpc":"2.0","id":1,"method":"initialize"}\n\n', /^(HTTP\/1\.[01] 4\d\d|$)/],
    ['a NUL', 'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n', /^(HTTP\/1\.[01] [245]\d\d|$)/],
  ];
  for (const [what, text, wanted] of cases) {
    const raw = backend.raw().send(text);
    await until(() => raw.got.includes('\r\n\r\n') || raw.socket.destroyed, what);
    raw.socket.destroy();
    assert.match(raw.got, wanted, what);
    assert.equal((await backend.get('/api/v1/bots/health')).status, 200, what);
  }
});

test('what nobody waits for any more is cancelled, and never runs', async (t) => {
  const relay = await relayOn(t, 0, { exit: killed });
  const { port } = relay.address;
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags({ ...quick, 'call-timeout-ms': 20_000 }) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  const body = (task) => JSON.stringify({ task, whenDown: 'wait' });
  const submit = (task) =>
    backend.raw().send(
      `POST /api/bots/submit-task HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body(task).length}\r\n\r\n${body(task)}`,
    );
  const inFlight = submit('never'); // the server does not answer that one
  await until(async () => (await backend.health()).inFlight === 1, 'it is in flight');
  inFlight.socket.destroy();
  await until(async () => (await backend.health()).inFlight === 0, 'it is cancelled');
  relay.signal('SIGKILL');
  await until(async () => (await backend.health()).state === 'degraded', 'degraded');
  const waiting = Array.from({ length: 10 }, (_, i) => submit(`t${i}`));
  await until(async () => (await backend.health()).waiting === 10, 'ten wait');
  waiting.forEach(({ socket }, i) => i > 0 && (i % 2 ? socket.resetAndDestroy() : socket.destroy()));
  await until(async () => (await backend.health()).waiting === 1, 'the one whose asker is there still waits');
  await relay.exited;
  await relayOn(t, port);
  await until(() => waiting[0].got.includes('"taskId":"t-1"'), 'its answer');
  waiting[0].socket.destroy();
});

const MIB = 1 << 20;
const cpuMs = (pid) => {
  const [user, system] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ').slice(11, 13);
  return (Number(user) + Number(system)) * 10; // a tick is 10 ms
};
const sanitized = /address|thread/.test(binDir);

/** A reader of WHERE that takes the first bytes, the head among them, and stops. */
async function slowReader(backend, where) {
  const raw = backend.raw().send(`GET ${where} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await raw.stopAtHead();
  assert.match(raw.got, /^HTTP\/1\.1 [^]*\r\n\r\n/);
  return raw;
}

/** Such readers, each of another list, until one is refused: at most MAX. */
async function stopReading(backend, where, max) {
  const stopped = [];
  let version;
  while (!stopped.at(-1)?.got.startsWith('HTTP/1.1 503') && stopped.length < max) {
    const newer = async () => version !== (version = (await backend.health()).snapshotVersion);
    await until(newer, 'the agents have changed');
    stopped.push(await slowReader(backend, where));
  }
  return stopped;
}

/** A live backend whose agents are so many; they change every TIME ms. */
async function crowdedBackend(t, agents, time, more = []) {
  const relay = await t.relay({ servers: { agents: crowdedServer(agents) } });
  const times = { ...quick, 'poll-ms': time, 'poll-timeout-ms': 20_000, 'dead-after-ms': 20_000 };
  t.atEnd(() => relay.signal('SIGCONT'));
  const backend = await startBackend(t, { relay: addressOf(relay), args: [...flags(times), ...more] });
  // A list of megabytes that it works on would hold its end up: without new ones it comes to rest.
  t.atEnd(async () => {
    relay.signal('SIGSTOP');
    let last;
    await until(() => last === (last = cpuMs(backend.process.pid)), 'it rests');
  });
  await until(async () => (await backend.health()).source === 'live', 'live');
  return backend;
}

test('large answers that are read slowly are bounded together, and small ones go on', { timeoutMs: 300_000 }, async (t) => {
  const backend = await crowdedBackend(t, 9900, 1000, ['--held-max-bytes', String(30 * MIB)]);
  const before = residentKb(backend.process.pid);
  const stopped = await stopReading(backend, '/api/bots/agents', 50);
  assert.match(stopped.at(-1).got, /^HTTP\/1\.1 503 [^]*Retry-After: \d+\r\n[^]*"code":"OVERLOADED"/);
  const grown = residentKb(backend.process.pid) - before;
  t.figure(`backend: ${stopped.length} readers of 6 MiB that stand still cost ${grown >> 10} MiB of a budget of 30`);
  if (!sanitized) assert.ok(grown < 60 << 10, `${grown} KiB`);
  assert.equal((await backend.get('/api/v1/bots/health')).status, 200);
  for (const raw of stopped) raw.socket.destroy();
  await until(async () => (await backend.get('/api/bots/agents')).status === 200, 'large ones are served again');
});

test('one rendered text is for all that ask for it, and the health waits for none', { timeoutMs: 300_000 }, async (t) => {
  const backend = await crowdedBackend(t, 9900, 600_000);
  const before = residentKb(backend.process.pid);
  const open = (count) => Promise.all(Array.from({ length: count }, () => slowReader(backend, '/api/bots/agents')));
  const stopped = await open(100);
  assert.ok(stopped.every(({ got }) => got.startsWith('HTTP/1.1 200')), 'none is refused');
  const grown = residentKb(backend.process.pid) - before;
  if (!sanitized) assert.ok(grown < 100 << 10, `100 readers of 6 MiB: ${grown} KiB`);
  for (const raw of stopped) raw.socket.destroy();
  const from = performance.now();
  const cpu = () => cpuMs(backend.process.pid);
  const cpuBefore = cpu();
  const heads = open(300);
  const asked = performance.now();
  assert.equal((await backend.get('/api/v1/bots/health')).status, 200);
  const healthMs = performance.now() - asked;
  const raws = await heads;
  const headsMs = performance.now() - from;
  t.figure(
    `backend: 300 GETs of 9,900 agents: heads in ${Math.round(headsMs)} ms, ${cpu() - cpuBefore} ms of CPU; health meanwhile ${Math.round(healthMs)} ms; ` +
      `100 readers that stand still: ${grown >> 10} MiB`,
  );
  assert.ok(raws.every(({ got }) => got.startsWith('HTTP/1.1 200')));
  assert.ok(healthMs < atMost(2000), `${healthMs}`);
  for (const raw of raws) raw.socket.destroy();
});

test('slow readers of events hold no more than the budget, and others go on', { timeoutMs: 300_000 }, async (t) => {
  const backend = await crowdedBackend(t, 9900, 1000, ['--held-max-bytes', String(30 * MIB)]);
  const reader = await backend.events();
  await reader.source('live');
  const before = residentKb(backend.process.pid);
  const stopped = [];
  for (let i = 0; i < 30; i++) {
    stopped.push(await slowReader(backend, '/api/bots/events'));
  }
  const grown = residentKb(backend.process.pid) - before;
  t.figure(`backend: 30 slow readers of events of 6 MiB cost ${grown >> 10} MiB of a budget of 30`);
  if (!sanitized) assert.ok(grown < 60 << 10, `${grown} KiB`);
  const at = reader.all.length;
  await until(() => reader.all.length > at + 2, 'a reader that reads has its events');
  for (const raw of stopped) raw.socket.destroy();
  reader.close();
});

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;
test('streams and waiting requests leave places for the health check', { skip: hasPrlimit ? false : 'no prlimit' }, async (t) => {
  // 200 descriptors: 136 connections, of which 102 may stay, 51 of one address.
  const wrap = ['prlimit', '--nofile=200:200'];
  const body = '{"task":"x","whenDown":"wait"}';
  const requests = {
    stream: 'GET /api/bots/events HTTP/1.1\r\nHost: x\r\n\r\n',
    task: `POST /api/bots/submit-task HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  };
  for (const text of [requests.stream, requests.task]) {
    const backend = await startBackend(t, { relay: nobody, args: flags({ ...quick, 'call-timeout-ms': 60_000 }), wrap });
    const health = () => spawnSync(backendBinary, ['health', '--listen', `127.0.0.1:${backend.address.port}`]).status;
    const staying = [];
    const refused = [];
    for (const [localAddress, reason] of [['127.0.0.1', /Your address has as many/], ['127.0.0.2', /All places .* are taken/], ['127.0.0.3', /All places .* are taken/]]) {
      for (let i = 0; i < 60; i++) {
        const raw = backend.raw({ localAddress }).send(text);
        const waits = async () => (await backend.health()).waiting === staying.length + 1;
        await until(async () => raw.got.includes('\r\n\r\n') || (text === requests.task && (await waits())), 'it waits, streams, or is refused');
        if (!raw.got.startsWith('HTTP/1.1 503')) {
          staying.push(raw);
          continue;
        }
        assert.match(raw.got, /Retry-After: \d+\r\n/);
        assert.match(await raw.answer(), reason);
        refused.push(raw);
        break;
      }
      assert.equal(staying.length, { '127.0.0.1': 51, '127.0.0.2': 102, '127.0.0.3': 102 }[localAddress]);
      assert.equal(health(), 0, 'the health check answers');
      assert.equal((await backend.get('/api/bots/agents')).status, 200);
    }
    for (const raw of staying) raw.socket.destroy();
  }
});

test('connections that ask for nothing make room for those that do', { skip: hasPrlimit ? false : 'no prlimit' }, async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick), wrap: ['prlimit', '--nofile=200:200'] });
  const idle = Array.from({ length: 136 }, () => backend.raw());
  await until(async () => (await backend.get('/api/v1/bots/health').catch(() => ({}))).status === 200, 'the health is answered');
  for (const raw of idle) raw.socket.destroy();
});

test('the health check ends in time also when what answers says a byte now and then', async (t) => {
  const drips = new Set();
  const dripping = net.createServer((socket) => {
    const drip = setInterval(() => socket.write('x'), 100);
    drips.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => clearInterval(drip));
  });
  await new Promise((resolve) => dripping.listen(0, '127.0.0.1', resolve));
  t.atEnd(() => {
    for (const socket of drips) socket.destroy();
    dripping.close();
  });
  const from = performance.now();
  const check = spawn(backendBinary, ['health', '--listen', `127.0.0.1:${dripping.address().port}`], { stdio: 'ignore' });
  const [code] = await within(once(check, 'exit'), 'the check ends');
  assert.equal(code, 1);
  assert.ok(performance.now() - from < atMost(2000));
});

test('a head or a body that comes byte by byte is cut after ten seconds', { timeoutMs: 300_000 }, async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick) });
  const from = performance.now();
  const slow = [
    'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ',
    'POST /api/bots/submit-task HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n',
  ].map((text) => backend.raw().send(text));
  const drip = setInterval(() => slow.forEach(({ socket }) => socket.writable && socket.write('a')), 200);
  t.atEnd(() => clearInterval(drip));
  await Promise.all(slow.map((raw) => raw.answer(scaled(100_000))));
  const ms = performance.now() - from;
  assert.ok(ms > 9_000, `${ms}`);
  assert.equal((await backend.get('/')).status, 200);
});

// ---- events

const descriptors = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;

test('a thousand readers of the events', { timeoutMs: 300_000 }, async (t) => {
  const relay = await relayOn(t, 0, { exit: killed });
  // Each event is for a thousand readers in this one process: stale agents do not become mocks, and attempts are few.
  const times = { ...quick, 'stale-max-ms': 3_600_000, 'backoff-base-ms': 2000, 'backoff-cap-ms': 2000 };
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(times) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  const before = { kb: residentKb(backend.process.pid), fds: descriptors(backend.process.pid) };
  const readers = [];
  for (let i = 0; i < 1000; i += 100) {
    readers.push(...(await Promise.all(Array.from({ length: 100 }, () => backend.events()))));
  }
  await Promise.all(readers.map((reader) => reader.source('live')));
  const with1000 = residentKb(backend.process.pid);
  const from = performance.now();
  relay.signal('SIGKILL');
  const stale = await Promise.all(readers.map((reader) => reader.source('stale')));
  const spread = Math.max(...stale.map(({ at }) => at)) - Math.min(...stale.map(({ at }) => at));
  assert.equal((await backend.get('/api/v1/bots/health')).status, 200, 'others are served meanwhile');
  t.figure(
    `backend: 1,000 event readers cost ${((with1000 - before.kb) / 1000).toFixed(1)} KiB each; a change reached all within ` +
      `${Math.round(spread)} ms of the first, ${Math.round(Math.max(...stale.map(({ at }) => at)) - from)} ms after the kill`,
  );
  for (const reader of readers) reader.close();
  // Nobody announces to a server that a reader is gone: it finds out when it next writes.
  await until(() => descriptors(backend.process.pid) <= before.fds + 5, 'their descriptors are closed', scaled(120_000));
});

test('a reader that stops reading costs nothing more, and is dropped', { timeoutMs: 600_000 }, async (t) => {
  const relay = await t.relay({ servers: { agents: crowdedServer(2000) } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags({ ...quick, 'dead-after-ms': 5000 }) });
  const reader = await backend.events();
  await reader.source('live');
  const { pid } = backend.process;
  const fds = descriptors(pid);
  const stopped = [];
  for (let i = 0; i < 20; i++) {
    const raw = backend.raw().send('GET /api/bots/events HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => raw.got.includes('event: agents'), 'the first event');
    raw.socket.pause();
    stopped.push(raw);
  }
  const count = (n) => until(() => reader.all.length >= n, `${n} events`, scaled(180_000));
  await count(reader.all.length + 15); // of more than a megabyte each: the sockets' buffers are full
  const before = residentKb(pid);
  const from = reader.all.length;
  await count(from + 40);
  const grown = residentKb(pid) - before;
  const eventKb = Math.round(reader.all.findLast(({ event }) => event === 'agents').text.length / 1024);
  t.figure(`backend: 20 readers that stand still, 40 events of ${eventKb} KiB published: ${grown} KiB more`);
  // What sanitizers keep of freed memory is theirs.
  if (!/address|thread/.test(binDir)) assert.ok(grown < 10 * eventKb, `${grown} KiB`);
  await until(() => descriptors(pid) <= fds, 'the server has dropped them', scaled(180_000));
  const at = reader.all.length;
  await count(at + 3);
  for (const raw of stopped) raw.socket.destroy();
  reader.close();
});

test('a quiet stream has the health every 5 seconds and a comment every 15', { timeoutMs: 300_000 }, async (t) => {
  const args = [...flags(quick), '--mock-refresh-ms=never', '--backoff-base-ms=3600000', '--backoff-cap-ms=3600000'];
  const backend = await startBackend(t, { relay: nobody, args });
  const events = await backend.events();
  const ages = () =>
    events.all.filter(({ event, data }) => event === 'health' && data.state === 'degraded').map(({ data }) => data.ageMs);
  // A health event that is due together with the comment stands for it: then the next comment comes 15 s later.
  await until(() => events.comments > 0 && ages().length >= 3, 'a comment, and three health events', scaled(120_000));
  for (const [i, age] of ages().entries()) assert.ok(i === 0 || age > ages()[i - 1], `${ages()}`);
  events.close();
});
