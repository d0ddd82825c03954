// What a child is given, when it is started, and how it is stopped.
import fs from 'node:fs';
import path from 'node:path';
import {
  assert,
  assertRelayError,
  fake,
  hasEnded,
  processInfo,
  readJournal,
  scaled,
  test,
  until,
} from './lib/harness.mjs';

/** Short enough to be watched, long enough to be distinguished. */
const QUICK = { backoffMinMs: 10, backoffMaxMs: 50, stopGraceMs: scaled(300) };

test('a child gets the environment it is meant to have, and nothing else', async (t) => {
  const relay = await t.relay({
    servers: { fake: { ...fake(), env: { FROM_ENTRY: 'x=${SECRET_BASE}' } } },
    relay: { servers: { fake: { inheritEnv: ['WANTED', 'NOT_SET_ANYWHERE'] } } },
    env: {
      SECRET_TOKEN: 'hush',
      SECRET_BASE: 'base',
      WANTED: 'yes',
      HTTPS_PROXY: 'http://p:1',
      no_proxy: 'x',
      AGENT_RELAY_LOG_LEVEL: 'info',
    },
  });
  const client = await t.ready(relay);
  const [environment] = await client.scriptValues([{ environment: 1 }]);
  assert.equal(environment.FROM_ENTRY, 'x=base');
  assert.equal(environment.WANTED, 'yes');
  assert.equal(environment.HTTPS_PROXY, 'http://p:1');
  assert.equal(environment.no_proxy, 'x');
  assert.equal(environment.PATH, process.env.PATH);
  assert.equal(environment.SECRET_TOKEN, undefined);
  assert.equal(environment.SECRET_BASE, undefined);
  assert.equal(environment.AGENT_RELAY_LOG_LEVEL, undefined);
  const allowed =
    /^(HOME|LOGNAME|PATH|SHELL|TERM|USER|LANG|LC_ALL|LC_CTYPE|TZ|TMPDIR|WANTED|FROM_ENTRY|HTTPS_PROXY|no_proxy)$/;
  assert.deepEqual(
    Object.keys(environment).filter((name) => !allowed.test(name)),
    [],
  );
});

test('a child gets default signals, its own session, a pipe, its cwd, and no other descriptor', async (t) => {
  const relay = await t.relay({
    servers: {
      sh: {
        command: 'sh',
        args: [
          '-c',
          'ls -l /proc/self/fd > "$TMPDIR/fds"; grep Sig /proc/self/status > "$TMPDIR/signals"; exec "$0" "$@"',
          fake().command,
          ...fake().args,
        ],
        cwd: t.dir,
      },
    },
    wrap: ['sh', '-c', 'trap "" HUP USR1 XFSZ; exec "$0" "$@"'],
  });
  const client = await t.ready(relay);
  const [self] = await client.scriptValues([{ self: 1 }]);
  // What the command itself had, before Node changed it. 32 and up are the C library's own.
  const signals = fs.readFileSync(path.join(relay.dir, 'signals'), 'utf8');
  for (const kind of ['SigIgn', 'SigBlk']) {
    const bits = BigInt(`0x${signals.match(new RegExp(`${kind}:\\s*(\\w+)`))[1]}`);
    assert.equal(bits & 0x7fffffffn, 0n, signals);
  }
  assert.equal(self.cwd, t.dir);
  assert.match(self.stdin, /^pipe:/);
  const [pid] = await client.scriptValues([{ pid: 1 }]);
  assert.notEqual(self.session, relay.pid);
  assert.ok(processInfo(pid));
  const open = fs
    .readFileSync(path.join(relay.dir, 'fds'), 'utf8')
    .match(/ (\d+) -> /g)
    .map((text) => Number(text.match(/\d+/)[0]));
  // 0, 1 (the file), 2, and the folder that ls itself has open.
  assert.deepEqual(
    open.filter((fd) => fd > 3),
    [],
  );
});

test('the descriptor limit that the relay raised for itself is not handed on', async (t) => {
  const relay = await t.relay({
    servers: {
      sh: {
        command: 'sh',
        args: ['-c', 'ulimit -S -n > "$TMPDIR/limit"; exec "$0" "$@"', fake().command, ...fake().args],
      },
    },
    wrap: ['sh', '-c', 'ulimit -S -n 512; exec "$0" "$@"'],
  });
  const client = await t.ready(relay);
  await client.flush();
  assert.equal(fs.readFileSync(path.join(relay.dir, 'limit'), 'utf8').trim(), '512');
});

test('arguments reach the command as they are: no shell', async (t) => {
  const odd = ['a b', 'in $HOME', '$(id)', '`id`', '"q"', "it's", '*', ';exit 1', '', 'é'];
  const { command, args } = fake();
  const keep =
    'const fs=require("fs");fs.writeFileSync(process.env.TMPDIR+"/argv",JSON.stringify(process.argv.slice(2)))';
  fs.writeFileSync(t.file('keep.cjs'), keep);
  const relay = await t.relay({
    servers: { fake: { command, args: ['-r', t.file('keep.cjs'), args[0], '{}', ...odd] } },
  });
  const client = await t.ready(relay);
  await client.flush();
  assert.deepEqual(JSON.parse(fs.readFileSync(path.join(relay.dir, 'argv'), 'utf8')), ['{}', ...odd]);
});

test('stopping: stdin is closed first, and answers written after that still arrive', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({
    servers: { fake: fake({ journal, stayAtEof: true }) },
    relay: { ...QUICK, drainMs: 50 },
  });
  const client = await t.ready(relay);
  await client.flush();
  await relay.stop();
  const events = readJournal(journal).map(({ event }) => event);
  assert.ok(events.indexOf('eof') >= 0, 'its input ended');
  assert.ok(events.indexOf('signal') > events.indexOf('eof'), 'SIGTERM came after');
});

test('stopping: a child that ignores both is killed', async (t) => {
  const relay = await t.relay({
    servers: { fake: fake({ stayAtEof: true, ignoreTerm: true }) },
    relay: QUICK,
  });
  const client = await t.ready(relay);
  await client.flush();
  await relay.stop();
  await relay.noDescendants();
});

test('a child starts with the first request, and an eager one without any', async (t) => {
  const [lazy, eager] = [t.file('lazy'), t.file('eager')];
  const relay = await t.relay({
    servers: { lazy: fake({ journal: lazy }), eager: fake({ journal: eager }) },
    relay: { listen: ['127.0.0.1:0=lazy'], servers: { eager: { start: 'eager' } } },
  });
  await until(
    () => readJournal(eager).some(({ method }) => method === 'notifications/initialized'),
    'the eager one is up',
  );
  const client = await t.client(relay);
  await client.pingRelay();
  assert.deepEqual(readJournal(lazy), []);
  await client.initialize();
  assert.equal(readJournal(lazy)[0].event, 'start');
});

test('a child that nobody uses is stopped after its idle time, and comes back with the next request', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({
    servers: { fake: fake({ journal }) },
    relay: { ...QUICK, servers: { fake: { idleTimeoutMs: scaled(200) } } },
  });
  const client = await t.ready(relay);
  const [pid] = await client.scriptValues([{ pid: 1 }]);
  await until(() => hasEnded(pid), 'the idle child is gone');
  assert.equal(readJournal(journal).at(-1).event, 'eof', 'its input was closed');
  const [next] = await client.scriptValues([{ pid: 1 }]);
  assert.notEqual(next, pid);
});

test('a child that is stopped by SIGSTOP holds up nobody else', async (t) => {
  const relay = await t.relay({
    servers: { stopped: fake(), other: fake() },
    relay: {
      ...QUICK,
      listen: ['127.0.0.1:0=stopped', '127.0.0.1:0=other'],
      servers: { stopped: { start: 'eager', timeoutMs: scaled(1500) } },
    },
  });
  await relay.event('child ready');
  const [a, b] = [await t.ready(relay.addresses[0]), await t.ready(relay.addresses[1])];
  const [pid] = await a.scriptValues([{ pid: 1 }]);
  process.kill(pid, 'SIGSTOP');
  for (let id = 0; id < 100; id++) a.sendScript(id, [{ reply: { pad: 'x'.repeat(10_000) } }]);
  await b.flush();
  for (let id = 0; id < 100; id++) assertRelayError(await a.reply(id), 'TIMEOUT');
  process.kill(pid, 'SIGCONT');
  await a.flush();
});
