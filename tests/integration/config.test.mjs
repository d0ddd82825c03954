// Configuration: one table of options behind the file, the environment, the flags, the help and the README.
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { assert, assertRelayError, binDir, cleanEnvironment, fake, relayBinary, root, test } from './lib/harness.mjs';

function run(t, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(relayBinary, args, {
    cwd: t.dir,
    env: cleanEnvironment({ TMPDIR: t.dir, ...env }),
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr, all: stdout + stderr };
}

function write(t, text) {
  const file = t.file('relay.json');
  fs.writeFileSync(file, typeof text === 'string' ? text : JSON.stringify(text, null, 2));
  return file;
}

const lineOf = (text, word) =>
  text.split('\n').find((line) => new RegExp(`(^|\\s)${word}(\\s|:|=)`).test(line)) ?? '';

test('flag > environment > file > default, and `config` says which', (t) => {
  const file = write(t, { servers: { a: { command: 'true' } }, relay: { maxClients: 11, drainMs: 22, timeoutMs: 33, logLevel: 'warn' } });
  const { status, stdout } = run(t, ['config', '--config', file, '--max-clients', '44'], {
    AGENT_RELAY_MAX_CLIENTS: '55',
    AGENT_RELAY_DRAIN_MS: '66',
  });
  assert.equal(status, 0);
  for (const [name, value, origin] of [
    ['maxClients', '44', 'flag'],
    ['drainMs', '66', 'env'],
    ['timeoutMs', '33', 'file'],
    ['maxIdBytes', '16384', 'default'],
  ]) {
    const line = lineOf(stdout, name);
    assert.match(line, new RegExp(value), `${name}: ${line}`);
    assert.match(line, new RegExp(origin, 'i'), `${name}: ${line}`);
  }
});

test('a pasted block works as it is: comments, trailing commas, unknown keys, variables', (t) => {
  const file = write(
    t,
    `{
      // from another tool
      "mcpServers": {
        "memory": { "type": "stdio", "command": "\${HOME}/bin/x", "args": ["\${NOPE:-fallback}", "\${env:WORD}"], "autoApprove": ["a"], },
      },
      /* ours */ "relay": { "listen": ["127.0.0.1:0"], },
    }`,
  );
  const { status, all } = run(t, ['config', '--config', file], { HOME: '/h', WORD: 'w' });
  assert.equal(status, 0, all);
  assert.match(all, /memory/);
  assert.match(all, /relay\.json:4\d*:.*note.*autoApprove/, 'unknown keys are noted, with their line');
});

test('variables are put in: command, arguments, cwd, environment', async (t) => {
  const { command, args } = fake();
  const relay = await t.relay({
    servers: {
      fake: {
        command: '${NODE}',
        args: ['${env:SCRIPT}', '{}', '$HOME', 'x${WORD}y'],
        cwd: '${FOLDER}',
        env: { A: '${WORD}-${NOT_SET:-other}' },
      },
    },
    env: { NODE: command, SCRIPT: args[0], WORD: 'w', FOLDER: t.dir },
  });
  const client = await t.ready(relay);
  const [{ A }, self] = await client.scriptValues([{ environment: 1 }, { self: 1 }]);
  assert.equal(A, 'w-other');
  assert.equal(self.cwd, t.dir);
});

test('`servers` is read as `mcpServers` is', (t) => {
  const file = write(t, { servers: { here: { command: 'true' } } });
  const { status, all } = run(t, ['config', '--config', file]);
  assert.equal(status, 0, all);
  assert.match(all, /here/);
});

test('--check names file, line and what to write instead', (t) => {
  const file = write(
    t,
    `{
  "mcpServers": {
    "a": { "command": 5 }
  },
  "relay": {
    "maxClients": "many",
    "listen": ["not an address"],
    "servers": { "a": { "sharing": "both" } }
  }
}`,
  );
  const { status, all } = run(t, ['serve', '--check', '--config', file]);
  assert.notEqual(status, 0);
  for (const line of [3, 6, 7, 8])
    assert.match(all, new RegExp(`relay\\.json:${line}:`), `line ${line} in:\n${all}`);
  assert.match(all, /maxClients/);
  assert.match(all, /is one of shared, perSession, not "both"/);
});

test('--check of what is well says so and starts nothing', (t) => {
  const journal = t.file('journal');
  const file = write(t, {
    mcpServers: { fake: fake({ journal }) },
    relay: { servers: { fake: { start: 'eager' } } },
  });
  const { status } = run(t, ['serve', '--check', '--config', file]);
  assert.equal(status, 0);
  assert.ok(!fs.existsSync(journal));
});

test('a missing file, a bad flag, a bad variable: exit 2 and one clear line', (t) => {
  const bad = [
    [['serve', '--config', t.file('none.json')], {}, /none\.json/],
    [['serve', '--no-such-flag'], {}, /no-such-flag/],
    [['serve', '--max-clients', 'many'], {}, /max-clients/],
    [['serve'], { AGENT_RELAY_MAX_CLIENTS: 'many' }, /AGENT_RELAY_MAX_CLIENTS/],
    [['no-such-verb'], {}, /no-such-verb/],
  ];
  for (const [args, env, words] of bad) {
    const { status, stderr } = run(t, args, env);
    assert.equal(status, 2, `${args}: ${stderr}`);
    assert.match(stderr, words);
  }
});

test('an unset variable breaks that server alone, and is named', async (t) => {
  const relay = await t.relay({
    servers: { broken: { command: '${NOT_SET_ANYWHERE}' }, fine: fake() },
    relay: { listen: ['127.0.0.1:0=broken', '127.0.0.1:0=fine'] },
  });
  const [broken, fine] = [await t.client(relay.addresses[0]), await t.ready(relay.addresses[1])];
  const answer = await broken.initialize();
  assert.equal(answer.error.code, -31001);
  assert.match(JSON.stringify(answer.error), /NOT_SET_ANYWHERE/);
  await fine.flush();
});

test('one broken entry: its sessions are told, the rest runs; a reload says so too', async (t) => {
  const odd = [
    [{ type: 'htpp', command: 'x' }, /type is \\?"htpp\\?", and none of stdio/],
    [{ command: 5 }, /command is a string/],
    [{}, /neither a command nor a url/],
    [{ command: 'x', args: 'y' }, /args is a list of strings/],
    [{ serverUrl: 'http://127.0.0.1:1/mcp' }, /remote servers are not built in yet/],
    [{ command: 'x', envFile: '.env.none' }, /envFile cannot be read: .*\.env\.none: No such file/],
    [{ command: 'x', env: { T: '$NOT_SET_ANYWHERE' } }, /NOT_SET_ANYWHERE/],
    ['a text', /is an object/],
  ];
  const servers = { fine: fake(), off: { type: 'htpp', disabled: 'true' } };
  odd.forEach(([entry], i) => (servers[`odd${i}`] = entry));
  const listen = ['127.0.0.1:0=fine', ...odd.map((_, i) => `127.0.0.1:0=odd${i}`)];
  const relay = await t.relay({ servers, relay: { listen } });
  const fine = await t.ready(relay.addresses[0]);
  await fine.flush();
  for (const [i, [, words]] of odd.entries()) {
    const answer = await (await t.client(relay.addresses[i + 1])).initialize();
    const data = assertRelayError(answer, 'SERVER_UNAVAILABLE', { sent: false });
    assert.match(JSON.stringify([answer.error.message, data]), words);
  }
  relay.log.length = 0;
  relay.writeConfig({ servers: { ...servers, odd1: fake() }, relay: { listen } });
  relay.signal('SIGHUP');
  await relay.event('reloaded');
  assert.ok(relay.log.some(({ detail }) => /mcpServers\.odd0\.type is "htpp"/.test(detail)), relay.logTail());
  await (await t.ready(relay.addresses[2])).flush();
  await fine.flush();
});

test('a file that names no server: exit 2, and where some seem to be; without a file it says that it is the mock', (t) => {
  const bad = [
    ['{"relay": {"drainMs": 1}}', /has no servers/],
    ['{"mcpServers": {}}', /has no servers/],
    ['{"x": {"y": {"a": {"command": "true"}}}}', /"x\.y" seems to hold some/],
    ['{"command": "true"}', /is a single entry without a name/],
  ];
  for (const [text, words] of bad) {
    const { status, stderr } = run(t, ['check', '--config', write(t, text)]);
    assert.equal(status, 2, text);
    assert.match(stderr, words);
  }
  const { status, all } = run(t, ['check']);
  assert.equal(status, 0);
  assert.match(all, /no configuration is named: it serves the mock agents/);
});

test('check notes what the first request would show: no such command, no such folder, no such container end', async (t) => {
  const servers = {
    gone: { command: 'no-such-command' },
    line: { command: 'npx -y server' },
    folder: { command: 'true', cwd: '/nonexistent' },
    box: { command: 'docker', args: ['run', '-i', '--rm', 'mcp/x'], disabled: false },
    fine: { command: 'true' },
  };
  const file = write(t, { mcpServers: servers });
  const { status, stdout, stderr } = run(t, ['check', '--config', file]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^the configuration is good\n$/);
  assert.match(stderr, /relay\.json:3: note: server gone: the command "no-such-command" is not found in PATH=/);
  assert.match(stderr, /server line: the command "npx -y server" is not found; write its arguments in "args"/);
  assert.match(stderr, /server folder: there is no folder "\/nonexistent" to start it in/);
  assert.match(stderr, /server box: it runs in a container, which is no process of the relay's/);
  assert.doesNotMatch(stderr, /server fine/);
  const relay = await t.relay({ servers: { fine: fake(), box: servers.box } });
  assert.match((await relay.event('a server may outlive its child', { server: 'box' })).detail, /add --init/);
  relay.writeConfig({ servers: { fine: fake(), far: { command: 'ssh', args: ['host', 'server'] } } });
  relay.signal('SIGHUP');
  const warning = await relay.event('a server may outlive its child', { server: 'far' });
  assert.equal(warning.level, 'warn');
  assert.match(warning.detail, /process of another daemon or machine/);
});

test('check: what cannot start is counted', (t) => {
  const file = write(t, { mcpServers: { a: { command: 'true' }, b: {}, c: { command: 5, disabled: true } } });
  const { status, stdout } = run(t, ['check', '--config', file]);
  assert.equal(status, 0);
  assert.match(stdout, /^the configuration is good, but 1 of 3 servers cannot start/);
});

test('serve -- COMMAND ARG... serves that one command', async (t) => {
  const { command, args } = fake();
  const relay = await t.relay({ command: [command, ...args] });
  const client = await t.ready(relay);
  await client.flush();
});

test('a server can be named per listener, and an unknown one is a problem', (t) => {
  const file = write(t, {
    mcpServers: { a: { command: 'true' } },
    relay: { listen: ['127.0.0.1:0=nobody'] },
  });
  const { status, all } = run(t, ['serve', '--check', '--config', file]);
  assert.notEqual(status, 0);
  assert.match(all, /nobody/);
});

test('environment values of servers are never shown', (t) => {
  const file = write(t, { mcpServers: { a: { command: 'true', env: { TOKEN: 'very-secret' } } } });
  for (const args of [
    ['config', '--config', file],
    ['serve', '--check', '--config', file],
  ]) {
    assert.doesNotMatch(run(t, args).all, /very-secret/);
  }
});

test('secrets and payloads stay out of the log', async (t) => {
  const relay = await t.relay({
    servers: { fake: { ...fake(), env: { TOKEN: 'very-secret' } } },
    args: ['--log-level', 'info'],
  });
  const client = await t.ready(relay);
  await client.request('tools/call', { name: 'echo', arguments: { password: 'payload-secret' } });
  await relay.stop();
  assert.doesNotMatch(JSON.stringify(relay.log), /very-secret|payload-secret/);
});

test('--version and --help', (t) => {
  const version = run(t, ['--version']);
  assert.equal(version.status, 0);
  assert.match(version.stdout, /\d+\.\d+\.\d+/);
  const help = run(t, ['--help']);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /serve/);
  assert.match(help.stdout, /--max-clients/);
});

test('the options: the same in `options`, in the help, in `config` and in the README', (t) => {
  const table = run(t, ['options']).stdout;
  const rows = [...table.matchAll(/^\| `([A-Za-z]+)`[^|]*\| `(--[a-z-]+)` \| `([A-Z_]+)` \|/gm)];
  assert.ok(rows.length >= 25, `${rows.length} options found`);
  const printed = run(t, ['config']).stdout;
  const help = run(t, ['--help']).stdout;
  for (const [, key, flag, variable] of rows) {
    assert.match(printed, new RegExp(`^${key}\\s`, 'm'), `${key} in \`config\``);
    assert.ok(help.includes(`${flag} `), `${flag} in the help`);
    assert.ok(help.includes(variable), `${variable} in the help`);
  }
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
  assert.ok(readme.includes(table.trim()), 'the README has the table that `agent-relay options` prints');
});

test('every flag and variable that a document names exists in some --help', () => {
  const programs = ['agent-relay', 'agent-backend', 'agent-relayctl', 'agent-mock'];
  const commands = ['status', 'ping', 'call', 'tools', 'tool', 'agents', 'servers', 'watch'];
  const output = (program, args) => {
    const { status, stdout } = spawnSync(path.join(binDir, program), args, { encoding: 'utf8' });
    assert.equal(status, 0, `${program} ${args}`);
    return stdout;
  };
  const helps = Object.fromEntries(programs.map((program) => [program, output(program, ['--help'])]));
  for (const command of commands) helps['agent-relayctl'] += output('agent-relayctl', ['help', command]);
  const all = Object.values(helps).join('\n');
  const files = ['README.md', 'relay/README.md', 'backend-client/README.md', 'compose.yaml'];
  for (const folder of ['docker', 'scripts']) {
    for (const name of fs.readdirSync(path.join(root, folder))) files.push(path.join(folder, name));
  }
  const composeOnly = ['AGENT_RELAY_TAG', 'AGENT_RELAY_NODE', 'AGENT_BACKEND_PORT']; // which images, which port of the host
  let seen = 0;
  for (const file of files) {
    const text = fs.readFileSync(path.join(root, file), 'utf8');
    for (const [name] of text.matchAll(/\bAGENT_[A-Z_]*[A-Z]\b(?!_)/g)) {
      if (composeOnly.includes(name)) continue;
      assert.match(all, new RegExp(`\\b${name}\\b`), `${file}: ${name}`);
      seen++;
    }
    // A command line ends with its line, a comment, a closing quote, or the command behind "--".
    for (const [, program, rest] of text.matchAll(/\b(agent-(?:relayctl|relay|backend|mock))"?,? ([^\n`#|]*)/g)) {
      for (const [flag] of rest.split(/\s--\s/)[0].matchAll(/(?<=[\s"])--[a-z][a-z-]*/g)) {
        assert.ok(helps[program].includes(flag), `${file}: ${program} ${flag}`);
        seen++;
      }
    }
  }
  assert.ok(seen >= 40, `${seen} names found`);
});
