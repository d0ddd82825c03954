// SIGHUP against the option table: each option is changed alone in a running relay, and what happens is what the table's
// column "reload" says. (What a reload does to whole servers is in lifecycle.test.mjs.)
import { spawnSync } from 'node:child_process';
import { assert, fake, relayBinary, test, until } from './lib/harness.mjs';

const RESTART = 'these options are taken at a restart only';

/** The rows of `agent-relay options`: key, default, reload, help. */
function options() {
  const { stdout } = spawnSync(relayBinary, ['options'], { encoding: 'utf8' });
  return [
    ...stdout.matchAll(/^\| `(\w+)`[^|]* \| `[^|]*` \| `[^|]*` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$/gm),
  ].map(([, key, preset, reload, help]) => ({ key, preset, reload, help }));
}

/** A value that differs from the one in force. */
function another(t, { key, preset, help }) {
  if (key === 'listen') return ['127.0.0.1:0', `unix:${t.file('sock')}`];
  if (key === 'defaultServer') return 'other';
  if (key === 'pidFile') return t.file('pid');
  if (/^\d+$/.test(preset)) return (Number(preset) || 600_000) + 1; // 0 stands for never
  const choices = /One of ([^.]*)\./.exec(help)?.[1].split(', ');
  return choices ? choices.find((choice) => choice !== preset) : 'name';
}

test('SIGHUP: every option of the table does what its column "reload" says', async (t) => {
  const servers = { fake: fake(), other: fake() };
  const base = { listen: ['127.0.0.1:0'], defaultServer: 'fake' };
  const relay = await t.relay({ servers, relay: base });
  let client = await t.ready(relay);
  const state = async () =>
    (await client.request('relay/servers')).result.servers.find(({ name }) => name === 'fake');
  const reload = async (changed) => {
    relay.log.length = 0;
    relay.writeConfig({ servers, relay: { ...base, ...changed } });
    relay.signal('SIGHUP');
    await relay.event('reloaded');
    return relay.log.filter(({ event }) => event === RESTART).map((entry) => entry.options);
  };
  const rows = options();
  assert.ok(rows.length >= 25, `${rows.length} options found`);
  for (const row of rows) {
    const [before] = await client.scriptValues([{ pid: 1 }]);
    const named = await reload({ [row.key]: another(t, row) });
    assert.deepEqual(named, row.reload === 'needs a restart' ? [row.key] : [], row.key);
    if (row.reload === 'restarts the child') {
      if (row.key === 'sharing') client = (await client.closed, await t.ready(relay));
      await until(async () => (await client.scriptValues([{ pid: 1 }]))[0] !== before, `${row.key}: a new child`);
    } else {
      assert.ok(['at once', 'needs a restart'].includes(row.reload), `${row.key}: ${row.reload}`);
      assert.equal((await state()).state, 'ready', row.key);
      assert.deepEqual(await client.scriptValues([{ pid: 1 }]), [before], `${row.key}: the child stays`);
    }
    // Back to what was: an option that needed a restart never came into force, so nothing is named.
    assert.deepEqual(await reload({}), [], row.key);
    if (row.key === 'sharing') client = (await client.closed, await t.ready(relay));
  }
});

test('SIGHUP: an option that waits for a restart is named again until it is in force', async (t) => {
  const relay = await t.relay({});
  for (let i = 0; i < 2; i++) {
    relay.writeConfig({ relay: { maxIdBytes: 100 } });
    relay.signal('SIGHUP');
    assert.equal((await relay.event(RESTART)).options, 'maxIdBytes');
    await relay.event('reloaded');
  }
  const client = await t.ready(relay);
  const id = 'x'.repeat(200);
  assert.ok((await client.request('tools/list', {}, { id })).result, 'the former limit holds');
});
