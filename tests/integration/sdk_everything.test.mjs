// The official SDK's client over TCP, server-everything behind one shared child.
import {
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { assert, scaled, test, until, within } from './lib/harness.mjs';
import { everything } from './lib/real_servers.mjs';

const servers = () => ({ everything: everything() });
const call = (client, name, args = {}, options) =>
  client.callTool({ name, arguments: args }, undefined, options);
const firstText = ({ content }) => content.find(({ type }) => type === 'text').text;

// Every tool that the server offers to a shared child, with what its answer must show.
const TOOLS = {
  echo: [{ message: 'hello é👩‍👧' }, (r) => assert.match(firstText(r), /hello é👩‍👧/)],
  'get-annotated-message': [
    { messageType: 'error', includeImage: true },
    (r) => {
      assert.equal(r.content[0].annotations.priority, 1);
      assert.ok(r.content.some(({ type }) => type === 'image'));
    },
  ],
  'get-env': [{}, (r) => assert.ok(JSON.parse(firstText(r)).PATH)],
  'get-resource-links': [
    { count: 4 },
    (r) => assert.equal(r.content.filter(({ type }) => type === 'resource_link').length, 4),
  ],
  'get-resource-reference': [
    { resourceType: 'Blob', resourceId: 2 },
    (r) => assert.ok(r.content.find(({ type }) => type === 'resource').resource.uri.endsWith('/2')),
  ],
  'get-structured-content': [
    { location: 'Chicago' },
    (r) => assert.equal(typeof r.structuredContent.temperature, 'number'),
  ],
  'get-sum': [{ a: 2, b: 40 }, (r) => assert.match(firstText(r), /42/)],
  'get-tiny-image': [{}, (r) => assert.ok(r.content.find(({ type }) => type === 'image').data.length > 100)],
  'gzip-file-as-resource': [
    { name: 'x.gz', data: 'data:text/plain;base64,aGVsbG8=', outputType: 'resource' },
    (r) => assert.ok(r.content.find(({ type }) => type === 'resource').resource.blob),
  ],
  'toggle-simulated-logging': [{}, (r) => assert.match(firstText(r), /logging/i)],
  'toggle-subscriber-updates': [{}, (r) => assert.match(firstText(r), /updates/i)],
  'trigger-long-running-operation': [
    { duration: 0.2, steps: 2 },
    (r) => assert.match(firstText(r), /completed/),
  ],
};

test('every tool of server-everything, through one shared child', async (t) => {
  const relay = await t.relay({ servers: servers() });
  const client = await t.sdk(relay);
  const { tools } = await client.listTools();
  const names = tools.map(({ name }) => name);
  // One more is a task; it has a test of its own below.
  assert.deepEqual(names.sort(), [...Object.keys(TOOLS), 'simulate-research-query'].sort());
  for (const [name, [args, check]] of Object.entries(TOOLS)) {
    const result = await call(client, name, args);
    assert.ok(!result.isError, `${name}: ${JSON.stringify(result).slice(0, 300)}`);
    check(result);
  }
  const unknown = await call(client, 'no-such-tool');
  assert.equal(unknown.isError, true);
});

test('the tool that is a task: created, watched, fetched', async (t) => {
  const relay = await t.relay({ servers: servers() });
  const [client, other] = [await t.sdk(relay), await t.sdk(relay)];
  const seen = [];
  let taskId;
  const params = { name: 'simulate-research-query', arguments: { topic: 'relays' } };
  for await (const message of client.experimental.tasks.callToolStream(params, undefined, {
    task: { ttl: 60_000 },
  })) {
    seen.push(message.type);
    if (message.type === 'taskCreated') {
      taskId = message.task.taskId;
      await assert.rejects(other.experimental.tasks.getTask(taskId), /-32602|not found|unknown/i);
    }
    if (message.type === 'error') throw message.error;
    if (message.type === 'result') assert.match(firstText(message.result), /relays/);
  }
  assert.ok(taskId);
  assert.equal(seen[0], 'taskCreated');
  assert.equal(seen.at(-1), 'result');
});

test('resources, templates, prompts and completion', async (t) => {
  const relay = await t.relay({ servers: servers() });
  const client = await t.sdk(relay);
  const { resources } = await client.listResources();
  assert.ok(resources.length > 0);
  for (const { uri } of resources)
    assert.ok((await client.readResource({ uri })).contents[0].text.length > 0, uri);
  const { resourceTemplates } = await client.listResourceTemplates();
  assert.equal(resourceTemplates.length, 2);
  assert.ok((await client.readResource({ uri: 'demo://resource/dynamic/text/7' })).contents[0].text);
  const { prompts } = await client.listPrompts();
  assert.ok(prompts.length >= 4);
  await client.getPrompt({ name: 'simple-prompt' });
  const withArgs = await client.getPrompt({ name: 'args-prompt', arguments: { city: 'Köln' } });
  assert.match(withArgs.messages[0].content.text, /Köln/);
  const completion = await client.complete({
    ref: { type: 'ref/prompt', name: 'completable-prompt' },
    argument: { name: 'department', value: 'E' },
  });
  assert.ok(completion.completion.values.length > 0);
  await assert.rejects(client.readResource({ uri: 'demo://no/such' }), { code: -32602 });
});

test('progress arrives at the call it belongs to, in order', async (t) => {
  const relay = await t.relay({ servers: servers() });
  const client = await t.sdk(relay);
  const seen = [];
  await call(
    client,
    'trigger-long-running-operation',
    { duration: 0.5, steps: 5 },
    { onprogress: (p) => seen.push(p) },
  );
  assert.deepEqual(
    seen,
    [1, 2, 3, 4, 5].map((progress) => ({ progress, total: 5 })),
  );
});

test('ten clients at once with equal ids and tokens: each gets its own progress and results', async (t) => {
  const relay = await t.relay({ servers: servers() });
  const clients = await Promise.all(Array.from({ length: 10 }, () => t.sdk(relay)));
  // SDK clients count ids from 0 and use the id as progress token: all ten send the same.
  await Promise.all(
    clients.map(async (client, n) => {
      const steps = n + 1; // tells apart whose progress it is
      const seen = [];
      const long = call(
        client,
        'trigger-long-running-operation',
        { duration: 1, steps },
        { onprogress: (p) => seen.push(p) },
      );
      for (let i = 0; i < 20; i++) {
        const [echo, sum] = await Promise.all([
          call(client, 'echo', { message: `client ${n} call ${i}` }),
          call(client, 'get-sum', { a: n * 1000, b: i }),
        ]);
        assert.equal(firstText(echo), `Echo: client ${n} call ${i}`);
        assert.ok(firstText(sum).includes(` ${n * 1000 + i}`), firstText(sum));
      }
      assert.match(firstText(await long), new RegExp(`Steps: ${steps}\\.`));
      assert.deepEqual(
        seen,
        Array.from({ length: steps }, (_, i) => ({ progress: i + 1, total: steps })),
      );
    }),
  );
  const { result } = await (await t.ready(relay)).request('relay/servers');
  assert.equal(relay.keepers().length, 1, 'one child for all');
  assert.equal(result.servers.length, 1);
});

test('cancelling one of ten equal calls leaves the other nine alone', async (t) => {
  const relay = await t.relay({ servers: servers() });
  const clients = await Promise.all(Array.from({ length: 10 }, () => t.sdk(relay)));
  const cancel = new AbortController();
  const late = [];
  const results = clients.map((client, n) => {
    const options =
      n === 3
        ? { signal: cancel.signal, onprogress: () => cancel.abort('enough') }
        : { onprogress: () => {} };
    client.onerror = (error) => late.push(`${n}: ${error.message}`);
    return call(client, 'trigger-long-running-operation', { duration: 1, steps: 5 }, options);
  });
  for (const [n, { reason, value }] of (await Promise.allSettled(results)).entries()) {
    if (n === 3) assert.match(reason.message, /enough/);
    else assert.match(firstText(value), /completed/);
  }
  // The server keeps sending progress for what was cancelled: that must not reach anybody.
  assert.match(firstText(await call(clients[3], 'echo', { message: 'still here' })), /still here/);
  assert.deepEqual(late, []);
});

test('a time-out at the client cancels at the child, and the connection goes on', async (t) => {
  const relay = await t.relay({ servers: servers() });
  const client = await t.sdk(relay);
  const slow = call(
    client,
    'trigger-long-running-operation',
    { duration: 60, steps: 1 },
    { timeout: scaled(300) },
  );
  await assert.rejects(slow, { code: -32001 });
  assert.match(firstText(await call(client, 'echo', { message: 'on' })), /on/);
  const watcher = await t.ready(relay);
  await until(async () => {
    const { calls } = (await watcher.request('relay/inflight')).result;
    return calls.every(({ state }) => state === 'abandoned');
  }, 'nothing in flight');
});

test('subscriptions: updates reach the subscriber, and nobody else', async (t) => {
  const relay = await t.relay({ servers: servers() });
  const updates = [[], []];
  const listen = (n) => ({
    handlers: (client) =>
      client.setNotificationHandler(
        ResourceUpdatedNotificationSchema,
        ({ params }) => void updates[n].push(params.uri),
      ),
  });
  const [a, b] = [await t.sdk(relay, listen(0)), await t.sdk(relay, listen(1))];
  const [one, two] = ['demo://resource/dynamic/text/1', 'demo://resource/dynamic/text/2'];
  await a.subscribeResource({ uri: one });
  await b.subscribeResource({ uri: two });
  await call(a, 'toggle-subscriber-updates'); // sends a round at once
  await until(() => updates[0].length > 0 && updates[1].length > 0, 'an update each');
  assert.ok(
    updates[0].every((uri) => uri === one),
    updates[0].join(),
  );
  assert.ok(
    updates[1].every((uri) => uri === two),
    updates[1].join(),
  );
  await call(a, 'toggle-subscriber-updates');
});

test('list_changed reaches every client that is ready', async (t) => {
  const relay = await t.relay({ servers: servers(), relay: { backoffMinMs: 10 } });
  const changes = [0, 0, 0];
  const clients = await Promise.all(
    changes.map((_, n) =>
      t.sdk(relay, {
        handlers: (client) =>
          client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes[n]++),
      }),
    ),
  );
  // The server says it in bursts when it starts: so a new one is started under clients that are ready.
  const server = relay
    .descendants()
    .find(({ command }) => command.includes('server-everything') && command.startsWith(process.execPath));
  await relay.event('child ready');
  changes.fill(0);
  process.kill(server.pid, 'SIGKILL');
  await relay.event('child ready');
  for (const client of clients) assert.ok((await client.listTools()).tools.length > 0);
  await until(() => changes.every((count) => count > 0), 'a list_changed for each');
});

test('the child is killed under ten SDK clients: their calls fail typed, the next ones work', async (t) => {
  const relay = await t.relay({ servers: servers(), relay: { backoffMinMs: 10, backoffMaxMs: 50 } });
  const clients = await Promise.all(Array.from({ length: 10 }, () => t.sdk(relay)));
  let moving = 0;
  const begun = new Promise((resolve) => {
    clients.forEach((client) => {
      client.pending = call(
        client,
        'trigger-long-running-operation',
        { duration: 60, steps: 600 },
        {
          onprogress: () => ++moving >= 10 && resolve(),
          timeout: scaled(60_000),
        },
      ).catch((error) => error);
    });
  });
  await within(begun, 'all ten under way');
  const server = relay
    .descendants()
    .find(({ command }) => command.includes('server-everything') && command.startsWith(process.execPath));
  process.kill(server.pid, 'SIGKILL');
  for (const client of clients) {
    const error = await client.pending;
    assert.equal(error.code, -31001, String(error));
    assert.equal(error.data.sent, true);
  }
  await Promise.all(
    clients.map(async (client, n) =>
      assert.match(firstText(await call(client, 'echo', { message: `${n}` })), new RegExp(`${n}`)),
    ),
  );
});
