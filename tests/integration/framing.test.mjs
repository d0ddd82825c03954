// Bytes: what comes in comes out as it was; no line breaks another.
import { createHash } from 'node:crypto';
import { assert, assertRelayError, fake, scaled, test } from './lib/harness.mjs';

const MIB = 1024 * 1024;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The line that the child got for a call of x/mirror, or what it kept of a long one. */
async function mirrored(client, id) {
  const answer = await client.reply(id);
  assert.ok(answer.result, JSON.stringify(answer).slice(0, 300));
  return Buffer.from(answer.result.line, 'base64').toString('utf8');
}

/** `text` with its first id replaced, as the child must have seen it. */
const withId = (text, id) => text.replace('"@ID@"', id);

async function sendInChunks(client, bytes, size) {
  const sent = [];
  for (let at = 0; at < bytes.length; at += size) sent.push(client.sendBytes(bytes.subarray(at, at + size)));
  await Promise.all(sent);
}

// The exhaustive cuts (every chunk size, every position) are made in memory by the frame unit tests; here the same line
// goes over a real socket, with sizes and cuts picked from them.
test('case 08: an 8 MB line in chunks of many sizes', { timeoutMs: 600_000 }, async (t) => {
  const relay = await t.relay({ relay: { frameTimeoutMs: scaled(300_000) } }); // a byte at a time may take long
  const client = await t.ready(relay);
  const big = 8_000_000;
  const pad = 'é👩‍👧x'.repeat(Math.floor(big / Buffer.byteLength('é👩‍👧x')));
  const small = pad.slice(0, 9000);
  const plan = [
    ...[1, 2, 3, 5, 7].map((size) => [small, size]),
    ...[4095, 4096, 65_535, 65_536, 65_537, big].map((size) => [pad, size]),
  ];
  for (const [text, size] of plan) {
    const line = `{"jsonrpc":"2.0","method":"x/count","params":{"pad":"${text}"},"id":${size}}`;
    sendInChunks(client, Buffer.from(`${line}\n`), size);
    assert.equal((await client.reply(size, scaled(60_000))).error.code, -32601, `chunks of ${size}`);
    const [seen] = await client.scriptValues([{ seen: { method: 'x/count' } }]);
    const last = seen.at(-1);
    const expected = line.replace(/"id":\d+}$/, `"id":${last.id}}`);
    const got = last.text === undefined ? last.sha256 : sha256(Buffer.from(last.text));
    assert.equal(got, sha256(Buffer.from(expected)), `chunks of ${size}`);
  }
});

test('case 08: a line cut near its ends, also inside a UTF-8 sequence', async (t) => {
  const relay = await t.relay({});
  const [client, other] = [await t.ready(relay), await t.client(relay)];
  const line =
    '{"id":"é👩","jsonrpc":"2.0","method":"x/mirror","params":{"a":"\\u00e9é👩‍👧","n":9007199254740993}}';
  const bytes = Buffer.from(`${line}\n`);
  for (let cut = 1; cut < bytes.length; cut++) {
    await client.sendBytes(bytes.subarray(0, cut));
    await other.pingRelay(); // the relay has been round its loop: the first part was read on its own
    await client.sendBytes(bytes.subarray(cut));
    const seen = await mirrored(client, 'é👩');
    assert.equal(seen, line.replace('"é👩"', JSON.parse(seen).id), `cut at ${cut}`);
  }
});

test("case 08: the limit's verdict does not depend on chunking", { timeoutMs: 300_000 }, async (t) => {
  const limit = 100_000;
  const relay = await t.relay({ relay: { maxFrameBytes: limit } });
  const client = await t.ready(relay);
  const head = '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","arguments":{"pad":"';
  const tail = '"}},"id":77}';
  for (const over of [-1, 0, 1, 1000]) {
    const line = head + 'x'.repeat(limit + over - head.length - tail.length) + tail;
    assert.equal(line.length, limit + over);
    for (const end of ['\n', '\r\n']) {
      for (const size of [17, 4096, 65_535, 65_536, 65_537, limit - 1, limit, limit + 1, line.length + 2]) {
        sendInChunks(client, Buffer.from(line + end), size);
        const answer = await client.reply(77);
        const what = `${over} over, in chunks of ${size}, ${end.length} end bytes`;
        if (over <= 0) assert.ok(answer.result, what);
        else assertRelayError(answer, 'TOO_LARGE', { bytes: limit + over, limit });
      }
    }
  }
});

const noisyBoot = [
  { out: 'Starting the MCP server in stdio mode...' },
  { out: '' },
  { out: 'state: {\n  "agents": [],\n  "nested": {\n    "a": 1\n  }\n}' },
  { out: '}' },
  { out: '{' },
  { out: '[1,2,3]' },
  { out: '"a string"\n42\nnull' },
  { out64: Buffer.from([0xff, 0xfe, 0x7b, 0x0a]).toString('base64') },
];

test("case 09: banners, dumps, CRLF and partial lines on the child's stdout", async (t) => {
  const relay = await t.relay({
    servers: {
      fake: fake({
        boot: [
          ...noisyBoot,
          { out: '{"jsonrpc":"2.0","method":"server.initialized","params":{"serverInfo":{"name":"early"}}}' },
        ],
        beforeReply: noisyBoot,
        onInitialized: [{ out: '{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"}}' }],
      }),
    },
  });
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  const text = (string) => Buffer.from(string).toString('base64');
  const steps = [
    ...noisyBoot,
    { out: '{\n  "dump": {\n    "b": 2\n  }\n}' },
    { out64: text('{"jsonrpc":"2.0","method":"notifications/progress",') },
    { pauseMs: 5 },
    { out64: text('"params":{"progressToken":"$') },
    { out64: text('"}}\r\n') },
  ];
  for (const client of [a, b]) assert.ok((await client.script(steps)).result);
  // Two messages in one write, ended by CRLF.
  a.sendScript(1, [{ noReply: 1 }]);
  a.sendScript(2, [{ noReply: 1 }]);
  const [calls] = await a.scriptValues([{ seen: { method: 'tools/call' } }]);
  const [first, second] = calls.filter(({ text: line }) => line.includes('noReply')).map(({ id }) => id);
  const answers = `{"jsonrpc":"2.0","id":${second},"result":{"n":2}}\r\n\n{"jsonrpc":"2.0","id":${first},"result":{"n":1}}\r\n`;
  await b.script([{ out64: text(answers) }]);
  assert.deepEqual((await a.reply(1)).result, { n: 1 });
  assert.deepEqual((await a.reply(2)).result, { n: 2 });
  for (const client of [a, b]) {
    await client.flush();
    assert.deepEqual(client.left, []);
  }
});

test('case 09: a child per session that makes the same noise', async (t) => {
  const relay = await t.relay({
    servers: { fake: fake({ boot: noisyBoot, beforeReply: noisyBoot }) },
    relay: { servers: { fake: { sharing: 'session' } } },
  });
  const client = await t.ready(relay);
  assert.ok((await client.script(noisyBoot)).result);
  assert.deepEqual(client.left, []);
});

const IDS = [
  '0',
  '1',
  '"1"',
  '1.0',
  '1e0',
  '-0',
  '9007199254740992',
  '9007199254740993',
  '123456789012345678901234567890',
  '-1',
  '1.5',
  '1E+2',
  '""',
  '" "',
  '"\\u0041"',
  '"A"',
  '"\\ud83d\\ude00"',
  '"👩‍👧"',
  '"quote\\"back\\\\slash\\/"',
  `"${'x'.repeat(16 * 1024 - 2)}"`,
];

test('case 18: ids come back as the bytes they were, all in flight at once', async (t) => {
  const relay = await t.relay({});
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  for (const client of [a, b]) {
    for (const [n, id] of IDS.entries()) {
      const steps = JSON.stringify([{ barrier: { key: 'ids', n: 2 * IDS.length } }, { reply: { n } }]);
      client.sendText(
        `{"jsonrpc":"2.0","method":"tools/call","id": ${id} ,"params":{"name":"script","arguments":{"steps":${steps}}}}`,
      );
    }
  }
  for (const client of [a, b]) {
    for (const [n, id] of IDS.entries()) {
      const { text } = await client.take(
        ({ msg }) => msg.result?.n === n,
        `the answer to ${id.slice(0, 50)}`,
      );
      assert.ok(text.includes(`"id":${id},`) || text.includes(`"id":${id}}`), text.slice(0, 200));
    }
  }
  const [calls] = await a.scriptValues([{ seen: { method: 'tools/call' } }]);
  const ids = calls.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, 'no id twice');
  for (const id of ids) assert.ok(Number.isSafeInteger(id) && id >= 1, `the child got id ${id}`);
});

test('payloads pass byte for byte, both ways', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  const params =
    '{ "z":1,"a" : [1.0,1e400,-0,9007199254740993,0.1000],"s":"\\u0000\\u001f\\/é\\ud83d👩‍👧 ","dup":1,"dup":2,"_meta":{"x":{"progressToken":[1]}},"e":{},"id":9,"method":"no"}';
  for (const text of [
    `{"jsonrpc":"2.0","id":"@ID@","method":"x/mirror","params":${params}}`,
    `{"params":${params},"method":"x/mirror","extra":[null,true],"id":"@ID@","jsonrpc":"2.0"}`,
    `  {\t"jsonrpc" : "2.0" , "id" : "@ID@" , "method" : "x/mirror", "params":${params} }  `,
  ]) {
    client.sendText(text);
    const seen = await mirrored(client, '@ID@');
    assert.equal(seen.trim(), withId(text, JSON.parse(seen).id).trim());
  }
  for (const result of [params, '[ ]', '"x"', 'null', '12e3']) {
    client.sendScript(1, [
      { out: `{"id":"$ID","x":{"id":2},"result":${result},"jsonrpc":"2.0"}` },
      { noReply: 1 },
    ]);
    const { text } = await client.take(({ msg }) => msg.id === 1, 'the answer');
    assert.equal(text, `{"id":1,"x":{"id":2},"result":${result},"jsonrpc":"2.0"}`);
  }
  client.sendScript(2, [
    { out: '{"error":{"message":"m","code":-5,"data":[1.0]},"jsonrpc":"2.0","id":"$ID"}' },
    { noReply: 1 },
  ]);
  const { text } = await client.take(({ msg }) => msg.id === 2, 'the error');
  assert.equal(text, '{"error":{"message":"m","code":-5,"data":[1.0]},"jsonrpc":"2.0","id":2}');
});

test('progress tokens come back as the bytes they were', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  for (const token of ['0', '"\\u0041"', '1.0', '9007199254740993', '""', `"${'t'.repeat(5000)}"`]) {
    const steps = JSON.stringify([{ progress: { progress: 1, total: 2 } }]);
    client.sendText(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"a":1,"progressToken" : ${token},"b":2},"name":"script","arguments":{"steps":${steps}}}}`,
    );
    const { text } = await client.take(
      ({ msg }) => msg.method === 'notifications/progress',
      `progress for ${token}`,
    );
    assert.ok(text.includes(`"progressToken":${token},`), text.slice(0, 200));
    await client.reply(1);
  }
});

test('blank lines and CRLF from a client', async (t) => {
  const relay = await t.relay({});
  const client = await t.client(relay);
  await client.sendBytes(Buffer.from('\n\r\n  \n'));
  assert.ok((await client.initialize()).result);
  await client.sendBytes(
    Buffer.from(
      '\r\n\n{"jsonrpc":"2.0","id":1,"method":"tools/list"}\r\n\r\n{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n',
    ),
  );
  assert.ok((await client.reply(1)).result);
  assert.ok((await client.reply(2)).result);
  assert.deepEqual(client.left, []);
});

test('case 21: an 11 MiB line costs its sender an error, and nobody anything else', async (t) => {
  const relay = await t.relay({});
  const [big, other] = [await t.ready(relay), await t.ready(relay)];
  const [pid] = await other.scriptValues([{ pid: 1 }]);
  other.sendScript(1, [{ hold: 'through it all' }]);
  big.sendScript('mine', [{ hold: 'mine' }]);
  const pad = 'x'.repeat(11 * MIB);
  const idFirst = `{"jsonrpc":"2.0","id":"early","method":"tools/call","params":{"name":"echo","arguments":{"pad":"${pad}"}}}`;
  const idLast = `{"method":"tools/call","params":{"id":1,"name":"echo","arguments":{"pad":"${pad}","id":2}},"jsonrpc":"2.0","id":"late"}`;
  for (const [line, id] of [
    [idFirst, 'early'],
    [idLast, 'late'],
  ]) {
    const sent = big.sendText(line);
    assertRelayError(await big.reply(id), 'TOO_LARGE', { bytes: line.length, limit: 8 * MIB, sent: false });
    await sent;
  }
  big.sendText(`{"jsonrpc":"2.0","method":"notifications/x","params":{"pad":"${pad}"}}`); // a notification has no answer
  const [pidAfter] = await big.scriptValues([{ pid: 1 }]);
  assert.equal(pidAfter, pid, 'the same child');
  await other.script([{ release: 'mine' }, { release: 'through it all' }]);
  assert.ok((await big.reply('mine')).result);
  assert.ok((await other.reply(1)).result);
  const [calls] = await other.scriptValues([{ seen: { method: 'tools/call' } }]);
  assert.ok(
    calls.every(({ bytes }) => bytes === undefined),
    'the child never saw a long line',
  );
});

test('case 21: an answer over the limit is answered for the child', async (t) => {
  const relay = await t.relay({ relay: { maxFrameBytes: 200_000 } });
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  a.sendScript(3, [{ big: 300_000 }]);
  assertRelayError(await a.reply(3), 'TOO_LARGE', { from: 'server', limit: 200_000, sent: true });
  await a.flush();
  await b.flush();
  assert.deepEqual([...a.left, ...b.left], []);
});
