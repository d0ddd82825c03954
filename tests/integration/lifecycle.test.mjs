// The relay's own life: where it listens, how it reloads, how it ends.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import {
  assert,
  atMost,
  assertRelayError,
  cleanEnvironment,
  fake,
  readJournal,
  relayBinary,
  scaled,
  test,
  until,
  within,
} from './lib/harness.mjs';
import { LineClient } from './lib/line_client.mjs';

const configOf = (servers, relay) => ({ servers, relay });

test('case 17: a port in use: exit non-zero at once, with one clear line', async (t) => {
  const first = await t.relay({});
  const began = performance.now();
  const second = t.startRelay({ relay: { listen: [`127.0.0.1:${first.address.port}`] } });
  const end = await within(second.exited, 'the second relay ends');
  second.expectedEnd = { code: end.code, signal: null };
  assert.ok(end.code > 0, `exit code ${end.code}`);
  assert.ok(performance.now() - began < atMost(2000));
  const errors = second.log.filter(({ level, line }) => level === 'error' || line);
  assert.equal(errors.length, 1, JSON.stringify(second.log));
  assert.match(JSON.stringify(errors[0]), new RegExp(`127\\.0\\.0\\.1:${first.address.port}`));
  assert.match(JSON.stringify(errors[0]), /in use/);
  const client = await t.ready(first);
  await client.flush();
});

test('case 17: one of several ports in use: nothing is served by halves', async (t) => {
  const first = await t.relay({});
  const second = t.startRelay({ relay: { listen: ['127.0.0.1:0', `127.0.0.1:${first.address.port}`] } });
  const end = await within(second.exited, 'the second relay ends');
  second.expectedEnd = { code: end.code, signal: null };
  assert.ok(end.code > 0);
});

test('case 17: a live Unix socket is not stolen, a dead one is replaced; mode 0600', async (t) => {
  const path = t.file('sock');
  const first = await t.relay({ relay: { listen: [`unix:${path}`] } });
  assert.equal(fs.statSync(path).mode & 0o777, 0o600);
  const client = await t.ready({ path });
  const second = t.startRelay({ relay: { listen: [`unix:${path}`] } });
  const end = await within(second.exited, 'the second relay ends');
  second.expectedEnd = { code: end.code, signal: null };
  assert.ok(end.code > 0);
  assert.match(JSON.stringify(second.log), /in use/);
  await client.flush();
  await (await t.ready({ path })).flush();

  first.expectedEnd = { code: null, signal: 'SIGKILL' };
  first.signal('SIGKILL');
  await first.exited;
  assert.ok(fs.existsSync(path), 'a killed relay leaves its socket');
  const third = await t.relay({ relay: { listen: [`unix:${path}`] } });
  await (await t.ready({ path })).flush();
  await third.stop();
  assert.ok(!fs.existsSync(path), 'a stopped relay takes its socket away');
});

test('case 17: a file that is no socket is not removed for one', async (t) => {
  const path = t.file('precious');
  fs.writeFileSync(path, 'data');
  const relay = t.startRelay({ relay: { listen: [`unix:${path}`] } });
  const end = await within(relay.exited, 'the relay ends');
  relay.expectedEnd = { code: end.code, signal: null };
  assert.ok(end.code > 0);
  assert.equal(fs.readFileSync(path, 'utf8'), 'data');
});

test('several listeners, each with its server', async (t) => {
  const path = t.file('sock');
  const relay = await t.relay({
    servers: { a: fake({ version: '2024-11-05' }), b: fake({ version: '2025-03-26' }) },
    relay: { listen: ['127.0.0.1:0=a', '127.0.0.1:0=b', `unix:${path}=b`, '[::1]:0'], defaultServer: 'a' },
  });
  const versions = [];
  for (const address of relay.addresses) {
    const client = await t.client(address);
    versions.push((await client.initialize()).result.protocolVersion);
  }
  assert.deepEqual(versions, ['2024-11-05', '2025-03-26', '2025-03-26', '2024-11-05']);
});

// ---- SIGTERM

test('SIGTERM drains: what is in flight ends, what is new is refused, idle clients do not hold it', async (t) => {
  const relay = await t.relay({ relay: { drainMs: scaled(5000) } });
  const [busy, idle, other] = [await t.ready(relay), await t.ready(relay), await t.ready(relay)];
  busy.sendScript(1, [{ wait: { method: 'notifications/go' } }, { reply: { finished: true } }]);
  await other.script([{ wait: { method: 'tools/call', count: 2 } }]);
  relay.signal('SIGTERM');
  // New requests are refused from here on; the first refusal shows that the signal has arrived.
  const refusal = await until(async () => {
    const answer = await other.request('tools/call', { name: 'echo', arguments: {} });
    return answer.error && answer;
  }, 'DRAINING');
  const data = assertRelayError(refusal, 'DRAINING', { sent: false, retryable: true });
  assert.equal(typeof data.retryAfterMs, 'number');
  await assert.rejects(LineClient.connect(relay.address), 'nobody new is let in');
  busy.notify('notifications/go');
  assert.deepEqual((await busy.reply(1)).result, { finished: true });
  const end = await within(relay.exited, 'the relay ends');
  assert.deepEqual(end, { code: 0, signal: null });
  await Promise.all([busy.closed, idle.closed, other.closed]);
});

test('SIGTERM: what does not end within drainMs is answered, and the relay ends', async (t) => {
  const relay = await t.relay({ relay: { drainMs: scaled(200), stopGraceMs: scaled(300) } });
  const client = await t.ready(relay);
  client.sendScript(1, [{ never: 1 }]);
  await client.script([{ wait: { method: 'tools/call' } }]);
  const began = performance.now();
  relay.signal('SIGTERM');
  const answer = await client.reply(1);
  assert.ok(answer.error, JSON.stringify(answer));
  assert.equal(answer.error.data.sent, true);
  await client.closed;
  await within(relay.exited, 'the relay ends');
  assert.ok(performance.now() - began < atMost(2000));
});

test('SIGTERM with an idle relay ends at once', async (t) => {
  const relay = await t.relay({ relay: { drainMs: scaled(60_000), stopGraceMs: scaled(60_000) } });
  await t.ready(relay);
  const began = performance.now();
  await relay.stop();
  const took = performance.now() - began;
  t.figure(`idle relay: ${took.toFixed(0)} ms from SIGTERM to the end`);
  assert.ok(took < atMost(2500), `${took} ms`);
});

test('SIGTERM: the answer that is under way reaches its client whole', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  await client.flush();
  client.stream.pause();
  const size = 6_000_000;
  await client.sendScript(1, [{ big: size }]);
  const watcher = await t.ready(relay);
  await until(
    async () => (await watcher.request('relay/inflight')).result.calls.length === 0,
    'the answer is at the relay',
  );
  relay.signal('SIGTERM');
  await relay.event('draining');
  client.stream.resume();
  assert.equal((await client.reply(1)).result.pad.length, size);
  await relay.stop();
});

test('SIGINT ends it as SIGTERM does', async (t) => {
  const relay = await t.relay({});
  await (await t.ready(relay)).flush();
  relay.signal('SIGINT');
  assert.deepEqual(await within(relay.exited, 'the relay ends'), { code: 0, signal: null });
});

test('a second signal ends it at once, and nothing is left', async (t) => {
  const relay = await t.relay({
    servers: { fake: fake({ stayAtEof: true, ignoreTerm: true }) },
    relay: { drainMs: 60_000, stopGraceMs: 60_000 },
  });
  const client = await t.ready(relay);
  client.sendScript(1, [{ never: 1 }]);
  await client.script([{ wait: { method: 'tools/call' } }]);
  relay.signal('SIGTERM');
  await until(async () => (await client.request('tools/list')).error, 'it drains');
  relay.signal('SIGTERM');
  const end = await within(relay.exited, 'the relay ends');
  relay.expectedEnd = end;
  assert.ok(end.code !== null || end.signal !== null);
  await relay.noDescendants();
});

// ---- SIGHUP

test('SIGHUP: a changed server starts again, the others and every client stay', async (t) => {
  const journals = { a: t.file('a'), b: t.file('b'), a2: t.file('a2') };
  const listen = ['127.0.0.1:0=a', '127.0.0.1:0=b'];
  const before = configOf({ a: fake({ journal: journals.a }), b: fake({ journal: journals.b }) }, { listen });
  const relay = await t.relay(before);
  const [a, b] = [await t.ready(relay.addresses[0]), await t.ready(relay.addresses[1])];
  const [pidA] = await a.scriptValues([{ pid: 1 }]);
  const [pidB] = await b.scriptValues([{ pid: 1 }]);
  b.sendScript('through', [{ hold: 'x' }]);
  a.sendScript('drained', [{ wait: { method: 'notifications/go' } }, { reply: { drained: true } }]);
  await a.script([{ wait: { method: 'tools/call', count: 2 } }]);

  relay.writeConfig(
    configOf({ a: fake({ journal: journals.a2 }), b: fake({ journal: journals.b }) }, { listen }),
  );
  relay.signal('SIGHUP');
  await relay.event('reloaded');
  a.notify('notifications/go');
  assert.deepEqual((await a.reply('drained')).result, { drained: true }, 'what it was doing, it finishes');
  const [pidA2] = await a.scriptValues([{ pid: 1 }]);
  assert.notEqual(pidA2, pidA);
  assert.ok(readJournal(journals.a2).some(({ event }) => event === 'start'));
  assert.deepEqual(await b.scriptValues([{ pid: 1 }, { release: 'x' }]), [pidB, 1]);
  assert.ok((await b.reply('through')).result);
});

test('SIGHUP: an invalid file changes nothing, and says why', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  const [pid] = await client.scriptValues([{ pid: 1 }]);
  for (const text of ['{\n"relay": { "drainMs": "x" } }', '{ not json', '']) {
    relay.writeConfig(text);
    relay.signal('SIGHUP');
    await relay.event('not reloaded: the configuration in force stays');
    assert.ok(
      relay.log.some(({ level, detail }) => level === 'error' && /relay\.json:\d+/.test(detail)),
      relay.logTail(),
    );
    relay.log.length = 0;
    assert.deepEqual(await client.scriptValues([{ pid: 1 }]), [pid]);
  }
});

test('SIGHUP: a removed server closes its sessions, a new one is there at once', async (t) => {
  const listen = ['127.0.0.1:0=a', '127.0.0.1:0=b'];
  const relay = await t.relay(configOf({ a: fake(), b: fake() }, { listen }));
  const [a, b] = [await t.ready(relay.addresses[0]), await t.ready(relay.addresses[1])];
  a.sendScript(1, [{ hold: 'x' }]);
  await a.script([{ wait: { method: 'tools/call' } }]);
  await b.flush();
  relay.writeConfig(
    configOf({ b: fake(), c: fake() }, { listen: ['127.0.0.1:0=c', '127.0.0.1:0=b'], defaultServer: 'b' }),
  );
  relay.signal('SIGHUP');
  const answer = await a.reply(1);
  assert.ok(answer.error, 'what it had in flight is answered');
  await a.closed;
  await b.flush();
  const names = (await b.request('relay/servers')).result.servers.map(({ name }) => name);
  assert.deepEqual(names.sort(), ['b', 'c']);
});

test('SIGHUP: an option that needs a restart is named', async (t) => {
  const relay = await t.relay({});
  relay.writeConfig(
    configOf(undefined, { listen: ['127.0.0.1:0', `unix:${t.file('sock')}`], maxFrameBytes: 4_000_000 }),
  );
  relay.signal('SIGHUP');
  const entry = await relay.event('these options are taken at a restart only');
  assert.match(entry.options, /maxFrameBytes/);
  assert.match(entry.options, /listen/);
});

test('SIGHUP: a changed limit takes effect without touching the child', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  const [pid] = await client.scriptValues([{ pid: 1 }]);
  relay.writeConfig(configOf(undefined, { servers: { fake: { timeoutMs: scaled(1000) } } }));
  relay.signal('SIGHUP');
  await relay.event('reloaded');
  assert.deepEqual(await client.scriptValues([{ pid: 1 }]), [pid]);
  assertRelayError(await client.script([{ never: 1 }]), 'TIMEOUT');
});

test('the log rotates away under it: stderr closed or full does not stop the relay', async (t) => {
  const relay = t.startRelay({ args: ['--log-level', 'debug'] });
  await relay.ready();
  const client = await t.ready(relay);
  relay.process.stderr.pause(); // nobody reads: the pipe fills, and logging must not block
  for (let id = 0; id < 2000; id++)
    client.send({ jsonrpc: '2.0', id, method: 'tools/list', params: { pad: 'x'.repeat(500) } });
  for (let id = 0; id < 2000; id++) assert.ok((await client.reply(id)).result);
  relay.process.stderr.destroy();
  await client.flush();
});

test('a pid file holds the pid while it runs', async (t) => {
  const pidFile = t.file('relay.pid');
  const relay = await t.relay({ relay: { pidFile } });
  const text = await until(
    () => fs.existsSync(pidFile) && fs.readFileSync(pidFile, 'utf8').trim(),
    'it is written',
  );
  assert.equal(Number(text), relay.pid);
  await relay.stop();
  assert.ok(!fs.existsSync(pidFile));
});

test('a pid file that cannot be had: one sentence, and nothing was bound or started', async (t) => {
  const held = t.file('held.pid');
  const relay = await t.relay({ relay: { pidFile: held } });
  fs.writeFileSync(t.file('letter'), 'a letter');
  fs.symlinkSync(t.file('elsewhere'), t.file('link'));
  const cases = [
    [held, 3, `a relay is running already (pid ${relay.pid})`],
    ['/nonexistent/x', 1, 'the pid file /nonexistent/x: No such file or directory'],
    [t.dir, 1, 'Is a directory'],
    [t.file('link'), 1, 'is a symbolic link'],
    [t.file('letter'), 1, 'holds something else than a process id'],
    ['/dev/null', 1, 'not a plain file'],
    [t.file('none'), 1, 'File too large', ['prlimit', '--fsize=0']],
  ];
  for (const [pidFile, code, words, wrap = []] of cases) {
    const [config, socket, journal] = ['second.json', 'second.sock', 'journal'].map((name) => t.file(name));
    const options = { listen: [`unix:${socket}`], pidFile, servers: { m: { start: 'eager' } } };
    fs.writeFileSync(config, JSON.stringify({ mcpServers: { m: fake({ journal }) }, relay: options }));
    const [program, ...args] = [...wrap, relayBinary, 'serve', '--config', config];
    const { status, stderr } = spawnSync(program, args, {
      encoding: 'utf8',
      env: cleanEnvironment({}),
      timeout: scaled(20_000),
    });
    assert.equal(status, code, `${pidFile}: ${stderr}`);
    assert.ok(stderr.includes(words), stderr);
    if (wrap.length === 0) assert.doesNotMatch(stderr, /listening|child started/, pidFile);
    assert.ok(!fs.existsSync(socket));
  }
  assert.equal(fs.readFileSync(t.file('letter'), 'utf8'), 'a letter');
  assert.equal(Number(fs.readFileSync(held, 'utf8')), relay.pid);
  assert.ok(!fs.existsSync(t.file('elsewhere')) && !fs.existsSync(t.file('none')));
});

test('a pid file on a full disk: exit 1 before anything is bound or started', (t) => {
  const disk = t.file('disk');
  fs.mkdirSync(disk);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', disk]).status !== 0) {
    t.skip('no right to mount a small file system');
    return;
  }
  try {
    fs.writeFileSync(path.join(disk, 'fill'), 'x'.repeat(4096));
    const options = ['--pid-file', path.join(disk, 'pid'), '--listen', '127.0.0.1:0', '--start', 'eager'];
    const { status, stderr } = spawnSync(relayBinary, ['serve', ...options], { encoding: 'utf8', timeout: scaled(20_000) });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /No space left on device/);
    assert.doesNotMatch(stderr, /listening|child started/);
    assert.deepEqual(fs.readdirSync(disk), ['fill']);
  } finally {
    spawnSync('umount', [disk]);
  }
});

test('fewer clients than maxClients: said only where it was set', async (t) => {
  const words = 'fewer clients than maxClients: the limit on open files is low';
  const wrap = ['prlimit', '--nofile=256'];
  const silent = await t.relay({ wrap });
  const said = await t.relay({ wrap, relay: { maxClients: 20000 } });
  await said.event(words);
  await silent.stop();
  assert.ok(!silent.log.some(({ event }) => event === words));
});

test('a listener on every address, without keys, is warned about', async (t) => {
  const relay = await t.relay({ relay: { listen: ['0.0.0.0:0'] } });
  const warning = await relay.event('other machines can reach this listener, and nobody is asked for a key');
  assert.equal(warning.level, 'warn');
  assert.match(warning.address, /^0\.0\.0\.0:/);
  const client = await t.ready({ host: '127.0.0.1', port: relay.address.port });
  await client.flush();
});

test('started without a terminal and with closed stdin, stdout', async (t) => {
  const relay = await t.relay({ wrap: ['sh', '-c', 'exec "$0" "$@" <&- >&-'] });
  const client = await t.ready(relay);
  const [self] = await client.scriptValues([{ self: 1 }]);
  assert.match(self.stdin, /^pipe:/);
});

test('a client that only connects costs nothing and holds nothing', async (t) => {
  const relay = await t.relay({});
  const idle = await t.client(relay);
  const half = net.connect(relay.address);
  half.on('error', () => {});
  await relay.stop();
  await idle.closed;
  half.destroy();
});

test('with no configuration at all: the mock, on the default address', async (t) => {
  // The default port may be taken on this machine: what is asked is only what it would do.
  const child = spawn(relayBinary, ['config'], { cwd: t.dir, env: { PATH: process.env.PATH, HOME: t.dir } });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  await within(new Promise((resolve) => child.once('close', resolve)), 'agent-relay config');
  assert.match(text, /127\.0\.0\.1:9500/);
  assert.match(text, /agent-mock/);
});

test('faults: kill -9 of a relay, and a new one on the same address serves at once', async (t) => {
  // An address of its own: on 127.0.0.1 any outgoing connection may be given the port in between.
  const first = await t.relay({ relay: { listen: ['127.0.0.7:0'] } });
  const client = await t.ready(first);
  await client.flush();
  first.expectedEnd = { code: null, signal: 'SIGKILL' };
  first.signal('SIGKILL');
  await client.closed;
  await first.exited; // its listener may be closed after its connections
  const second = await t.relay({ relay: { listen: [`127.0.0.7:${first.address.port}`] } });
  await (await t.ready(second)).flush();
  await first.noDescendants();
});

for (const format of ['logfmt', 'json']) {
  test(`scripts/start and scripts/status name each address, from a log in ${format}`, (t) => {
    const socket = t.file('a "b" c.sock');
    const environment = { RELAY_BIN: relayBinary, RELAY_RUN_DIR: t.dir, PATH: process.env.PATH };
    const run = (script, ...args) =>
      spawnSync(path.join(import.meta.dirname, '../../scripts', script), args, {
        encoding: 'utf8',
        env: cleanEnvironment(environment),
        timeout: scaled(20_000),
      });
    const listen = ['--listen', `unix:${socket}`, '--listen', '127.0.0.1:0'];
    const started = run('start', ...listen, '--log-format', format);
    try {
      assert.equal(started.status, 0, started.stderr);
      const addresses = started.stdout.split('\n').slice(1, -1);
      assert.equal(addresses[0], `  listening on unix:${socket}`);
      assert.match(addresses[1], /^  listening on 127\.0\.0\.1:[1-9][0-9]*$/);
      assert.equal(addresses.length, 2);
      assert.deepEqual(run('status').stdout.split('\n').slice(1, -1), addresses);
      const log = fs.readFileSync(path.join(t.dir, 'agent-relay.log'), 'utf8');
      const named = format === 'json' ? /"event":"listening",/g : / event=listening /g;
      assert.equal(log.match(named).length, 2, 'the event has one name, whatever the address');
    } finally {
      run('stop');
    }
    assert.equal(run('status').status, 3);
  });
}
