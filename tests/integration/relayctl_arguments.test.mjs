// agent-relayctl tool NAME KEY=VALUE: what the tool's schema says of its arguments.
import { assert, test } from './lib/harness.mjs';
import { assertCode, ctl, fakeRelay } from './lib/relayctl.mjs';

const tools = [
  {
    name: 'sum',
    inputSchema: {
      type: 'object',
      properties: {
        a: { type: 'number' },
        n: { type: 'integer' },
        text: { type: 'string' },
        exact: { type: 'boolean' },
        list: { type: 'array', items: { type: 'string' } },
        map: { type: 'object' },
        either: { type: ['string', 'number'] },
        maybe: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
        any: {},
      },
      required: ['a'],
    },
  },
  { name: 'open', inputSchema: { type: 'object', properties: { a: { type: 'number' } }, additionalProperties: true } },
  { name: 'untyped', inputSchema: { type: 'object' } },
  { name: 'none', inputSchema: { type: 'object', properties: {} } },
];

/** What the tool is called with, and how the run ends. */
async function run(t, args, answers = {}) {
  const pages = tools.map((tool, i) => ({ tools: [tool], ...(i + 1 < tools.length && { nextCursor: String(i + 1) }) }));
  let called;
  const relay = await fakeRelay(t, {
    'tools/list': ({ params }) => pages[Number(params?.cursor ?? 0)],
    'tools/call': ({ params }) => {
      called = params.arguments;
      return { content: [{ type: 'text', text: 'done' }] };
    },
    ...answers,
  });
  const end = await ctl(relay, ['tool', ...args]);
  return { ...end, called };
}

test('a value has the type that the schema asks for', async (t) => {
  for (const [args, wanted] of [
    [['sum', 'a=1'], { a: 1 }],
    [['sum', 'a=-1.5e3', 'n=7'], { a: -1500, n: 7 }],
    [['sum', 'a=1', 'text=1', 'exact=true'], { a: 1, text: '1', exact: true }],
    [['sum', 'a=1', 'list=["x"]', 'map={"k":1}'], { a: 1, list: ['x'], map: { k: 1 } }],
    [['sum', 'a=1', 'either=1', 'maybe=null', 'any=1'], { a: 1, either: '1', maybe: null, any: '1' }],
    [['sum', 'a:="x"'], { a: 'x' }],
    [['open', 'a=1', 'other=2'], { a: 1, other: '2' }],
    [['untyped', 'a=1'], { a: '1' }],
    [['not-listed', 'a=1'], { a: '1' }],
    [['none'], {}],
    [['sum', '{"b":"1"}'], { b: '1' }],
  ]) {
    const { called, ...end } = await run(t, args);
    assertCode(end, 0);
    assert.deepEqual(called, wanted, args.join(' '));
  }
});

test('an argument that is unknown, missing or of another type is named, and nothing is called', async (t) => {
  for (const [args, message] of [
    [['sum', 'a=1', 'exakt=true'], /there is no argument 'exakt'; is exact meant\?; there are: a\*, n, text, exact, list, map/],
    [['sum', 'a=1', 'zzzzzz:=1'], /there is no argument 'zzzzzz'; there are: a\*/],
    [['none', 'x=1'], /there is no argument 'x'; there are: none/],
    [['sum', 'n=1'], /the argument a is missing: write a=VALUE \(a number\)/],
    [['sum'], /the argument a is missing/],
    [['sum', 'a=one'], /a must be a number, which 'one' is not/],
    [['sum', 'a=1', 'n=1.5'], /n must be a whole number, which '1\.5' is not/],
    [['sum', 'a=1', 'exact=yes'], /exact must be true or false, which 'yes' is not/],
    [['sum', 'a=1', 'list=x'], /list must be a list such as \["a","b"\], which 'x' is not/],
    [['sum', 'a='], /a must be a number, which '' is not/],
  ]) {
    const { called, ...end } = await run(t, args);
    assertCode(end, 2);
    assert.match(end.stderr, message);
    assert.equal(called, undefined, args.join(' '));
  }
});

test('a server that lists no tools gets texts', async (t) => {
  const { called, ...end } = await run(t, ['sum', 'a=1'], { 'tools/list': () => ({ error: { code: -32601, message: 'no' } }) });
  assertCode(end, 0);
  assert.deepEqual(called, { a: '1' });
});
