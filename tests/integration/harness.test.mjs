// The harness itself: what the other tests lean on does what they think, without a relay in between.
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { assert, fake, hasEnded, processesWithTmpdir, readJournal, test, until } from './lib/harness.mjs';
import { Inbox } from './lib/inbox.mjs';
import { LineClient } from './lib/line_client.mjs';

function direct(t, options) {
  const { command, args } = fake(options);
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: t.dir },
  });
  child.stderr.resume();
  child.stdin.on('error', () => {});
  t.atEnd(() => child.kill('SIGKILL'));
  const client = new LineClient(Duplex.from({ writable: child.stdin, readable: child.stdout }), 'direct');
  return { child, client };
}

test('the scripted child answers, reports progress, waits, and keeps exactly what it received', async (t) => {
  const journal = t.file('journal');
  const { child, client } = direct(t, { journal });
  assert.equal((await client.initialize()).result.serverInfo.name, 'fake');
  client.sendScript(1, [{ hold: 'x' }, { progress: { progress: 1 } }], { token: 'tok' });
  assert.deepEqual(await client.scriptValues([{ release: 'x' }]), [1]);
  assert.equal((await client.notification('notifications/progress')).params.progressToken, 'tok');
  assert.ok((await client.reply(1)).result);
  const odd = '{ "jsonrpc":"2.0","id":"m","method":"x/mirror","params":{"n":9007199254740993}}';
  client.sendText(odd);
  assert.equal(Buffer.from((await client.reply('m')).result.line, 'base64').toString(), odd);
  const [seen] = await client.scriptValues([{ seen: { method: 'x/mirror' } }]);
  assert.equal(seen[0].text, odd);
  assert.ok(
    processesWithTmpdir(t.dir).some(({ pid }) => pid === child.pid),
    'TMPDIR marks it',
  );
  client.sendScript(2, [{ exit: 5 }]);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  assert.equal(code, 5);
  assert.deepEqual(
    readJournal(journal)
      .slice(0, 3)
      .map(({ event, method }) => method ?? event),
    ['start', 'initialize', 'notifications/initialized'],
  );
});

test('a barrier answers from the last to the first', async (t) => {
  const { client } = direct(t);
  const order = [];
  const barrier = { key: 'b', n: 5 };
  for (let id = 0; id < 5; id++) client.sendScript(id, [{ barrier }]);
  for (let i = 0; i < 5; i++) order.push((await client.take(() => true, 'an answer')).msg.id);
  assert.deepEqual(order, [4, 3, 2, 1, 0]);
});

test('an inbox gives each item once, and says what it waited for', async () => {
  const inbox = new Inbox('it');
  const waiting = inbox.take((n) => n > 1, 'a big one');
  inbox.push(1);
  inbox.push(2);
  assert.equal(await waiting, 2);
  assert.deepEqual(inbox.left, [1]);
  await assert.rejects(
    inbox.take((n) => n > 1, 'another big one', 10),
    /another big one/,
  );
  inbox.end('over');
  assert.equal(await inbox.take((n) => n === 1, 'the small one'), 1);
  await assert.rejects(
    inbox.take(() => true, 'more'),
    /over/,
  );
});

test('processes are found by their mark after their parent is gone', async (t) => {
  const child = spawn('sh', ['-c', '(setsid sleep 86406 &) ; exit 0'], {
    env: { ...process.env, TMPDIR: t.dir },
    stdio: 'ignore',
  });
  await new Promise((resolve) => child.once('exit', resolve));
  const [orphan] = await until(() => {
    const list = processesWithTmpdir(t.dir).filter(({ command }) => command === 'sleep 86406');
    return list.length === 1 && list;
  }, 'the orphan is found');
  process.kill(orphan.pid, 'SIGKILL');
  await until(() => hasEnded(orphan.pid), 'it is gone');
});
