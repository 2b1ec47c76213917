import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Unpickled, unpickle } from '../../src/adapters/pickle.js';
import {
  PickleDict,
  PickleFloat,
  PickleGlobal,
  PickleList,
  PickleRecord,
  PickleReference,
  PickleSet,
  PickleTuple,
  type PickleValue,
} from '../../src/adapters/pickle-values.js';
import { isThetalogError } from '../../src/errors.js';
import {
  PyCall,
  PyFloat,
  PyGlobal,
  PyReference,
  PyTuple,
  type PyValue,
  writePickle,
} from './pickle-writer.js';

const origin = { object: 'x.pt', offset: 1000 };

function read(bytes: Uint8Array): Unpickled {
  return unpickle(bytes, origin);
}

/** Opcodes as text; characters above 0xff are not used. */
function ops(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Back to what the writer takes, to compare structure and types. */
function plain(value: PickleValue): unknown {
  if (value instanceof PickleFloat) return { float: value.value };
  if (value instanceof PickleTuple) return { tuple: value.items.map(plain) };
  if (value instanceof PickleSet) return { set: value.items.map(plain) };
  if (value instanceof PickleList) return value.items.map(plain);
  if (value instanceof PickleDict)
    return { dict: [...value.entries].map(([key, item]) => [plain(key), plain(item)]) };
  if (value instanceof PickleGlobal) return { global: value.path };
  if (value instanceof PickleReference) return { reference: plain(value.id) };
  if (value instanceof PickleRecord) {
    const { callable, args, state, items, entries } = value;
    return {
      call: plain(callable),
      args: plain(args),
      state: state === undefined ? undefined : plain(state),
      items,
      entries,
    };
  }
  return value;
}

test('int, float and long, tuple and list, text and bytes stay apart', () => {
  const value: PyValue = [
    1,
    new PyFloat(1),
    2 ** 53 - 1,
    2n ** 100n,
    -(2n ** 70n),
    -1,
    65536,
    new PyTuple(),
    new PyTuple(1),
    [],
    'ü',
    true,
    null,
  ];
  expect(plain(read(writePickle(value)).value)).toEqual([
    1,
    { float: 1 },
    2 ** 53 - 1,
    2n ** 100n,
    -(2n ** 70n),
    -1,
    65536,
    { tuple: [] },
    { tuple: [1] },
    [],
    'ü',
    true,
    null,
  ]);
  expect(plain(read(ops('\x80\x03C\x02\xff\x00.')).value)).toEqual(new Uint8Array([255, 0]));
});

test('any plain value is read as it was written', () => {
  const leaf = fc.oneof(
    fc.integer(),
    fc
      .bigInt({ min: -(2n ** 200n), max: 2n ** 200n })
      .filter((value) => !Number.isSafeInteger(Number(value))),
    fc.double().map((value) => new PyFloat(value)),
    fc.string({ unit: 'grapheme', maxLength: 80 }),
    fc.boolean(),
    fc.constant(null),
  );
  const { tree } = fc.letrec<{ tree: PyValue }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('tree'), { maxLength: 5 }),
      fc.array(tie('tree'), { maxLength: 5 }).map((items) => new PyTuple(...items)),
      fc
        .array(fc.tuple(fc.string(), tie('tree')), { maxLength: 5 })
        .map((entries) => new Map<PyValue, PyValue>(entries)),
    ),
  }));
  const expected = (value: PyValue): unknown => {
    if (value instanceof PyFloat) return { float: value.value };
    if (value instanceof PyTuple) return { tuple: value.items.map(expected) };
    if (value instanceof Map)
      return { dict: [...value].map(([key, item]) => [expected(key), expected(item)]) };
    return Array.isArray(value) ? value.map(expected) : value;
  };
  fc.assert(
    fc.property(tree, fc.boolean(), (value, shareTexts) => {
      expect(plain(read(writePickle(value, { shareTexts })).value)).toEqual(expected(value));
    }),
    { numRuns: 300 },
  );
});

test('calls, states and persistent ids become records; nothing is called', () => {
  const call = new PyCall(new PyGlobal('os', 'system'), new PyTuple('true'), { a: 1 });
  const reference = new PyReference(new PyTuple('storage', '7'));
  const { value, references } = read(writePickle([call, reference]));
  expect(plain(value)).toEqual([
    { call: { global: 'os.system' }, args: { tuple: ['true'] }, state: { dict: [['a', 1]] } },
    { reference: { tuple: ['storage', '7'] } },
  ]);
  expect(references).toHaveLength(1);
  expect(references[0].offset).toBeGreaterThan(origin.offset);
});

test('OrderedDict, defaultdict, Counter and dict are dicts, in order', () => {
  const ordered = '(ccollections\nOrderedDict\n((lp0\n(lp1\nS"b"\naI1\naa(lp2\nS"a"\naI2\naatRt.';
  expect(plain(read(ops(ordered)).value)).toEqual({
    tuple: [
      {
        dict: [
          ['b', 1],
          ['a', 2],
        ],
      },
    ],
  });
  const counter = new PyCall(new PyGlobal('collections', 'Counter'), new PyTuple({ x: 3 }));
  expect(plain(read(writePickle(counter)).value)).toEqual({ dict: [['x', 3]] });
  const factory = new PyTuple(new PyGlobal('builtins', 'list'));
  expect(
    plain(read(writePickle(new PyCall(new PyGlobal('collections', 'defaultdict'), factory))).value),
  ).toEqual({ dict: [] });
});

test('protocols 0 and 1', () => {
  const text =
    "(lp0\nI12\naI01\naL123456789012345678901L\naF2.5\naVtext\naS'quoted'\naNa(dp1\nVk\nI-3\nsa(I1\nI2\ntp2\nag2\na.";
  expect(plain(read(ops(text)).value)).toEqual([
    12,
    true,
    123456789012345678901n,
    { float: 2.5 },
    'text',
    'quoted',
    null,
    { dict: [['k', -3]] },
    { tuple: [1, 2] },
    { tuple: [1, 2] },
  ]);
  expect(plain(read(ops('(imy\nClass\n(dVa\nI1\nsb.')).value)).toMatchObject({
    call: { global: 'my.Class' },
    state: { dict: [['a', 1]] },
  });
  expect(plain(read(ops('(cmy\nClass\nI1\no.')).value)).toMatchObject({ args: { tuple: [1] } });
  expect(plain(read(ops('Pname\n.')).value)).toEqual({ reference: 'name' });
});

test('protocols 4 and 5', () => {
  const text =
    '\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02my\x94\x8c\x05Class\x93\x94)\x81}\x8c\x01kK\x01sb.';
  expect(plain(read(ops(text)).value)).toMatchObject({
    call: { global: 'my.Class' },
    state: { dict: [['k', 1]] },
  });
  expect(plain(read(ops('\x80\x04\x8f(K\x01K\x02\x90.')).value)).toEqual({ set: [1, 2] });
  expect(plain(read(ops('\x80\x04(K\x01K\x02\x91.')).value)).toEqual({ set: [1, 2] });
  expect(plain(read(ops('\x80\x05\x96\x02\x00\x00\x00\x00\x00\x00\x00\x01\x02.')).value)).toEqual(
    new Uint8Array([1, 2]),
  );
  expect(plain(read(ops('\x80\x04cmy\nClass\n)}\x92.')).value)).toMatchObject({
    call: { global: 'my.Class' },
  });
});

test('the memo keeps identity, also of a list that holds itself', () => {
  const { value } = read(ops('\x80\x02]q\x00h\x00a.'));
  expect(value).toBeInstanceOf(PickleList);
  expect((value as PickleList).items[0]).toBe(value);
});

test('text that is too long for a name stays bytes', () => {
  const { value } = read(writePickle('x'.repeat(70_000)));
  expect(value).toBeInstanceOf(Uint8Array);
});

test('POP drops a MARK, POP_MARK what was pushed since', () => {
  expect(read(ops('N(0.')).value).toBeNull();
  expect(read(ops('N(K\x01K\x021.')).value).toBeNull();
});

test('the end of the pickle is reported, what follows is not read', () => {
  expect(unpickle(ops('xxN.yyy'), origin, 2)).toMatchObject({ value: null, end: 4 });
});

test('errors carry the offset in the file of the opcode at fault', () => {
  expect(() => read(ops('\x80\x02](K\x01K\x02u.'))).toThrow(
    expect.objectContaining({ kind: 'corrupt', code: 'pickle-operand', object: 'x.pt', offset: 1008 }),
  );
  expect(() => read(ops('\x80\x02\xee.'))).toThrow(
    expect.objectContaining({ code: 'pickle-opcode', offset: 1002 }),
  );
});

test('a crafted pickle of many copies stops at the limit', () => {
  // A dict of 1000 items, copied by Counter(dict) without end.
  const items = Array.from({ length: 1000 }, (_, index) => `I${index}\nN`).join('');
  const copies = 'ccollections\nCounter\nh\x00\x85R0'.repeat(12_000);
  expect(() => read(ops(`\x80\x02}(${items}uq\x000${copies}N.`))).toThrow(
    expect.objectContaining({ code: 'pickle-limit' }),
  );
});

test('random opcodes give a value or a typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        read(bytes);
      } catch (error) {
        if (!isThetalogError(error, 'corrupt')) throw error;
      }
    }),
    { numRuns: 5000 },
  );
});
