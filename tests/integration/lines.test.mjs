// What comes on a line that is not quite a message: from a child, and from a client.
import assert from 'node:assert/strict';
import { test } from './lib/harness.mjs';

const BOM = '\ufeff';
const initialize = (id) => ({
  jsonrpc: '2.0',
  id,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
});

/** A server whose every line is made by the body of a function of the message: `(m) => text`, without a newline. */
function lineServer(body, boot = '') {
  const program = `
    const write = (text) => process.stdout.write(text + '\\n');
    const result = (m) => m.method === 'initialize'
      ? { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'l', version: '1' } } : { said: m.method };
    const answer = (m, id = m.id) => '{"jsonrpc":"2.0","id":' + id + ',"result":' + JSON.stringify(result(m)) + '}';
    ${boot}
    require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const m = JSON.parse(line);
      if (m.id === undefined || m.method === undefined) return;
      const text = (${body})(m, answer);
      if (text !== undefined) write(text);
    });`;
  return { command: process.execPath, args: ['-e', program] };
}

async function answersAll(t, server) {
  const relay = await t.relay({ servers: { odd: server } });
  const client = await t.ready(relay);
  const { result } = await client.request('x/one');
  assert.deepEqual(result, { said: 'x/one' });
  return { relay, client };
}

test('a child that spells our id in another way is answered', async (t) => {
  for (const spelling of [`'"' + m.id + '"'`, `m.id + '.0'`, `m.id + 'e0'`])
    await answersAll(t, lineServer(`(m, answer) => answer(m, ${spelling})`));
});

test('a byte order mark, escape sequences and a progress bar before a message', async (t) => {
  await answersAll(t, lineServer('(m, answer) => answer(m)', `process.stdout.write('${BOM}');`));
  const { relay } = await answersAll(
    t,
    lineServer("(m, answer) => '\\u001b[2K\\r 40% |####    |' + answer(m) + '\\u001b[0m'"),
  );
  await relay.event("child's stdout: no message", { server: 'odd', looks_like: 'escapes' });
});

test('a JSON log line with the id of a call does not cost the call its answer', async (t) => {
  await answersAll(
    t,
    lineServer("(m, answer) => JSON.stringify({ level: 'info', id: m.id, msg: 'x' }) + '\\n' + answer(m)"),
  );
});

test('a start that fails says what the child wrote instead', async (t) => {
  const servers = {
    banner: lineServer('() => undefined', "write('Listening on http://localhost:3000');"),
    length: lineServer("(m, answer) => 'Content-Length: ' + answer(m).length + '\\r\\n\\r'"),
    echo: { command: 'cat', args: [] },
  };
  for (const [name, what] of [
    ['banner', /plain text.*banner/],
    ['length', /Content-Length/],
    ['echo', /repeats what is sent to it/],
  ]) {
    const relay = await t.relay({ servers: { [name]: servers[name] }, relay: { startTimeoutMs: 1000 } });
    const client = await t.client(relay);
    client.send(initialize(1));
    const { error } = await client.reply(1);
    assert.equal(error.data.code, 'SERVER_UNAVAILABLE');
    assert.match(error.message, what);
    assert.ok(error.data.stdoutLines.length > 0);
  }
});

test('a call that times out says what the child wrote instead', async (t) => {
  const relay = await t.relay({ relay: { timeoutMs: 1000 } });
  const client = await t.ready(relay);
  const { error } = await client.script([{ out: '[INFO] working on it' }, { noReply: true }]);
  assert.equal(error.data.code, 'TIMEOUT');
  assert.match(error.message, /log lines/);
  assert.deepEqual(error.data.stdoutLines, ['[INFO] working on it']);
});

test('a client that begins with a byte order mark', async (t) => {
  const relay = await t.relay({});
  const client = await t.client(relay);
  client.sendText(`${BOM}${JSON.stringify(initialize(1))}`);
  assert.ok((await client.reply(1)).result);
});

test('a client that sends no newline', async (t) => {
  const relay = await t.relay({});
  const client = await t.client(relay);
  client.stream.write(JSON.stringify(initialize(1)));
  assert.ok((await client.reply(1)).result);
  client.stream.write(JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'ping' }));
  assert.deepEqual((await client.reply(2)).result, {});
  await relay.event("client's message without a newline taken");
  client.stream.write('\n');
  client.sendText(JSON.stringify({ jsonrpc: '2.0', id: 3, method: 'ping' }));
  assert.deepEqual((await client.reply(3)).result, {});
});

test('malformed notifications are not answered, and the first one is logged', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  client.sendText('{"jsonrpc":"2.0","method":"notifications/cancelled","params":7}');
  client.sendText('{"method":"notifications/x"}');
  client.sendText('[{"jsonrpc":"2.0","method":"notifications/x"}]');
  client.sendText('{"jsonrpc":"2.0","id":9,"method":"ping","params":null}');
  const { msg } = await client.take(() => true, 'the first line that comes');
  assert.deepEqual(msg, { jsonrpc: '2.0', id: 9, result: {} });
  await relay.event("client's notification ignored", { count: 1 });
});

test('at info the log has few lines of a ready child, and none of clients that leave', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  await client.script(Array.from({ length: 50 }, (_, i) => ({ err: `line ${i}` })));
  await client.close();
  await (await t.ready(relay)).script([{ exit: 3 }]); // the last line is the child's end
  await relay.event('child exited');
  assert.equal(relay.log.filter(({ event }) => event === "child's stderr").length, 20);
  assert.equal(relay.log.filter(({ event }) => event === 'client closed').length, 0);
});
