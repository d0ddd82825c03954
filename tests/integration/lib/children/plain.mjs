// A server that remembers nothing, for tests of pace: tools/call gives back its arguments, or, with {"hold":true}, nothing.
import readline from 'node:readline';

const answer = (id, result) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined || params?.arguments?.hold) return;
  if (method === 'initialize')
    answer(id, {
      protocolVersion: params.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: 'plain', version: '1' },
    });
  else answer(id, { content: [{ type: 'text', text: JSON.stringify(params?.arguments ?? {}) }] });
});
