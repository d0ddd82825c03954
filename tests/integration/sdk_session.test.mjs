// Servers that ask their client questions: one child per session, every question to the one it is meant for.
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ElicitationCompleteNotificationSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { assert, fake, scaled, test, until } from './lib/harness.mjs';
import { everything } from './lib/real_servers.mjs';

const perSession = { servers: { everything: { sharing: 'session' } } };
const call = (client, name, args = {}, options) =>
  client.callTool({ name, arguments: args }, undefined, options);
const firstText = ({ content }) => content.find(({ type }) => type === 'text').text;

const ALL = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };

/** An SDK client that answers every question with its own name. */
function answering(name, more = () => {}) {
  return {
    name,
    capabilities: ALL,
    handlers: (client) => {
      client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
        model: name,
        role: 'assistant',
        content: { type: 'text', text: `${name} heard: ${params.messages[0].content.text}` },
      }));
      client.setRequestHandler(ElicitRequestSchema, ({ params }) =>
        params.mode === 'url' ? { action: 'accept' } : { action: 'accept', content: { name } },
      );
      client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: `file:///${name}`, name }] }));
      more(client);
    },
  };
}

test('sampling, elicitation and roots with a child per session', async (t) => {
  const relay = await t.relay({ servers: { everything: everything() }, relay: perSession });
  const client = await t.sdk(relay, answering('solo'));
  const names = (await client.listTools()).tools.map(({ name }) => name);
  for (const name of [
    'trigger-sampling-request',
    'trigger-elicitation-request',
    'get-roots-list',
    'trigger-url-elicitation',
  ]) {
    assert.ok(names.includes(name), `${name} is offered to a client that can`);
  }
  const sampled = await call(client, 'trigger-sampling-request', { prompt: 'é👩‍👧', maxTokens: 10 });
  assert.match(firstText(sampled), /solo heard: .*é👩‍👧/);
  assert.match(JSON.stringify((await call(client, 'trigger-elicitation-request')).content), /Name: solo/);
  assert.match(firstText(await call(client, 'get-roots-list')), /file:\/\/\/solo/);
  const url = await call(client, 'trigger-url-elicitation', {
    url: 'https://example.org/x',
    message: 'please',
    elicitationId: 'e-1',
  });
  assert.match(JSON.stringify(url.content), /completed the URL elicitation/);
});

test('roots: what a client changes reaches its own child, and no other', async (t) => {
  const relay = await t.relay({ servers: { everything: everything() }, relay: perSession });
  let root = 'first';
  const client = await t.sdk(
    relay,
    answering('changing', (c) =>
      c.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: `file:///${root}` }] })),
    ),
  );
  const other = await t.sdk(relay, answering('other'));
  assert.match(firstText(await call(client, 'get-roots-list')), /file:\/\/\/first/);
  root = 'second';
  await client.sendRootsListChanged();
  await until(
    async () => firstText(await call(client, 'get-roots-list')).includes('file:///second'),
    'the new root',
  );
  assert.match(firstText(await call(other, 'get-roots-list')), /file:\/\/\/other/);
});

test('case 23: two sampling calls at once, many times: 0 misroutes', async (t) => {
  const relay = await t.relay({ servers: { everything: everything() }, relay: perSession });
  const names = ['anna', 'bert'];
  const clients = await Promise.all(names.map((name) => t.sdk(relay, answering(name))));
  let wrong = 0;
  let answers = 0;
  for (let round = 0; round < 20; round++) {
    const results = await Promise.all(
      clients.map((client, n) =>
        call(client, 'trigger-sampling-request', { prompt: `${names[n]} in round ${round}`, maxTokens: 5 }),
      ),
    );
    for (const [n, result] of results.entries()) {
      answers++;
      if (
        !firstText(result).includes(`${names[n]} heard: `) ||
        !firstText(result).includes(`${names[n]} in round ${round}`)
      )
        wrong++;
    }
  }
  t.figure(`sampling: ${answers} answers, ${wrong} misrouted`);
  assert.equal(answers, 40);
  assert.equal(wrong, 0);
});

test('case 23: on a shared server sampling is refused, and the tool ends', async (t) => {
  const relay = await t.relay({ servers: { fake: fake() } });
  const clients = await Promise.all(['anna', 'bert'].map((name) => t.sdk(relay, answering(name))));
  const request = {
    method: 'sampling/createMessage',
    params: { messages: [{ role: 'user', content: { type: 'text', text: 'whose?' } }], maxTokens: 1 },
  };
  const results = await Promise.all(
    clients.map((client) =>
      client.callTool({
        name: 'script',
        arguments: { steps: [{ barrier: { key: 'both', n: 2 } }, { request }] },
      }),
    ),
  );
  for (const result of results) assert.equal(result.values[0].error.code, -32601);
});

test('elicitation/complete reaches the one it is for', async (t) => {
  const relay = await t.relay({
    servers: { fake: fake() },
    relay: { servers: { fake: { sharing: 'session' } } },
  });
  const done = [];
  const client = await t.sdk(
    relay,
    answering('a', (c) =>
      c.setNotificationHandler(
        ElicitationCompleteNotificationSchema,
        ({ params }) => void done.push(params.elicitationId),
      ),
    ),
  );
  const steps = [
    {
      request: {
        method: 'elicitation/create',
        params: { mode: 'url', url: 'https://example.org', message: 'm', elicitationId: 'e-9' },
      },
    },
    {
      out: '{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e-9"}}',
    },
  ];
  const result = await client.callTool({ name: 'script', arguments: { steps } });
  assert.equal(result.values[0].result.action, 'accept');
  await until(() => done.length > 0, 'the completion');
  assert.deepEqual(done, ['e-9']);
});

test("a request's clock stands still while its client thinks about a question", async (t) => {
  const timeoutMs = scaled(4000); // the child's start counts
  const relay = await t.relay({
    servers: { fake: fake() },
    relay: { servers: { fake: { sharing: 'session', timeoutMs } } },
  });
  const client = await t.ready(relay);
  client.sendScript(1, [{ request: { method: 'sampling/createMessage', params: {} } }]);
  const { msg } = await client.take(({ msg: m }) => m.method === 'sampling/createMessage', 'the question');
  await new Promise((resolve) => setTimeout(resolve, timeoutMs * 1.5)); // thinking is what is tested
  client.send({ jsonrpc: '2.0', id: msg.id, result: { thought: true } });
  assert.deepEqual((await client.reply(1)).result.values[0].result, { thought: true });
});

test('a client that leaves with a question unanswered: its child ends all the same', async (t) => {
  const relay = await t.relay({
    servers: { fake: fake() },
    relay: { stopGraceMs: scaled(300), servers: { fake: { sharing: 'session' } } },
  });
  const client = await t.ready(relay);
  client.sendScript(1, [{ request: { method: 'roots/list' } }]);
  await client.take(({ msg }) => msg.method === 'roots/list', 'the question');
  await client.close();
  await relay.noDescendants();
});
