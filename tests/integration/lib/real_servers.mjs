// Real servers from npm, as configuration entries. Their programs are run with node directly: what npx adds is a test of
// its own.
import fs from 'node:fs';
import path from 'node:path';
import { root } from './relay.mjs';

function program(name) {
  const folder = path.join(root, 'tests/node_modules/@modelcontextprotocol', name);
  const { bin } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return path.join(folder, typeof bin === 'string' ? bin : Object.values(bin)[0]);
}

export const everything = () => ({
  command: process.execPath,
  args: [program('server-everything'), 'stdio'],
});

export const memory = (file) => ({
  command: process.execPath,
  args: [program('server-memory')],
  env: { MEMORY_FILE_PATH: file },
});

export const filesystem = (...folders) => ({
  command: process.execPath,
  args: [program('server-filesystem'), ...folders],
});
