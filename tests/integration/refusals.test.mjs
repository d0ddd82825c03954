// What is refused, and how: no line that the child could read differently ever reaches it.
import { assert, assertRelayError, fake, readJournal, test } from './lib/harness.mjs';
import { LineClient } from './lib/line_client.mjs';

/** The line that the child got for a call of x/mirror, or what it kept of a long one. */
async function mirrored(client, id) {
  const answer = await client.reply(id);
  assert.ok(answer.result, JSON.stringify(answer).slice(0, 300));
  return Buffer.from(answer.result.line, 'base64').toString('utf8');
}

test('case 18: null and duplicate ids in flight are refused', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  client.sendText('{"jsonrpc":"2.0","id":null,"method":"tools/list"}');
  const ofNull = await client.reply(null);
  assertRelayError(ofNull, 'INVALID_REQUEST', { sent: false });

  client.sendScript(5, [{ hold: 'five' }]);
  client.sendScript(5, [{ reply: { wrong: true } }]);
  const duplicate = await client.reply(null);
  assertRelayError(duplicate, 'INVALID_REQUEST', { id: 5 });
  client.sendScript('5', [{ reply: { other: true } }]); // not the same id
  assert.deepEqual((await client.reply('5')).result, { other: true });
  await client.script([{ release: 'five' }]);
  assert.ok((await client.reply(5)).result.values);
  client.sendScript(5, [{ reply: { again: true } }]);
  assert.deepEqual((await client.reply(5)).result, { again: true });
});

test('case 18: an id over the limit, and ids that are none', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  const bad = [`"${'x'.repeat(16 * 1024 - 1)}"`, 'true', '[]', '{}', '{"a":1}'];
  for (const id of bad) {
    client.sendText(`{"jsonrpc":"2.0","id":${id},"method":"tools/list"}`);
    const { msg } = await client.take(({ msg: m }) => 'error' in m, `a refusal of ${id.slice(0, 20)}`);
    assert.equal(msg.error.code, -32600, id.slice(0, 20));
  }
  const [seen] = await client.scriptValues([{ seen: { method: 'tools/list' } }]);
  assert.deepEqual(seen, []);
});

const NOT_JSON = [
  '{"jsonrpc":"2.0","id":1,"method":"x/no"',
  '{"jsonrpc":"2.0","id":1,"method":"x/no",}',
  '{"jsonrpc":"2.0","id":01,"method":"x/no"}',
  '{"jsonrpc":"2.0","id":1,"method":"x/no","params":{"a":.5}}',
  '{"jsonrpc":"2.0","id":1,"method":"x/no","params":{"a":NaN}}',
  "{'jsonrpc':'2.0','id':1,'method':'x/no'}",
  '{"jsonrpc":"2.0","id":1,"method":"x/no"} {}',
  '{"jsonrpc":"2.0","id":1,"method":"x/no","params":{"a":"\t"}}',
  '{"jsonrpc":"2.0","id":1,"method":"x/no","params":{"a":"\\x"}}',
  '{"jsonrpc":"2.0","id":1,"method":"x/no","params":{"a":"\\u12g4"}}',
  '{"jsonrpc":"2.0","id":1,"method":"x/no","params":{"a":\u00a01}}',
  '{"jsonrpc":"2.0","id":1,"method":"x/no"/* comment */}',
];

test('what is not strict JSON is answered -32700 and never reaches the child', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  const utf8 = (bytes) =>
    Buffer.concat([
      Buffer.from('{"jsonrpc":"2.0","id":1,"method":"x/no","params":{"a":"'),
      Buffer.from(bytes),
      Buffer.from('"}}'),
    ]);
  const lines = [
    ...NOT_JSON.map((text) => Buffer.from(text)),
    utf8([0xff]),
    utf8([0xc0, 0xaf]), // overlong
    utf8([0xed, 0xa0, 0x80]), // a surrogate
    utf8([0xf4, 0x90, 0x80, 0x80]), // above U+10FFFF
    utf8([0xe2, 0x82]), // cut short
  ];
  for (const line of lines) {
    await client.sendBytes(Buffer.concat([line, Buffer.from('\n')]));
    const { msg } = await client.take(({ msg: m }) => 'error' in m, `a refusal of ${line}`);
    assert.equal(msg.error.code, -32700, `${line}`);
    assert.equal(msg.id, null);
  }
  const deep = (n) => `{"jsonrpc":"2.0","id":1,"method":"x/no","params":${'['.repeat(n)}${']'.repeat(n)}}`;
  client.sendText(deep(128));
  const { msg } = await client.take(({ msg: m }) => 'error' in m, 'a refusal of what is too deep');
  assert.ok([-32700, -32600].includes(msg.error.code));
  const [seen] = await client.scriptValues([{ seen: { method: 'x/no' } }]);
  assert.deepEqual(seen, []);
});

test('what is JSON and no request of JSON-RPC 2.0 is answered -32600', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  for (const text of [
    '{}',
    '{"jsonrpc":"1.0","id":1,"method":"x/no"}',
    '{"id":1,"method":"x/no"}',
    '{"jsonrpc":2.0,"id":1,"method":"x/no"}',
    '{"jsonrpc":"2.0","id":1,"method":5}',
    '{"jsonrpc":"2.0","id":1}',
    '[{"jsonrpc":"2.0","id":1,"method":"x/no"}]',
    '[]',
    '{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"x/no"}',
  ]) {
    client.sendText(text);
    const { msg } = await client.take(({ msg: m }) => 'error' in m, `a refusal of ${text}`);
    assert.equal(msg.error.code, -32600, text);
  }
  const [seen] = await client.scriptValues([{ seen: { method: 'x/no' } }]);
  assert.deepEqual(seen, []);
});

test('a batch is split for a client of 2025-03-26, and for no other', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay, { protocolVersion: '2025-03-26' });
  client.sendText(
    '[{"jsonrpc":"2.0","id":1,"method":"tools/list"}, {"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":2,"method":"ping"}]',
  );
  assert.ok((await client.reply(1)).result.tools);
  assert.deepEqual((await client.reply(2)).result, {});
});

test('case 24: relay and child agree on which id it is, or the frame is refused', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  const refused = async (text) => {
    client.sendText(text);
    const { msg } = await client.take(({ msg: m }) => 'error' in m, `a refusal of ${text}`);
    assert.equal(msg.error.code, -32600, text);
  };
  const call = '"method":"x/mirror","params":{}';
  await refused(`{"jsonrpc":"2.0","id":1,"id":2,${call}}`);
  await refused(`{"jsonrpc":"2.0","id":1,"\\u0069d":2,${call}}`);
  await refused(`{"jsonrpc":"2.0","id":1,"method":"x/a","method":"x/b"}`);
  await refused(`{"jsonrpc":"2.0","id":1,${call},"params":{"x":1}}`);
  await refused(
    '{"jsonrpc":"2.0","id":1,"method":"x/m","params":{"_meta":{"progressToken":1,"progressToken":2}}}',
  );
  await refused(
    '{"jsonrpc":"2.0","id":1,"method":"x/m","params":{"_meta":{},"_me\\u0074a":{"progressToken":2}}}',
  );

  // Readers that do not mind case would take these for the key.
  await refused(`{"jsonrpc":"2.0","id":1,"ID":7,${call}}`);
  await refused('{"jsonrpc":"2.0","id":1,"method":"x/m","params":{"_META":{"progressToken":1}}}');

  // An escaped key is the key it means: answered under that id, and the child got one of the relay's.
  client.sendText(`{"jsonrpc":"2.0","\\u0069d":1,${call}}`);
  const seen = await mirrored(client, 1);
  assert.ok(Number.isSafeInteger(JSON.parse(seen).id), seen);

  client.sendText(
    '{"jsonrpc":"2.0","id":"outer","method":"x/mirror","params":{"id":1,"arguments":{"id":2},"_meta":{"id":3}}}',
  );
  const inner = JSON.parse(await mirrored(client, 'outer'));
  assert.deepEqual(inner.params, { id: 1, arguments: { id: 2 }, _meta: { id: 3 } });
  const [lines] = await client.scriptValues([{ seen: { method: 'x/m' } }]);
  assert.deepEqual(lines, []);
});

test('case 26: a web page gets one -32700 and a close, and nothing runs', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({ servers: { fake: fake({ journal }) } });
  const body =
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}\n' +
    '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"script","arguments":{"steps":[]}}}\n';
  for (const start of [
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\r\n',
    'GET /health HTTP/1.1\r\n\r\n',
    '\x16\x03\x01',
    '"x"\n',
    'null\n',
  ]) {
    const page = await LineClient.connect(relay.address);
    page.sendBytes(Buffer.from(start + body, 'latin1'));
    const { msg } = await page.take(() => true, `an answer to ${start}`);
    assert.equal(msg.error.code, -32700);
    assert.equal(msg.id, null);
    await page.closed;
    assert.deepEqual(page.left, []);
  }
  // The whole request in one piece, then byte by byte: the verdict is the same.
  const slow = await LineClient.connect(relay.address);
  for (const byte of Buffer.from('POST')) slow.sendBytes(Buffer.from([byte]));
  assert.equal((await slow.take(() => true, 'the refusal')).msg.error.code, -32700);
  await slow.closed;
  const client = await t.ready(relay);
  await client.flush();
  const calls = readJournal(journal).filter(({ method }) => method === 'tools/call');
  assert.equal(calls.length, 1, 'the flush alone');
});

const BAD_REPLIES = {
  'invalid UTF-8': (id) =>
    Buffer.concat([
      Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":{"a":"`),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}}\n'),
    ]),
  'too deep': (id) =>
    Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":${'['.repeat(200)}${']'.repeat(200)}}\n`),
  'cut short': (id) => Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":{"a":1\n`),
  NaN: (id) => Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":{"a":NaN}}\n`),
};

for (const [what, bytes] of Object.entries(BAD_REPLIES)) {
  test(`case 29: an answer that is ${what} becomes BAD_REPLY at once`, async (t) => {
    const relay = await t.relay({});
    const [client, other] = [await t.ready(relay), await t.ready(relay)];
    client.sendScript(9, [{ hold: 'x' }]);
    const [calls] = await other.scriptValues([
      { wait: { method: 'tools/call', count: 2 } },
      { seen: { method: 'tools/call' } },
    ]);
    const { id } = calls.find(({ text }) => text.includes('"hold"'));
    await other.script([{ out64: bytes(id).toString('base64') }]);
    const data = assertRelayError(await client.reply(9), 'BAD_REPLY', { sent: true, retryable: false });
    assert.equal(typeof data.reason, 'string');
    await other.script([{ release: 'x' }]); // the late proper answer is dropped
    await client.flush();
    assert.deepEqual([...client.left, ...other.left], []);
  });
}
