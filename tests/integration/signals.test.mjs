// Signals: taken from the first moment on, whatever mask the starter left; what the end of a terminal means; and what else
// must not stop a relay that reloads.
import fs from 'node:fs';
import path from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import {
  assert,
  binDir,
  cleanEnvironment,
  fake,
  hasEnded,
  relayBinary,
  test,
  until,
  within,
} from './lib/harness.mjs';

const BLOCKED = ['env', '--block-signal'];
/** Sends itself a signal that is blocked, so that it is pending before the program's first instruction. */
const pending = (signal) => ['env', `--block-signal=${signal}`, 'sh', '-c', `kill -${signal} $$; exec "$0" "$@"`];

test('started with every signal blocked: children are reaped, HUP reloads, TERM ends', async (t) => {
  const relay = await t.relay({ wrap: BLOCKED, relay: { backoffMinMs: 1 } });
  const client = await t.ready(relay);
  const [pid] = await client.scriptValues([{ pid: 1 }]);
  process.kill(pid, 'SIGKILL');
  await until(async () => {
    const answer = await client.script([{ pid: 1 }]);
    return answer.result && answer.result.values?.[0] !== pid;
  }, 'a new child');
  relay.signal('SIGHUP');
  await relay.event('reloaded');
  assert.deepEqual(await relay.stop(), { code: 0, signal: null });
});

test('a HUP that arrives before the relay runs is taken once it does', async (t) => {
  const relay = await t.relay({ wrap: pending('HUP') });
  await relay.event('reloaded');
  await (await t.ready(relay)).flush();
});

test('a TERM that arrives before the relay runs ends it in order', async (t) => {
  const relay = t.startRelay({ wrap: pending('TERM') });
  relay.stopping = true;
  assert.deepEqual(await within(relay.exited, 'the relay ends'), { code: 0, signal: null });
});

test('agent-backend and agent-mock end by TERM when they were started with it blocked', async (t) => {
  const programs = [
    ['agent-backend', ['--listen', '127.0.0.1:0', '--relay', '127.0.0.1:1'], /listening/, { code: 0, signal: null }],
    ['agent-mock', [], null, { code: null, signal: 'SIGTERM' }],
  ];
  for (const [name, args, words, expected] of programs) {
    const [program, ...rest] = [...BLOCKED, path.join(binDir, name), ...args];
    const child = spawn(program, rest, { env: cleanEnvironment({}), stdio: ['pipe', 'pipe', 'pipe'] });
    t.atEnd(() => child.kill('SIGKILL'));
    const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    let text = '';
    child.stderr.on('data', (chunk) => (text += chunk));
    child.stdout.on('data', (chunk) => (text += chunk));
    if (!words) child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
    await until(() => (words ?? /"id":1/).test(text), `${name} runs`);
    child.kill('SIGTERM');
    assert.deepEqual(await within(exited, `${name} ends`), expected, text);
  }
});

test('agent-backend ends in order when its terminal is gone, unless by nohup', async (t) => {
  for (const [wrap, ends] of [
    [[], true],
    [['env', '--ignore-signal=HUP'], false],
  ]) {
    const argv = [...wrap, path.join(binDir, 'agent-backend'), '--listen', '127.0.0.1:0', '--relay', '127.0.0.1:1'];
    const child = spawn(argv[0], argv.slice(1), { env: cleanEnvironment({}), stdio: ['ignore', 'ignore', 'pipe'] });
    t.atEnd(() => child.kill('SIGKILL'));
    const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    let text = '';
    child.stderr.on('data', (chunk) => (text += chunk));
    await until(() => /listening/.test(text), 'it runs');
    child.kill('SIGHUP');
    if (!ends) child.kill('SIGTERM');
    assert.deepEqual(await within(exited, 'it ends'), { code: 0, signal: null });
  }
});

// ---- terminals

/**
 * A relay on a terminal of its own. `line`: what the terminal runs; RELAY stands for the relay's command line. `typed`: into a
 * shell, which is the session's leader: another one may see the end of its input first, and leave its jobs alone.
 */
async function onTerminal(t, line, { typed } = {}) {
  const [config, log, pidFile] = [t.file('relay.json'), t.file('log'), t.file('pid')];
  const options = { listen: ['127.0.0.1:0'], pidFile };
  fs.writeFileSync(config, JSON.stringify({ mcpServers: { fake: fake() }, relay: options }));
  const command = `${relayBinary} serve --log-format json --config ${config} 2>>${log}`;
  const words = line.replaceAll('RELAY', command);
  const terminal = spawn('script', ['-qfc', typed ? 'exec bash --norc -i' : words, '/dev/null'], {
    env: cleanEnvironment({ TMPDIR: t.dir, SHELL: '/bin/sh' }),
    cwd: t.dir, // nohup writes there
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  t.atEnd(() => terminal.kill('SIGKILL'));
  if (typed) terminal.stdin.write(`${words}\n`);
  const read = () => (fs.existsSync(log) ? fs.readFileSync(log, 'utf8') : '');
  const pid = await until(() => fs.existsSync(pidFile) && Number(fs.readFileSync(pidFile, 'utf8')), 'it runs');
  t.atEnd(() => !hasEnded(pid) && process.kill(pid, 'SIGKILL'));
  return { pid, terminal, pidFile, has: (words) => until(() => read().includes(words), `${words} in the log`) };
}

const TERMINALS = [
  ['the program of a terminal', 'exec RELAY', {}],
  ['in the foreground of a script', 'RELAY; true', {}],
  ['in the foreground of a shell', 'RELAY', { typed: true }],
  ['in the background of a shell', 'RELAY &', { typed: true }],
  ['in a shell of a shell', "bash -c 'RELAY; true' &", { typed: true }],
];

for (const [name, line, options] of TERMINALS) {
  test(`${name}: kill -HUP reloads, a closed terminal stops it in order`, async (t) => {
    const relay = await onTerminal(t, line, options);
    process.kill(relay.pid, 'SIGHUP');
    await relay.has('"reloaded"');
    relay.terminal.kill('SIGKILL'); // the terminal's other end
    await until(() => hasEnded(relay.pid), 'it ends');
    await relay.has('"the terminal is gone"');
    await relay.has('"stopped"');
    assert.ok(!fs.existsSync(relay.pidFile));
  });
}

test('with nohup it outlives its terminal, and kill -HUP still reloads', async (t) => {
  const relay = await onTerminal(t, 'nohup RELAY &', { typed: true });
  const shell = Number(/\) \S \d+ \d+ (\d+)/.exec(fs.readFileSync(`/proc/${relay.pid}/stat`, 'utf8'))[1]);
  relay.terminal.kill('SIGKILL');
  await until(() => hasEnded(shell), 'the shell is gone');
  process.kill(relay.pid, 'SIGHUP');
  await relay.has('"reloaded"');
  assert.ok(!hasEnded(relay.pid));
  process.kill(relay.pid, 'SIGTERM');
  await until(() => hasEnded(relay.pid), 'it ends');
});

test('kill -HUP typed in the shell of its terminal reloads', async (t) => {
  const relay = await onTerminal(t, 'RELAY &', { typed: true });
  relay.terminal.stdin.write(`kill -HUP ${relay.pid}\n`);
  await relay.has('"reloaded"');
  assert.ok(!hasEnded(relay.pid));
});

// ---- a reload waits for nothing

test('SIGHUP with a FIFO, a folder or a device for a configuration: refused at once, everybody is served', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  const [pid] = await client.scriptValues([{ pid: 1 }]);
  const kinds = {
    fifo: (file) => assert.equal(spawnSync('mkfifo', [file]).status, 0),
    folder: (file) => fs.mkdirSync(file),
    device: (file) => fs.symlinkSync('/dev/zero', file),
    terminal: (file) => fs.symlinkSync('/dev/ptmx', file),
  };
  for (const [kind, make] of Object.entries(kinds)) {
    fs.rmSync(relay.configFile, { recursive: true });
    make(relay.configFile);
    relay.log.length = 0;
    relay.signal('SIGHUP');
    await relay.event('not reloaded: the configuration in force stays');
    assert.ok(relay.log.some(({ detail }) => /cannot be read: not a plain file/.test(detail)), kind);
    assert.deepEqual(await client.scriptValues([{ pid: 1 }]), [pid], kind);
  }
  const fifo = t.file('envfile');
  kinds.fifo(fifo);
  fs.unlinkSync(relay.configFile);
  relay.writeConfig({ servers: { fake: fake(), odd: { command: 'x', envFile: fifo } } });
  relay.signal('SIGHUP');
  await relay.event('reloaded');
  assert.ok(relay.log.some(({ detail }) => /mcpServers\.odd\.envFile cannot be read/.test(detail)), relay.logTail());
});

// ---- output that goes nowhere

test('output that cannot be written is exit 1 and one line, in every program', () => {
  const runs = [
    ['agent-relay', 'check'],
    ['agent-relay', 'config'],
    ['agent-relay', 'options'],
    ...['agent-relay', 'agent-backend', 'agent-relayctl', 'agent-mock'].flatMap((program) => [
      [program, '--help'],
      [program, '--version'],
    ]),
    ['agent-relayctl', 'help', 'status'],
  ];
  const full = fs.openSync('/dev/full', 'w');
  for (const [program, ...args] of runs) {
    const { status, stderr } = spawnSync(path.join(binDir, program), args, {
      encoding: 'utf8',
      stdio: ['ignore', full, 'pipe'],
    });
    assert.equal(status, 1, `${program} ${args}: ${stderr}`);
    assert.match(stderr, /standard output/, `${program} ${args}`);
  }
  fs.closeSync(full);
});
