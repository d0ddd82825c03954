// server-filesystem and server-memory behind the relay, shared by several clients.
import fs from 'node:fs';
import path from 'node:path';
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { assert, test } from './lib/harness.mjs';
import { filesystem, memory } from './lib/real_servers.mjs';

const call = (client, name, args = {}) => client.callTool({ name, arguments: args });
const firstText = ({ content }) => content.find(({ type }) => type === 'text').text;

test('memory: what one client remembers, another reads', async (t) => {
  const relay = await t.relay({ servers: { memory: memory(t.file('memory.jsonl')) } });
  const clients = await Promise.all(Array.from({ length: 5 }, () => t.sdk(relay)));
  // One after the other: the server reads, changes and writes its file without a lock.
  for (const [n, client] of clients.entries()) {
    const entity = { name: `entity-${n}`, entityType: 'test', observations: [`seen by ${n} é👩‍👧`] };
    await call(client, 'create_entities', { entities: [entity] });
  }
  for (const client of clients) {
    const graph = JSON.parse(firstText(await call(client, 'read_graph')));
    assert.deepEqual(
      graph.entities.map(({ name }) => name).sort(),
      [0, 1, 2, 3, 4].map((n) => `entity-${n}`),
    );
  }
  const found = JSON.parse(firstText(await call(clients[0], 'search_nodes', { query: 'seen by 3' })));
  assert.deepEqual(found.entities[0].observations, ['seen by 3 é👩‍👧']);
});

test('memory survives its process: killed, started again, nothing lost, no client acts', async (t) => {
  const relay = await t.relay({
    servers: { memory: memory(t.file('memory.jsonl')) },
    relay: { backoffMinMs: 10 },
  });
  const client = await t.sdk(relay);
  await call(client, 'create_entities', {
    entities: [{ name: 'kept', entityType: 'test', observations: ['x'] }],
  });
  const server = relay
    .descendants()
    .find(({ command }) => command.includes('server-memory') && command.startsWith(process.execPath));
  process.kill(server.pid, 'SIGKILL');
  // Asked at once, it may fall into the outage; what fails there is told so, and the next one works.
  const graph = await call(client, 'read_graph').catch(() => call(client, 'read_graph'));
  assert.deepEqual(
    JSON.parse(firstText(graph)).entities.map(({ name }) => name),
    ['kept'],
  );
});

test('filesystem: several clients write, read and list; large files pass', async (t) => {
  const folder = fs.mkdtempSync(t.file('files-'));
  const relay = await t.relay({ servers: { files: filesystem(folder) } });
  const clients = await Promise.all(Array.from({ length: 4 }, () => t.sdk(relay)));
  const content = (n) => `client ${n}: ${'é👩‍👧 '.repeat(100_000)}`;
  await Promise.all(
    clients.map((client, n) =>
      call(client, 'write_file', { path: path.join(folder, `${n}.txt`), content: content(n) }),
    ),
  );
  for (const [n, client] of clients.entries()) {
    const text = firstText(
      await call(client, 'read_text_file', { path: path.join(folder, `${(n + 1) % 4}.txt`) }),
    );
    assert.equal(text, content((n + 1) % 4));
    assert.equal(fs.readFileSync(path.join(folder, `${n}.txt`), 'utf8'), content(n));
  }
  const outside = await call(clients[0], 'read_text_file', { path: '/etc/hostname' });
  assert.equal(outside.isError, true);
});

test("filesystem: one client's roots do not re-scope everybody", async (t) => {
  const [folder, evil] = [fs.mkdtempSync(t.file('files-')), fs.mkdtempSync(t.file('evil-'))];
  const relay = await t.relay({ servers: { files: filesystem(folder) } });
  const handlers = (client) =>
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: `file://${evil}` }] }));
  const [client, intruder] = [
    await t.sdk(relay),
    await t.sdk(relay, { capabilities: { roots: { listChanged: true } }, handlers }),
  ];
  await intruder.sendRootsListChanged();
  // A server that asked for the roots would have them after a few calls.
  for (const one of Array.from({ length: 20 }, (_, i) => (i % 2 ? client : intruder))) {
    const allowed = firstText(await call(one, 'list_allowed_directories'));
    assert.ok(allowed.includes(folder) && !allowed.includes(evil), allowed);
  }
});

test("filesystem with a child per session: each client's roots are its own", async (t) => {
  const folders = ['a', 'b'].map((name) => fs.mkdtempSync(t.file(`${name}-`)));
  const relay = await t.relay({
    servers: { files: filesystem() },
    relay: { servers: { files: { sharing: 'session' } } },
  });
  const clients = await Promise.all(
    folders.map((folder) =>
      t.sdk(relay, {
        capabilities: { roots: {} },
        handlers: (client) =>
          client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: `file://${folder}` }] })),
      }),
    ),
  );
  for (const [n, client] of clients.entries()) {
    // The server asks for the roots after initialized, in its own time.
    for (;;) {
      const allowed = firstText(await call(client, 'list_allowed_directories'));
      assert.ok(!allowed.includes(folders[1 - n]), allowed);
      if (allowed.includes(folders[n])) break;
    }
  }
});
