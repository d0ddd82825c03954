// The relay written plainly in Node, as a measure: one shared child, lines split, parsed, ids mapped, printed again. It has
// none of the relay's promises (no strictness, no limits, no back-pressure, no restarts), only its core job.
//
//   node node_relay.mjs COMMAND [ARG...]      prints "listening PORT" on standard error

import { spawn } from 'node:child_process';
import net from 'node:net';

const [command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const pending = new Map(); // the child's id -> { socket, id }
let nextId = 1;

function onLines(stream, onLine) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) onLine(line);
  });
}

function onClientLine(socket, line) {
  const message = JSON.parse(line);
  if (message.id !== undefined && message.method !== undefined) {
    const id = nextId++;
    pending.set(id, { socket, id: message.id });
    message.id = id;
  }
  child.stdin.write(JSON.stringify(message) + '\n');
}

function onChildLine(line) {
  const message = JSON.parse(line);
  const call = pending.get(message.id);
  if (call === undefined) return;
  pending.delete(message.id);
  message.id = call.id;
  if (!call.socket.destroyed) call.socket.write(JSON.stringify(message) + '\n');
}

onLines(child.stdout, onChildLine);
child.on('exit', (code) => process.exit(code ?? 1));

const server = net.createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  onLines(socket, (line) => onClientLine(socket, line));
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () =>
  console.error(`listening ${server.address().port}`),
);
