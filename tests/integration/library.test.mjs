// The library as its users get it: the examples against a real relay, and an installed copy found through pkg-config, from
// C and from C++.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test, assert, binDir, cleanEnvironment, root, scaled, within } from './lib/harness.mjs';
import { Inbox } from './lib/inbox.mjs';

const testBin = path.resolve(root, process.env.AGENT_RELAY_TESTS ?? 'build/tests');
const mock = { mock: { command: path.join(binDir, 'agent-mock') } };

/** A program under test: its stdout by lines, its end; input open until end() is called. */
function run(t, program, args, env) {
  const child = spawn(program, args, { env: cleanEnvironment(env), stdio: ['pipe', 'pipe', 'pipe'] });
  t.atEnd(() => child.kill('SIGKILL'));
  const lines = new Inbox('stdout');
  let rest = '';
  const out = { child, lines, text: '', errors: '' };
  child.stdout.on('data', (chunk) => {
    out.text += chunk;
    rest += chunk;
    const whole = rest.split('\n');
    rest = whole.pop();
    for (const line of whole) lines.push(line);
  });
  child.stderr.on('data', (chunk) => (out.errors += chunk));
  out.ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  out.ended.then((end) => lines.end(`exit ${end.code ?? end.signal}: ${out.errors}`));
  return out;
}

/** An address where nothing listens, until somebody does. */
async function freeAddress() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

test('example ten_lines: mock before the relay, live with it, stale when it is killed', async (t) => {
  const address = await freeAddress();
  const program = run(t, path.join(testBin, 'ten_lines'), [], { AGENT_CONTROL_URL: address });
  await program.lines.take((line) => line === 'mock: 5 agents', 'mock agents');
  const relay = await t.relay({ servers: mock, relay: { listen: [address] }, exit: { code: null, signal: 'SIGKILL' } });
  await program.lines.take((line) => line === 'live: 5 agents', 'live agents');
  relay.signal('SIGKILL');
  await program.lines.take((line) => line === 'stale: 5 agents', 'stale agents');
  program.child.stdin.end();
  assert.deepEqual(await within(program.ended, 'its end'), { code: 0, signal: null });
  assert.equal(program.errors, '', 'the library never logs');
});

test('example own_loop: one tool call on the loop of the host, which ends empty', async (t) => {
  const relay = await t.relay({ servers: mock });
  const { host, port } = relay.address;
  const program = run(t, path.join(testBin, 'own_loop'), [], { AGENT_CONTROL_URL: `${host}:${port}` });
  const end = await within(program.ended, 'its end');
  assert.deepEqual(end, { code: 0, signal: null }, program.text + program.errors);
  assert.match(program.text, /^live answer: \{.*hello.*\}\nclosed\n$/);
});

test('example one_call: C++ waits for an answer, and says why there is none', async (t) => {
  const relay = await t.relay({ servers: mock });
  const { host, port } = relay.address;
  const program = path.join(testBin, 'one_call');
  const answered = run(t, program, ['from C++'], { AGENT_CONTROL_URL: `${host}:${port}` });
  assert.deepEqual(await within(answered.ended, 'its end'), { code: 0, signal: null }, answered.errors);
  assert.match(answered.text, /^live: .*from C\+\+/);
  const refused = run(t, program, [], { AGENT_CONTROL_URL: 'ftp://x' });
  assert.deepEqual(await within(refused.ended, 'its end'), { code: 1, signal: null });
  assert.match(refused.errors, /AGENT_CONTROL_URL/);
});

test('example own_loop: no relay, and the waiting call ends at its deadline', async (t) => {
  const program = run(t, path.join(testBin, 'own_loop'), [], { AGENT_CONTROL_URL: await freeAddress() });
  const end = await within(program.ended, 'its end');
  assert.deepEqual(end, { code: 1, signal: null }, program.text + program.errors);
  assert.match(program.text, /^AR_E_TIMEOUT: [^\n]+\nclosed\n$/);
});

test('an installed copy: pkg-config, a C and a C++ program, shared and static, man page and completion', async (t) => {
  if (/address|thread/.test(binDir)) return t.skip('the plain build is what is installed');
  const stage = t.file('stage');
  const env = cleanEnvironment({ PKG_CONFIG_SYSROOT_DIR: stage, PKG_CONFIG_PATH: `${stage}/usr/lib/pkgconfig` });
  const make = (target) =>
    execFileSync('make', ['-s', target, `DESTDIR=${stage}`, 'PREFIX=/usr'], { cwd: root, env, stdio: 'pipe' });
  const flags = (...what) =>
    execFileSync('pkg-config', [...what, 'agentrelay'], { env, encoding: 'utf8' }).trim().split(/\s+/);
  make('install');
  const installed = fs.readdirSync(stage, { recursive: true, withFileTypes: true }).filter((e) => !e.isDirectory());
  assert.ok(installed.length >= 14, installed.map((e) => e.name).join(' '));

  const version = execFileSync(path.join(stage, 'usr/bin/agent-relay'), ['--version'], { encoding: 'utf8' });
  const modversion = flags('--modversion')[0];
  assert.ok(version.includes(modversion), `${version} ${modversion}`);

  const source = path.join(root, 'backend-client/examples/ten_lines.c');
  const plain = t.file('plain.cc');
  fs.writeFileSync(
    plain,
    '#include <agent_relay.h>\n#include <cstdio>\n' +
      'int main() { ar_client *c; ar_options o; ar_options_init(&o); char p[AR_PROBLEM_SIZE]; o.url = "tls://x:1";\n' +
      '  int rc = ar_open(&o, &c, p, sizeof p); std::printf("%s: %s\\n", ar_code_name(rc), p); return rc == AR_E_INVALID ? 0 : 1; }\n',
  );
  const builds = [
    ['cc', ['-std=c11', '-Wall', '-Wextra', '-Werror', source, ...flags('--cflags', '--libs'), '-o', t.file('c')]],
    ['c++', ['-std=c++17', '-Wall', '-Wextra', '-Wold-style-cast', '-Werror', plain, ...flags('--cflags', '--libs'), '-o', t.file('cc')]],
    ['cc', [source, ...flags('--cflags'), `${stage}/usr/lib/libagentrelay.a`, '-luv', '-lm', '-lpthread', '-o', t.file('static')]],
  ];
  for (const [compiler, args] of builds) execFileSync(compiler, args, { env, stdio: 'pipe' });

  const withLibrary = { LD_LIBRARY_PATH: `${stage}/usr/lib`, AGENT_CONTROL_URL: await freeAddress() };
  for (const name of ['c', 'static']) {
    const program = run(t, t.file(name), [], withLibrary);
    await program.lines.take((line) => line === 'mock: 5 agents', `${name}: mock agents`);
    program.child.stdin.end();
    assert.deepEqual(await within(program.ended, 'its end'), { code: 0, signal: null });
  }
  const refused = run(t, t.file('cc'), [], withLibrary);
  assert.deepEqual(await refused.ended, { code: 0, signal: null }, refused.text + refused.errors);
  assert.match(refused.text, /^AR_E_INVALID: .*tls.*not yet built in/);

  make('uninstall');
  const left = fs.readdirSync(stage, { recursive: true, withFileTypes: true }).filter((e) => !e.isDirectory());
  assert.deepEqual(left.map((e) => e.name), []);
});
