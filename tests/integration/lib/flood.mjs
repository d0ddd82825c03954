// A client program that asks for more than its share: many connections from 127.0.0.2, all of the same kind.
//
//   node flood.mjs PORT KIND
//
// It writes a line when the flood is under way, and goes on until it is killed.
import net from 'node:net';

const [port, kind] = [Number(process.argv[2]), process.argv[3]];
const message = (members) => `${JSON.stringify({ jsonrpc: '2.0', ...members })}\n`;
const initialize = message({
  id: 'i',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flood', version: '1' } },
});
const hang = (id) =>
  message({ id, method: 'tools/call', params: { name: 'echo', arguments: { hold: true } } });

// How many connections, what each says first, and what it then repeats for ever.
const kinds = {
  'hanging calls': { connections: 300, first: initialize + [1, 2, 3].map(hang).join('') },
  notifications: { connections: 3, repeat: message({ method: 'x/custom', params: {} }) },
  'large notifications': {
    connections: 3,
    repeat: message({ method: 'x/custom', params: { pad: 'x'.repeat(60_000) } }),
  },
  'bad lines': { connections: 3, repeat: '{x\n' },
  'control calls': { connections: 3, repeat: message({ id: 1, method: 'relay/servers' }) },
  pings: { connections: 3, repeat: message({ id: 1, method: 'ping' }) },
};
const { connections, first = initialize, repeat } = kinds[kind];
const chunk = repeat && Buffer.from(repeat.repeat(Math.ceil(65536 / repeat.length)));

function open() {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2', noDelay: true });
    const pour = () => {
      while (socket.write(chunk));
    };
    socket.on('error', () => {});
    socket.once('connect', () => socket.write(first));
    socket.once('data', () => {
      resolve();
      if (!chunk) return;
      socket.on('drain', pour);
      pour();
    });
    socket.resume();
  });
}

await Promise.all(Array.from({ length: connections }, open));
console.log('flooding');
