// agent-relayctl among its surroundings: signals, pipes, terminals, the manual page, bash's completion.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { assert, atMost, cleanEnvironment, root, scaled, test, until } from './lib/harness.mjs';
import {
  Ctl,
  assertCode,
  ctl,
  ctlBinary,
  deadAddress,
  document,
  fakeRelay,
  mock,
  urlOf,
} from './lib/relayctl.mjs';

const manual = path.join(root, 'backend-client/cli/agent-relayctl.1');
const completion = path.join(root, 'backend-client/cli/agent-relayctl.bash');
const COMMANDS = ['status', 'ping', 'call', 'tools', 'tool', 'agents', 'servers', 'watch', 'help'];

const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const connections = async (client) => (await client.request('relay/status')).result.clients.connections;

// ---- ending

test('Ctrl-C cancels what is in flight, and ends with 130 at once', async (t) => {
  const relay = await fakeRelay(t, { 'tools/call': () => undefined });
  const run = new Ctl(relay, ['tool', 'endless', '--timeout', '60000']);
  const { id } = await relay.message('tools/call');
  const from = performance.now();
  run.kill('SIGINT');
  const end = await run.end();
  assertCode(end, 130);
  t.figure(`relayctl: SIGINT to the end, a call in flight: ${(performance.now() - from).toFixed(0)} ms`);
  assert.ok(performance.now() - from < atMost(1000));
  assert.equal((await relay.message('notifications/cancelled')).params.requestId, id);
  assert.equal(end.stdout, '');
});

test('Ctrl-C while connecting, while pinging, while only looking', async (t) => {
  for (const args of [['status'], ['tools'], ['status', '--no-start']]) {
    const silent = await fakeRelay(t, { initialize: () => undefined, 'relay/status': () => undefined });
    const run = new Ctl(silent, [...args, '--timeout', '60000']);
    await silent.message(args.length > 1 ? 'relay/status' : 'initialize');
    run.kill('SIGINT');
    assertCode(await run.end(), 130);
  }
  const relay = await fakeRelay(t, { 'relay/ping': {} });
  const run = new Ctl(relay, ['ping', '-n', '1000', '-i', '60000', '--json']);
  for (let i = 0; i < 2; i++) await relay.message('relay/ping');
  run.kill('SIGINT');
  const end = await run.end();
  assertCode(end, 130);
  assert.ok(document(end).sent >= 1, 'what was measured is told');
});

test('a reader that goes away ends it quietly; one that stands still does not keep Ctrl-C away', async (t) => {
  const relay = await t.relay({ servers: mock() });
  const sh = (script) => (command) => ['bash', '-c', script, 'bash', ...command];
  const head = await ctl(relay, ['watch'], { wrap: sh('"$@" | head -n 1') });
  assertCode(head, 0);
  assert.equal(head.stderr, '');
  const closed = await ctl(relay, ['tool', 'echo', '-'], {
    wrap: sh('"$@" | true; exit ${PIPESTATUS[0]}'),
    input: JSON.stringify({ message: 'x'.repeat(1 << 20) }),
  });
  assertCode(closed, 0);
  assert.equal(closed.stderr, '');
  const client = await t.client(relay);
  const stuck = new Ctl(relay, ['tool', 'echo', '-'], {
    input: JSON.stringify({ message: 'x'.repeat(1 << 20) }),
  });
  stuck.process.stdout.pause();
  await until(async () => (await connections(client)) === 2, 'it is connected');
  await until(() => stuck.process.stdout.readableLength > 0, 'it writes');
  stuck.kill('SIGINT');
  stuck.process.stdout.resume();
  assertCode(await stuck.end(), 130);
  const full = await ctl(relay, ['tools'], { wrap: sh('"$@" >/dev/full') });
  assertCode(full, 1);
  assert.match(full.stderr, /cannot write to standard output: No space/);
});

test('a standard error that nobody reads does not keep it from ending', async (t) => {
  const fifo = path.join(t.dir, 'stderr');
  spawnSync('mkfifo', [fifo]);
  const fd = fs.openSync(fifo, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  t.atEnd(() => fs.closeSync(fd));
  assert.throws(() => {
    for (;;) fs.writeSync(fd, Buffer.alloc(4096));
  }, /EAGAIN/);
  const run = await ctl(await deadAddress(), ['status'], { wrap: (command) => ['bash', '-c', `exec "$@" 2>'${fifo}'`, 'bash', ...command] });
  assertCode(run, 4);
});

// ---- terminals

const script = { skip: has('script') ? false : 'no script(1) on this machine' };

/** Under a pseudo-terminal, which takes no size from the tests' own. What comes is stdout and stderr together. */
const terminal = (size = '') => ({
  env: { TERM: 'xterm' },
  wrap: (command) => {
    const line = command.map((word) => `'${word}'`).join(' ');
    return ['script', '-qec', size ? `stty ${size}; exec ${line}` : line, '/dev/null'];
  },
});
/** What script(1) runs. */
const programOf = ({ process: { pid } }) =>
  Number(fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);

const onTerminal = (to, args, env, size) => {
  const { env: own, wrap } = terminal(size);
  return ctl(to, args, { env: { ...own, ...env }, wrap });
};

test('on a terminal: a progress line that is taken away, and colors unless NO_COLOR', script, async (t) => {
  const relay = await t.relay({ servers: mock() });
  const run = await onTerminal(relay, ['tool', 'slow', 'steps:=8', 'stepMs:=100', 'message=ready']);
  assertCode(run, 0);
  assert.match(run.stdout, /\r *\d+% step \d of 8 \(\d+\.\d s\)\u001b\[K/);
  assert.match(run.stdout, /\r\u001b\[Kready\r\n$/);
  assert.match((await onTerminal(relay, ['status'])).stdout, /\u001b\[32m/);
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    assert.ok(!(await onTerminal(relay, ['status'], env)).stdout.includes('\u001b'));
  }
  assert.ok(!(await onTerminal(relay, ['status', '--color', 'never'])).stdout.includes('\u001b'));
  assert.match((await ctl(relay, ['status', '--color=always'])).stdout, /\u001b\[32m/);
  assert.ok(!(await ctl(relay, ['agents'])).stdout.includes('\u001b'));
});

test('agents: the narrowest terminal shows that an agent is a mock, and how it is', script, async (t) => {
  const agents = ['busy', 'offline', 'meditating'].map((status, i) => ({
    id: `agent-with-a-long-identifier-${i}-0123456789`,
    name: 'A name as long as names become',
    type: 'coordinator-of-all',
    status,
    mock: true,
  }));
  const relay = await fakeRelay(t, { 'agents/list': { agents } });
  for (const columns of [24, 40, 80, 200]) {
    const run = await onTerminal(relay, ['agents'], { NO_COLOR: '1' }, `cols ${columns}`);
    const [caption, titles, ...rows] = run.stdout.trimEnd().split('\r\n');
    assert.ok(caption.length <= columns && titles.length <= columns, run.stdout);
    assert.match(titles, /^ID +MOCK +STATUS/);
    assert.equal(rows.length, 3);
    for (const row of rows) assert.match(row, / mock +(busy|offli|medit)/, `${columns} columns`);
  }
  const colored = (await onTerminal(relay, ['agents'], {}, 'cols 80')).stdout;
  assert.ok(colored.includes('\u001b[32mbusy') && colored.includes('\u001b[31moffline'), colored);
  assert.doesNotMatch(colored, /m(?<!\[0m)meditating/, 'a word that nobody knows has no color');
});

test('agents --watch: a terminal shows what fits, and how many more there are; a pipe all', script, async (t) => {
  const agents = Array.from({ length: 500 }, (_, i) => ({ id: `agent-${i}`, mock: true }));
  const relay = await fakeRelay(t, { 'agents/list': { agents } });
  const run = new Ctl(relay, ['agents', '--watch', '--color', 'never'], terminal('rows 12 cols 60'));
  await run.line((line) => /^and 492 more: /.test(line), 'how many more');
  const frame = run.stdout.slice(run.stdout.lastIndexOf('live: ')).split('\r\n');
  assert.equal(frame.length, 12, 'the last line is the one where the cursor stands');
  assert.match(frame[9], /^agent-7 /);
  process.kill(programOf(run), 'SIGTERM');
  assertCode(await run.end(), 143);
  const piped = new Ctl(relay, ['agents', '--watch']);
  await piped.line((line) => line.startsWith('agent-499 '), 'the last one');
  piped.kill('SIGINT');
  assertCode(await piped.end(), 130);
});

test('a terminal that takes nothing does not keep signals away', script, async (t) => {
  const relay = await fakeRelay(t, { 'tools/call': { content: [{ type: 'text', text: 'x'.repeat(1 << 20) }] } });
  const run = new Ctl(relay, ['tool', 'long'], { wrap: (command) => ['script', '-qec', `exec ${command.join(' ')}`, '/dev/null'] });
  run.process.stdout.pause();
  await until(() => run.process.stdout.readableLength > 0, 'it writes');
  const program = programOf(run);
  const state = () => fs.readFileSync(`/proc/${program}/stat`, 'utf8').split(' ')[2];
  await until(() => state() === 'S', 'it waits for the terminal');
  process.kill(program, 'SIGTERM');
  await until(() => !fs.existsSync(`/proc/${program}`) || state() === 'Z', 'it ends');
  run.process.stdout.resume();
  assertCode(await run.end(), 143);
});

test('on a terminal, a tool cannot drive it; in a pipe, its text is what it was', script, async (t) => {
  const text = 'a\u001b[2J\u009bb\tc\n';
  const relay = await fakeRelay(t, { 'tools/call': { content: [{ type: 'text', text }] } });
  const seen = await onTerminal(relay, ['tool', 'x']);
  assert.match(seen.stdout, /a\\x1b\[2J\\u\{9b\}b\tc\r\n/);
  assert.equal((await ctl(relay, ['tool', 'x'])).stdout, text);
  const json = (await onTerminal(relay, ['tool', 'x', '--json'])).stdout;
  assert.ok(json.includes('a\\u001b[2J\\u009bb'), json);
  assert.equal(JSON.parse(json).content[0].text, text, 'no value has changed');
});

// ---- help, manual, completion

test('help: every command, with an example; usage errors are 2', async () => {
  const overview = await ctl(undefined, ['--help']);
  assertCode(overview, 0);
  assert.equal((await ctl(undefined, ['help'])).stdout, overview.stdout);
  for (const command of COMMANDS) {
    assert.ok(overview.stdout.includes(`\n  ${command} `), command);
    const one = await ctl(undefined, [command, '--help']);
    assertCode(one, 0);
    assert.match(one.stdout, /\nExample:\n {2}agent-relayctl /);
    assert.match(one.stdout, /\n {4}4 {2}the relay cannot be reached/);
    assert.equal((await ctl(undefined, ['help', command])).stdout, one.stdout);
  }
  assert.match((await ctl(undefined, ['--version'])).stdout, /^agent-relayctl \d+\.\d+\.\d+\n$/);
  for (const args of [[], ['nope'], ['status', '--nope'], ['help', 'nope'], ['call']]) {
    const run = await ctl(undefined, args);
    assertCode(run, 2);
    assert.match(run.stderr, /^agent-relayctl: /);
  }
});

test('a wrong command line, too, is a document with --json', async (t) => {
  const relay = await fakeRelay(t);
  for (const args of [
    [],
    ['nope'],
    ['status', '--nope'],
    ['agents', '--count', '7'],
    ['status', '--relay', 'tls://h:1'],
    ['status', '--no-start', '--relay', 'tls://h:1'],
    ['call'],
    ['call', ''],
    ['call', 'm', '{'],
    ['tool', ''],
    ['tool', 'm', 'x'],
  ]) {
    const run = await ctl(relay, [...args, '--json']);
    assertCode(run, 2);
    const { error, exit } = document(run);
    assert.deepEqual([error.name, exit], ['USAGE', 2]);
    assert.equal(run.stderr, `agent-relayctl: ${error.message}\n`);
  }
  assert.equal((await ctl(relay, ['call', 'm', '{', '--', '--json'])).stdout, '');
});

/** What the help says of flags: all that stand in it. */
const flagsOf = (help) => [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag);

test(
  'the manual page is well-formed and knows every command, flag and exit code',
  { skip: has('man') && has('groff') ? false : 'no man or groff on this machine' },
  async () => {
    const { stdout, stderr, status } = spawnSync('man', ['--warnings', '-l', manual], {
      env: { ...process.env, MANWIDTH: '100', LC_ALL: 'C.UTF-8' },
      encoding: 'utf8',
    });
    assert.equal(status, 0);
    assert.equal(stderr, '');
    for (const command of COMMANDS) {
      assert.match(stdout, new RegExp(`^ {7}${command}\\b`, 'm'), command);
      const flags = flagsOf((await ctl(undefined, ['help', command])).stdout);
      assert.ok(flags.length >= 5);
      for (const flag of flags) assert.match(stdout, new RegExp(`^ {7}.*${flag}\\b`, 'm'), flag);
    }
    const overview = (await ctl(undefined, ['--help'])).stdout;
    const codes = [...overview.matchAll(/^ +(\d+) {2}/gm)].map(([, code]) => code);
    assert.deepEqual(codes, ['0', '1', '2', '3', '4', '5', '130']);
    for (const code of codes) assert.match(stdout, new RegExp(`^ {7}${code}\\b`, 'm'));
  },
);

/**
 * What bash offers for this line, the cursor at its end. The line is cut into words as bash does, at these characters
 * too; what bash then replaces is not cut at '@'.
 */
function complete(line, env, breaks = '@:=') {
  const words = line.match(new RegExp(`[${breaks}]+|[^\\s${breaks}]+`, 'g')) ?? [];
  const replaced = line.match(/[^\s:=]*$/)[0];
  if (/\s$/.test(line)) words.push('');
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const program = `source '${completion}'; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
    COMP_WORDS[0]='${ctlBinary}'; _agent_relayctl agent-relayctl '${replaced}'; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return new Promise((resolve) => {
    const run = new Ctl(undefined, [], { env, wrap: () => ['bash', '-c', program] });
    run.end().then(({ stdout, stderr }) => {
      assert.equal(stderr, '');
      resolve(stdout.split('\n').filter(Boolean));
    });
  });
}

test('completion: commands, flags, values, tools and servers', async (t) => {
  const relay = await t.relay({ servers: mock() });
  const env = { AGENT_CONTROL_URL: urlOf(relay.address) };
  assert.deepEqual(await complete('agent-relayctl ', env), COMMANDS);
  assert.deepEqual(await complete('agent-relayctl to', env), ['tools', 'tool']);
  assert.deepEqual(await complete('agent-relayctl --json st', env), ['status']);
  assert.deepEqual(await complete('agent-relayctl help pi', env), ['ping']);
  assert.deepEqual(await complete('agent-relayctl call m --policy ', env), ['fail', 'wait', 'mock']);
  assert.deepEqual(await complete('agent-relayctl call m --policy=w', env), ['wait']);
  assert.deepEqual(await complete('agent-relayctl tool agent_', env), [
    'agent_list',
    'agent_spawn',
    'agent_metrics',
  ]);
  assert.deepEqual(await complete('agent-relayctl tool echo ', env), ['message=']);
  assert.deepEqual(await complete('agent-relayctl tool agent_spawn ty', env), ['type=']);
  assert.deepEqual(await complete('agent-relayctl tools ec', env), ['echo']);
  assert.deepEqual(await complete('agent-relayctl servers ', env), ['mock']);
  for (const to of [`--relay ${urlOf(relay.address)}`, `--relay=${urlOf(relay.address)}`]) {
    assert.deepEqual(await complete(`agent-relayctl ${to} tool ec`, {}), ['echo']);
    assert.deepEqual(await complete(`agent-relayctl tool ${to} ec`, {}), ['echo']);
  }
  for (const command of COMMANDS) {
    const offered = await complete(`agent-relayctl ${command} --`, env);
    const known = flagsOf((await ctl(undefined, ['help', command])).stdout);
    assert.deepEqual(offered.sort(), known.sort(), command);
  }
});

test('completion: files behind @, whether or not bash cuts words there', async (t) => {
  for (const name of ['params.json', 'other']) fs.writeFileSync(t.file(name), '{}');
  fs.mkdirSync(t.file('pages'));
  const begun = `@${t.file('pa')}`;
  const files = [`@${t.file('pages')}/`, `@${t.file('params.json')}`];
  for (const breaks of ['@:=', ':=']) {
    for (const before of ['call x/y', 'tool echo', 'tool echo a=b', '--json tool -- echo']) {
      const offered = await complete(`agent-relayctl ${before} ${begun}`, {}, breaks);
      assert.deepEqual(offered.sort(), files, before);
    }
    assert.ok((await complete('agent-relayctl call x/y @', {}, breaks)).includes('@README.md'));
    const nobody = { AGENT_CONTROL_URL: urlOf(await deadAddress()) };
    for (const before of [`tool`, `agents`, `tool echo a=`])
      assert.deepEqual(await complete(`agent-relayctl ${before} ${begun}`.replace('= ', '='), nobody, breaks), [], before);
  }
});

test('completion: a relay that is not there or hangs costs a second at most; names are never run', async (t) => {
  const nobody = await deadAddress();
  assert.deepEqual(await complete('agent-relayctl tool ', { AGENT_CONTROL_URL: urlOf(nobody) }), []);
  const silent = await fakeRelay(t, { initialize: () => undefined });
  const times = [];
  do {
    const from = performance.now();
    assert.deepEqual(await complete('agent-relayctl tool ', { AGENT_CONTROL_URL: urlOf(silent.address) }), []);
    times.push(performance.now() - from);
  } while (times.at(-1) >= scaled(3000) && times.length < 10); // the machine may be busy, but not each time
  assert.ok(times.at(-1) < scaled(3000), `${times}`);
  const trace = t.file('run');
  const names = [`$(touch ${trace})`, `\`touch ${trace}\``, 'two words', '*'];
  const evil = await fakeRelay(t, { 'tools/list': { tools: names.map((name) => ({ name })) } });
  const offered = await complete('agent-relayctl tool ', { AGENT_CONTROL_URL: urlOf(evil.address) });
  assert.equal(offered.length, 4);
  assert.ok(!fs.existsSync(trace));
  const back = spawnSync('bash', ['-c', `printf '%s\\n' ${offered.join(' ')}`], {
    encoding: 'utf8',
    env: cleanEnvironment(),
  });
  assert.deepEqual(back.stdout.trimEnd().split('\n'), names, 'quoted as the shell reads them back');
  assert.ok(!fs.existsSync(trace));
});
