// agent-relayctl, one question each: status, ping, call, tools, tool. The real program against real relays and scripted ones.
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { assert, atMost, fake, scaled, test, until } from './lib/harness.mjs';
import { Ctl, assertCode, ctl, deadAddress, document, fakeRelay, mock, urlOf } from './lib/relayctl.mjs';

const servers = async (client) => (await client.request('relay/servers')).result.servers;

// ---- status

test('status: live is 0, and says what is there', async (t) => {
  const relay = await t.relay({ servers: mock() });
  const run = await ctl(relay, ['status']);
  assertCode(run, 0);
  assert.match(run.stdout, /^state +live/m);
  assert.match(run.stdout, /agent-relay \d+\.\d+\.\d+, pid \d+/);
  assert.match(run.stdout, /^server +mock: ready/m);
  assert.match(run.stdout, /^round trip +\d+(\.\d{1,3})? ms$/m);
  assert.equal(run.stderr, '');
  const status = document(await ctl(relay, ['status', '--json']));
  assert.equal(status.state, 'live');
  assert.equal(status.exit, 0);
  assert.equal(status.relay.health, 'ok');
  assert.equal(status.error, null);
  assert.ok(status.roundTripMs > 0);
  assert.match(String(status.roundTripMs), /^\d+(\.\d{1,3})?$/);
  t.figure(`relayctl: a health check (status) takes ${(await ctl(relay, ['status'])).ms.toFixed(0)} ms`);
});

test('status: 3 when the server hangs, although the relay answers initialize for it', async (t) => {
  const relay = await t.relay({ servers: mock() });
  assertCode(await ctl(relay, ['status']), 0);
  const client = await t.client(relay);
  const { pid } = (await servers(client))[0];
  process.kill(pid, 'SIGSTOP');
  t.atEnd(() => process.kill(pid, 'SIGCONT'));
  const run = await ctl(relay, ['status', '--json', '--timeout', String(scaled(1000))]);
  assertCode(run, 3);
  assert.match(run.stderr, /^agent-relayctl: the server has not answered tools\/list within \d+ ms/);
  const status = document(run);
  assert.deepEqual([status.state, status.server], ['degraded', 'the server does not answer']);
  assert.equal(status.relay.servers[0].state, 'ready', 'the relay has not noticed');
  process.kill(pid, 'SIGCONT');
  assertCode(await ctl(relay, ['status']), 0);
});

test("status: any answer of the server's is one, a relay's error is none", async (t) => {
  const relays = { relay: true, code: 'SERVER_UNAVAILABLE', retryable: false, sent: true };
  for (const [answer, code] of [
    [{ error: { code: -32601, message: 'Method not found' } }, 0],
    [{ error: { code: -31002, message: 'a number of its own' } }, 0],
    [{ error: { code: -31007, message: 'Message too large', data: { ...relays, code: 'TOO_LARGE' } } }, 0],
    [{ tools: 'x'.repeat(9 << 20) }, 0],
    [{ error: { code: -31001, message: 'Server unavailable', data: relays } }, 3],
    [{ error: { code: -31002, message: 'Request timed out', data: { ...relays, code: 'TIMEOUT' } } }, 3],
  ]) {
    const relay = await fakeRelay(t, { 'tools/list': answer });
    const run = await ctl(relay, ['status', '--timeout', '60000']); // nine MiB take a while on a busy machine
    assertCode(run, code);
    assert.match(run.stdout, code === 0 ? /^state +live: the server answers/ : /^state +degraded: the server does not answer/);
    if (answer.error?.code === -31001) assert.match(run.stderr, /tools\/list: Server unavailable \(error -31001\)/);
    if (code === 3 && answer.error.code === -31002) assert.match(run.stderr, /has not answered tools\/list within/);
  }
  const leaving = await fakeRelay(t, { 'tools/list': (message, send, socket) => void socket.destroy() });
  assertCode(await ctl(leaving, ['status']), 4);
});

test('status: one connection; a lazy server is started by asking, and not by looking', async (t) => {
  const relay = await t.relay({ servers: mock() });
  const client = await t.client(relay);
  const looked = await ctl(relay, ['status', '--no-start', '--json']);
  assertCode(looked, 0);
  assert.equal(document(looked).relay.servers[0].state, 'idle');
  assert.equal(document(looked).state, 'up', 'live is for a server that answered');
  assert.equal((await servers(client))[0].state, 'idle', 'looking has started nothing');
  assertCode(await ctl(relay, ['status']), 0);
  assert.equal((await servers(client))[0].state, 'ready');
  const { accepted } = (await client.request('relay/status')).result.clients;
  assert.equal(accepted, 3, 'one connection each');
});

test('status: 3 when the server cannot start, with a request and with --no-start', async (t) => {
  // One failure is enough for the state in which it stays: between two it would be starting again.
  const relay = await t.relay({ servers: { broken: { command: 'false' } }, relay: { breakerExits: 1 } });
  const run = await ctl(relay, ['status', '--json']);
  assertCode(run, 3);
  assert.equal(document(run).state, 'degraded');
  assert.match(run.stderr, /^agent-relayctl: .+/);
  assertCode(await ctl(relay, ['tools']), 3);
  const client = await t.client(relay);
  await until(
    async () => (await servers(client))[0].state === 'crash-loop',
    'it is known to fail',
  );
  const looked = await ctl(relay, ['status', '--no-start']);
  assertCode(looked, 3);
  assert.match(looked.stdout, /broken: crash-loop/);
});

test('a server that starts for longer than --timeout: 3, and the state in the output', async (t) => {
  const relay = await t.relay({ servers: { mute: fake({ mute: true }) } });
  const timeout = String(scaled(1000));
  for (const args of [['status'], ['agents'], ['tools'], ['call', 'x/y'], ['tool', 'x'], ['call', 'x/y', '--policy', 'wait']]) {
    const run = await ctl(relay, [...args, '--timeout', timeout]);
    assertCode(run, 3);
    assert.match(run.stderr, /the relay at .* answers, but initialize was not answered within \d+ ms/, `${args}`);
    assert.match(run.stderr, /may still be starting; see agent-relayctl servers/);
    if (args[0] === 'status') assert.match(run.stdout, /^server +mute: starting/m);
  }
  assertCode(await ctl(relay, ['status', '--no-start']), 0);
});

test('a peer that sends nothing: 5, and no other claim about it', async (t) => {
  const silent = await fakeRelay(t, {
    initialize: () => undefined,
    'relay/status': () => undefined,
    'relay/ping': () => undefined,
    'relay/servers': () => undefined,
  });
  for (const line of ['status', 'status --no-start', 'agents', 'tools', 'call x/y', 'ping', 'servers', 'call relay/status']) {
    const args = line.split(' ');
    const run = await ctl(silent, [...args, '--timeout', '300', '--json']);
    assertCode(run, 5);
    assert.match(run.stderr, /^agent-relayctl: 127.0.0.1:\d+ took the connection, but sent nothing within 300 ms: /, line);
    assert.equal(document(run).exit, 5);
  }
  const foreign = await fakeRelay(t);
  for (const args of [['servers'], ['call', 'relay/status']]) {
    const run = await ctl(foreign, args);
    assertCode(run, 1);
    assert.match(run.stderr, /Method not found \(error -32601\); what answers at 127.0.0.1:\d+ is no Agent Relay/);
  }
});

test('what speaks no JSON-RPC is 4, both ways of asking', async (t) => {
  for (const hello of ['SSH-2.0-OpenSSH_9.2\r\n', '{"hello":1}\n', '\u001b[2J\n']) {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.write(hello);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = { host: '127.0.0.1', port: server.address().port };
    t.atEnd(() => server.close());
    for (const more of [[], ['--no-start']]) {
      const run = await ctl(address, ['status', '--timeout', String(scaled(20_000)), '--json', ...more]);
      assertCode(run, 4);
      assert.match(run.stderr, /does not speak JSON-RPC in lines/);
      assert.match(run.stderr, /AGENT_CONTROL_URL/);
      assert.equal(document(run).exit, 4);
    }
  }
});

test('status: 4 when nobody listens, at once; 5 on silence, in time; both ways of asking', async (t) => {
  const nobody = await deadAddress();
  const silent = await fakeRelay(t, {
    initialize: () => undefined,
    'relay/status': () => undefined,
    'relay/ping': () => undefined,
  });
  for (const more of [[], ['--no-start']]) {
    const refused = await ctl(nobody, ['status', '--timeout', '60000', ...more]);
    assertCode(refused, 4);
    assert.match(refused.stderr, new RegExp(`${nobody.port}.*refused.*AGENT_CONTROL_URL`, 'i'));
    const unanswered = await ctl(silent, ['status', '--timeout', '300', '--json', ...more]);
    assertCode(unanswered, 5);
    assert.equal(document(unanswered).exit, 5);
    assert.ok(unanswered.ms < atMost(3000), `${unanswered.ms} ms`);
  }
});

test('status: a server that is no Agent Relay but answers is live; --no-start cannot tell', async (t) => {
  const other = await fakeRelay(t);
  assertCode(await ctl(other, ['status']), 0);
  const looked = await ctl(other, ['status', '--no-start']);
  assertCode(looked, 1);
  assert.match(looked.stderr, /no Agent Relay/);
});

test('a Unix socket, --relay before AGENT_CONTROL_URL, and addresses that cannot be', async (t) => {
  const socket = t.file('relay.sock');
  await t.relay({ servers: mock(), relay: { listen: [`unix:${socket}`] } });
  assertCode(await ctl({ path: socket }, ['status']), 0);
  assertCode(await ctl({ path: socket }, ['status', '--no-start']), 0);
  assertCode(await ctl(await deadAddress(), ['status', '--relay', `unix:${socket}`]), 0);
  for (const bad of ['tls://host:1', 'host:99999', 'ftp://x']) {
    for (const more of [[], ['--no-start']]) {
      const run = await ctl(undefined, ['status', '--relay', bad, ...more]);
      assertCode(run, 2);
      assert.match(run.stderr, /^agent-relayctl: --relay: "/);
      assert.equal(run.stdout, '');
      const named = await ctl(undefined, ['status', ...more], { env: { AGENT_CONTROL_URL: bad } });
      assert.equal(named.stderr, run.stderr.replace('--relay', 'AGENT_CONTROL_URL'));
    }
  }
});

// ---- ping

test('ping: counts round trips', async (t) => {
  const relay = await t.relay({ servers: { never: { command: 'false' } } });
  const run = await ctl(relay, ['ping', '-n', '20', '-i', '0', '--json']);
  assertCode(run, 0);
  const sum = document(run);
  assert.deepEqual([sum.sent, sum.answered, sum.lost], [20, 20, 0]);
  assert.ok(sum.minMs > 0 && sum.minMs <= sum.p50Ms && sum.p50Ms <= sum.p99Ms && sum.p99Ms <= sum.maxMs);
  const human = await ctl(relay, ['ping', '-n', '2', '-i', '1']);
  assert.match(
    human.stdout,
    /2 sent, 2 answered, 0 lost\nmin [\d.]+ {2}p50 [\d.]+ {2}p99 [\d.]+ {2}max [\d.]+ ms\n$/,
  );
  assertCode(await ctl(await deadAddress(), ['ping']), 4);
});

test('ping: what is lost is counted, and 3; all lost at the start is 5; a plain MCP server gets ping', async (t) => {
  let pings = 0;
  const lossy = await fakeRelay(t, { 'relay/ping': () => (pings++ % 2 ? undefined : {}) });
  // Below the heartbeat's 5 s, which would be one ping more.
  const run = await ctl(lossy, ['ping', '-n', '4', '-i', '0', '--timeout', '4000', '--json']);
  assertCode(run, 3);
  assert.equal(document(run).lost, 2);
  assert.match(run.stderr, /lost: /);
  const deaf = await fakeRelay(t, { 'relay/ping': () => undefined });
  assertCode(await ctl(deaf, ['ping', '--timeout', '200']), 5);
  const plain = await fakeRelay(t, { ping: {} });
  assertCode(await ctl(plain, ['ping', '-n', '2', '-i', '0']), 0);
});

test('ping: a relay that goes away between two rounds is counted as lost', async (t) => {
  let pings = 0;
  const leaving = await fakeRelay(t, { 'relay/ping': (message, send, socket) => (pings++ < 3 ? {} : void socket.destroy()) });
  const run = await ctl(leaving, ['ping', '-n', '6', '-i', '0', '--timeout', String(scaled(3000)), '--json']);
  assertCode(run, 3);
  const { sent, answered, lost } = document(run);
  assert.equal(sent, answered + lost);
  assert.ok(answered >= 2 && lost >= 1, run.stdout);
});

// ---- call

test('call: results as they came, laid out for people; params inline, from standard input, from a file', async (t) => {
  const exact = '{"big":9007199254740993,"e":1.50e+3,"s":"a\\u0000b"}';
  const relay = await fakeRelay(t, {
    'x/echo': (message) => message.params ?? { none: true },
    'x/exact': (message, send) =>
      void send(`{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":${exact}}`),
  });
  assert.equal((await ctl(relay, ['call', 'x/exact', '--json'])).stdout, `${exact}\n`);
  assert.equal(
    (await ctl(relay, ['call', 'x/exact'])).stdout,
    '{\n  "big": 9007199254740993,\n  "e": 1.50e+3,\n  "s": "a\\u0000b"\n}\n',
  );
  const file = t.file('params.json');
  fs.writeFileSync(file, '{"from":\n "file"}');
  const echo = async (operand, options) =>
    document(await ctl(relay, ['call', 'x/echo', ...operand, '--json'], options));
  assert.deepEqual(await echo([]), { none: true });
  assert.deepEqual(await echo(['{"a":[1,2]}']), { a: [1, 2] });
  assert.deepEqual(await echo(['[1]']), [1]);
  assert.deepEqual(await echo([`@${file}`]), { from: 'file' });
  assert.deepEqual(await echo(['-'], { input: '{"from": "stdin"}' }), { from: 'stdin' });
});

test('call: a mistake in the JSON is reported with its place before anything is connected', async (t) => {
  const relay = await fakeRelay(t);
  for (const [args, says] of [
    [['call', 'm', '{"a":1,}'], /line 1, column 8: .*last comma/],
    [['call', 'm', "{'a':1}"], /line 1, column 2: .*double quotes/],
    [['call', 'm', '{\n"a":True}'], /line 2, column 5: .*write true/],
    [['call', 'm', '7'], /object or array is needed/],
    [['tool', 'm', '[1]'], /object is needed/],
    [['tool', 'm', 'a=1', 'b'], /'b' is no pair/],
    [['call', 'm', '@/no/such/file'], /No such file/],
    [['call', 'm', '@'], /write @FILE/],
    [['tool', 'm', '@'], /write @FILE/],
    [['call', ''], /the method is empty/],
    [['call', 'initialize'], /sent by agent-relayctl itself/],
    [['call', 'notifications/x'], /a notification gets no answer/],
    [['tool', ''], /the tool's name is empty/],
  ]) {
    const run = await ctl(relay, args);
    assertCode(run, 2);
    assert.match(run.stderr, says);
  }
  assert.equal(relay.connections, 0);
});

test('call: an error is 1, with the code and the data; --json gives a document', async (t) => {
  const relay = await fakeRelay(t, {
    'x/no': () => ({ error: { code: -32042, message: 'no\u001b[2J way', data: { why: ['because'] } } }),
  });
  const run = await ctl(relay, ['call', 'x/no', '--json']);
  assertCode(run, 1);
  const { error, exit } = document(run);
  assert.deepEqual([error.code, error.data, exit], [-32042, { why: ['because'] }, 1]);
  assert.match(run.stderr, /x\/no: no\\x1b\[2J way \(error -32042\)\n.*because/);
  assert.ok(!run.stderr.includes('\u001b'));
});

test("call: each error of the relay's comes with its name and a suggestion", async (t) => {
  const errors = [
    ['SERVER_UNAVAILABLE', -31001, 3],
    ['TIMEOUT', -31002, 5],
    ['OVERLOADED', -31003, 1],
    ['RATE_LIMITED', -31004, 1],
    ['UNAUTHENTICATED', -31005, 1],
    ['FORBIDDEN', -31006, 1],
    ['TOO_LARGE', -31007, 1],
    ['NO_SUCH_SERVER', -31008, 1],
    ['DRAINING', -31009, 3],
    ['CONNECTION_LOST', -31010, 1],
    ['BAD_REPLY', -31011, 1],
    ['RELAY_ERROR', -31999, 1],
  ];
  const relay = await fakeRelay(t, {
    'x/no': ({ params }) => ({ error: { code: params.code, message: 'no', data: { relay: true, sent: false } } }),
  });
  for (const [name, code, exits] of errors) {
    const run = await ctl(relay, ['call', 'x/no', `{"code":${code}}`, '--json']);
    assertCode(run, exits);
    const { error, exit } = document(run);
    assert.deepEqual([error.name, error.code, error.message, exit], [name, code, 'no', exits]);
    assert.ok(error.suggestion.length > 20, name);
    assert.ok(run.stderr.includes(`x/no: no (error ${code})\n`), run.stderr);
    assert.ok(run.stderr.endsWith(`  ${error.suggestion}\n`), run.stderr);
  }
});

test('call: time-outs are 5, and the server gets a cancellation', async (t) => {
  const relay = await fakeRelay(t, { 'x/never': () => undefined });
  const run = await ctl(relay, ['call', 'x/never', '--timeout', String(scaled(1500))]);
  assertCode(run, 5);
  assert.match(run.stderr, /x\/never: no answer within \d+ ms; give it a longer --timeout; it may have run all the same/);
  const { params } = await relay.message('notifications/cancelled');
  assert.equal(params.requestId, (await relay.message('x/never')).id);
});

test('call: a relay that goes away in the middle is 4', async (t) => {
  const relay = await fakeRelay(t, { 'x/die': (message, send, socket) => void socket.destroy() });
  const run = await ctl(relay, ['call', 'x/die']);
  assertCode(run, 4);
  assert.match(run.stderr, /may have run/);
});

test("call: the relay's own errors get their codes; its own methods need no server", async (t) => {
  const relay = await t.relay({
    servers: { mute: fake({ mute: true }), broken: { command: 'false' } },
    relay: { listen: ['127.0.0.1:0=mute', '127.0.0.1:0=broken'] },
  });
  assertCode(await ctl(relay, ['call', 'relay/ping', '--json']), 0);
  assertCode(await ctl(relay.addresses[1], ['call', 'tools/list']), 3);
  assertCode(await ctl(relay.addresses[1], ['call', 'relay/no-such']), 1);
});

test('--policy: fail ends at once, wait waits for the relay, mock answers and says so', async (t) => {
  const nobody = await deadAddress();
  const refused = await ctl(nobody, ['tool', 'agent_list', '--timeout', '60000']);
  assertCode(refused, 4);
  assert.ok(refused.ms < atMost(5000));
  const waiting = new Ctl(nobody, ['tool', 'echo', 'message=late', '--policy', 'wait', '--timeout', '60000']);
  const relay = await t.relay({
    servers: mock(),
    relay: { listen: [urlOf(nobody)] },
  });
  assert.equal(relay.address.port, nobody.port);
  const late = await waiting.end();
  assertCode(late, 0);
  assert.equal(late.stdout, 'late\n');
  const dead = await deadAddress();
  const gaveUp = await ctl(dead, ['call', 'tools/list', '--policy', 'wait', '--timeout', '300']);
  assertCode(gaveUp, 4);
  const mocked = await ctl(dead, ['call', 'agents/list', '--policy', 'mock', '--json']);
  assertCode(mocked, 3);
  assert.ok(document(mocked).agents.every((agent) => agent.mock === true));
  assert.match(mocked.stderr, /made up/);
  const noSuch = await ctl(dead, ['tool', 'nosuch', '--policy', 'mock', '--json']);
  assertCode(noSuch, 3);
  const output = document(noSuch);
  assert.deepEqual([output.error.code, output.source, output.exit], [-32602, 'mock', 3]);
  assert.match(noSuch.stderr, /nosuch: the mock says: .* \(error -32602\)\n.*made up: the mock gave it/);
  assertCode(await ctl(dead, ['tool', 'echo', '{}', '--policy', 'mock']), 3);
  assertCode(await ctl(dead, ['tool', 'echo', '--policy', 'mock']), 2);
  const unknown = await ctl(dead, ['call', 'x/unknown', '--policy', 'mock']);
  assert.ok([1, 4].includes(unknown.code), `${unknown.code} ${unknown.stderr}`);
});

// ---- tools, tool

test('tools: every page, as a table, as JSON, as names', async (t) => {
  const pages = {
    undefined: { tools: [{ name: 'a', description: 'first\nline' }], nextCursor: 'two"' },
    'two"': { tools: [{ name: '中文', inputSchema: { properties: { x: {}, y: {} }, required: ['y'] } }] },
  };
  const relay = await fakeRelay(t, { 'tools/list': ({ params }) => pages[params?.cursor] });
  const human = await ctl(relay, ['tools']);
  assertCode(human, 0);
  assert.equal(
    human.stdout,
    ['NAME  ARGUMENTS  DESCRIPTION', 'a     -          first\\nline', '中文  x, y*      -', ''].join('\n'),
  );
  const { tools } = document(await ctl(relay, ['tools', '--json']));
  assert.deepEqual(tools, [...pages.undefined.tools, ...pages['two"'].tools]);
  assert.equal((await ctl(relay, ['tools', '--names'])).stdout, 'a\n中文\n');
});

test('tools: pages without end and answers that are no list are errors', async (t) => {
  const loop = await fakeRelay(t, { 'tools/list': { tools: [], nextCursor: 'again' } });
  const run = await ctl(loop, ['tools']);
  assertCode(run, 1);
  assert.match(run.stderr, /same page/);
  const odd = await fakeRelay(t, { 'tools/list': { tools: 7 } });
  assertCode(await ctl(odd, ['tools', '--json']), 1);
});

test('tool: arguments as pairs or JSON; texts as they are; --json the raw result', async (t) => {
  const relay = await t.relay({ servers: mock() });
  const text = 'Zeile 1\nZeile 2 \u200d 中';
  const run = await ctl(relay, ['tool', 'echo', `message=${text}`]);
  assertCode(run, 0);
  assert.equal(run.stdout, `${text}\n`);
  const raw = document(await ctl(relay, ['tool', 'echo', JSON.stringify({ message: text }), '--json']));
  assert.deepEqual(raw.content, [{ type: 'text', text }]);
  const spawned = await ctl(relay, [
    'tool',
    'agent_spawn',
    'type=coder',
    'capabilities:=["c","sql"]',
    '--json',
  ]);
  assert.deepEqual(JSON.parse(document(spawned).content[0].text).capabilities, ['c', 'sql']);
  const missing = await ctl(relay, ['tool', 'echo']);
  assertCode(missing, 2);
  assert.match(missing.stderr, /the argument message is missing/);
  const failed = await ctl(relay, ['tool', 'echo', '{}']);
  assertCode(failed, 1);
  assert.match(failed.stdout, /message is required/);
  assertCode(await ctl(relay, ['tool', 'no_such_tool']), 1);
});

test('tool: other parts are named, bare results are shown as JSON, isError is 1 with --json too', async (t) => {
  const relay = await fakeRelay(t, {
    'tools/call': ({ params }) =>
      ({
        image: { content: [{ type: 'image', mimeType: 'image/png', data: 'AAAA' }] },
        bare: { status: 'initialized' },
        bad: { content: [{ type: 'text', text: 'no' }], isError: true },
      })[params.name],
  });
  assert.equal((await ctl(relay, ['tool', 'image'])).stdout, '[image image/png, 4 bytes of base64]\n');
  assert.equal((await ctl(relay, ['tool', 'bare'])).stdout, '{\n  "status": "initialized"\n}\n');
  assertCode(await ctl(relay, ['tool', 'bad', '--json']), 1);
});

test('a result of megabytes comes out whole', async (t) => {
  const relay = await t.relay({ servers: mock() });
  const message = 'x'.repeat(3 << 20);
  const run = await ctl(relay, ['tool', 'echo', '-'], { input: JSON.stringify({ message }) });
  assertCode(run, 0);
  assert.equal(run.stdout.length, message.length + 1);
  const tooMuch = await ctl(relay, ['tool', 'echo', '-'], { input: `{"message":"${'x'.repeat(9 << 20)}"}` });
  assertCode(tooMuch, 2);
  assert.match(tooMuch.stderr, /more than 8388608 bytes/);
});
