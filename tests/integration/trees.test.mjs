// Nothing of a child survives: whoever dies, however, and whatever the child has started meanwhile.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert, fake, root, scaled, test, until } from './lib/harness.mjs';

const treeScript = fileURLToPath(new URL('lib/children/tree.sh', import.meta.url));
const SLEEPS = 6; // that tree.sh starts

/** A server entry that runs `entry` behind tree.sh. */
const inTree = (entry) => ({ command: 'sh', args: [treeScript, entry.command, ...entry.args] });

/** Short enough to be watched, long enough to be told apart. */
const QUICK = { backoffMinMs: 10, backoffMaxMs: 50, stopGraceMs: scaled(300) };

const endings = {
  'the child is killed': async ({ relay, childPid }) => {
    process.kill(childPid, 'SIGKILL');
    await relay.event('child exited');
  },
  'the session ends': async ({ client }) => client.close(),
  'the relay gets SIGTERM': async ({ relay }) => {
    relay.signal('SIGTERM');
    await relay.exited;
  },
  'the relay gets SIGKILL': async ({ relay }) => {
    relay.expectedEnd = { code: null, signal: 'SIGKILL' };
    relay.signal('SIGKILL');
    await relay.exited;
  },
  'the keeper gets SIGKILL': async ({ relay }) => {
    const [keeper] = relay.keepers();
    process.kill(keeper.pid, 'SIGKILL');
  },
};

for (const [how, end] of Object.entries(endings)) {
  test(`case 05: a tree of every kind of grandchild leaves nothing when ${how}`, async (t) => {
    const relay = await t.relay({
      servers: { tree: inTree(fake()) },
      relay: { ...QUICK, servers: { tree: { sharing: 'session' } } },
    });
    const client = await t.ready(relay);
    const [childPid] = await client.scriptValues([{ pid: 1 }]);
    const before = await until(() => {
      const list = relay.descendants();
      return list.filter(({ command }) => /^sleep 8640\d$/.test(command)).length === SLEEPS && list;
    }, 'the whole tree is there');
    const orphans = before.filter(({ ppid }) => ppid === 1);
    assert.deepEqual(orphans, [], 'double-forked grandchildren have a keeper, not init');
    await end({ relay, client, childPid });
    await relay.noDescendants();
  });

  test(`case 05: an npx tree leaves nothing when ${how}`, async (t) => {
    const relay = await t.relay({
      servers: {
        memory: {
          command: 'npx',
          args: ['--no-install', 'mcp-server-memory'],
          cwd: path.join(root, 'tests'),
          env: {
            MEMORY_FILE_PATH: t.file('memory.jsonl'),
            npm_config_cache: t.file('npm'),
            npm_config_offline: 'true',
          },
        },
      },
      relay: { ...QUICK, servers: { memory: { sharing: 'session' } } },
    });
    const client = await t.ready(relay);
    assert.ok((await client.request('tools/list')).result.tools.length > 5);
    const server = relay
      .descendants()
      .find(({ command }) => /^node .*mcp-server-memory|server-memory\/dist/.test(command));
    assert.ok(server, 'the server itself is among the processes');
    assert.ok(relay.descendants().length >= 3, 'keeper, npx, server');
    await end({ relay, client, childPid: server.pid });
    await relay.noDescendants();
  });
}

test('case 05: a shared tree leaves nothing when the relay stops, though clients are connected', async (t) => {
  const relay = await t.relay({ servers: { tree: inTree(fake()) }, relay: QUICK });
  const client = await t.ready(relay);
  await client.flush();
  await relay.stop();
  await client.closed;
  await relay.noDescendants();
});
