/** What a damaged record may do: decode to other bytes of the same length, or throw a typed error. Nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCodec, fromBase } from '../../src/codec/index.js';
import { isThetalogError, type ThetalogError } from '../../src/errors.js';
import { loadKernels } from '../../src/kernels/index.js';
import { randomBytes, skewedBytes } from '../kernels/kernel-inputs.js';
import {
  nudged,
  oneSidedUpdate,
  type Pair,
  pairs,
  scaledUpdate,
  sparseUpdate,
  touchedRows,
} from './chunk-inputs.js';

const codec = createCodec(loadKernels());

function failure(record: Uint8Array, rawLength: number, base?: Uint8Array): ThetalogError | undefined {
  try {
    const decoded = codec.decode(record, rawLength, base === undefined ? [] : [base], 'pack-7');
    expect(decoded.length).toBe(rawLength);
    return undefined;
  } catch (error) {
    if (!isThetalogError(error, 'corrupt', 'unsupported')) throw error;
    expect(error.object).toBe('pack-7');
    expect(error.offset).toBeGreaterThanOrEqual(0);
    expect(error.offset).toBeLessThanOrEqual(record.length);
    return error;
  }
}

const EXAMPLES: Record<string, Pair> = {
  raw: { dtype: 'f32', raw: randomBytes(100, 1), base: undefined },
  deflate: { dtype: 'bytes', raw: skewedBytes(3000, 1), base: undefined },
  dictionary: { dtype: 'bytes', raw: skewedBytes(3000, 1), base: skewedBytes(2999, 1) },
  dense: { dtype: 'f32', raw: skewedBytes(8001, 2), base: undefined },
  sparse: sparseUpdate(4000, 30, 5),
  classes: scaledUpdate('bf16', 3000, 1e-4),
  classesWithRests: scaledUpdate('f32', 1500, 1e-5),
  prefix: scaledUpdate('f32', 20_000, 1e-4),
  gaps: sparseUpdate(4000, 40, 6),
  gapsOfBlocks: sparseUpdate(70_000, 300, 6),
  marked: oneSidedUpdate(66_000, 12, 6),
  steps: sparseUpdate(66_000, 12, 6),
  touched: touchedRows(100, 64, 12, 3),
  near: { dtype: 'f16', raw: nudged(skewedBytes(3000, 7), 2, 2, 1), base: skewedBytes(3000, 7) },
};

describe.each(Object.entries(EXAMPLES))('a damaged %s record', (_, { dtype, raw, base }) => {
  const { record } = codec.encode(raw, dtype, fromBase(base), 'fast');

  it('is refused when cut anywhere', () => {
    const step = Math.max(1, Math.floor(record.length / 300));
    for (let length = 0; length < record.length; length += step) {
      const error = failure(record.subarray(0, length), raw.length, base);
      expect(error?.kind, `cut at ${length}`).toBe('corrupt');
    }
  });

  it('is refused when bytes follow', () => {
    if (record[0] === 2 || record[0] === 3) return; // DEFLATE ends itself; the pack knows the length
    const longer = new Uint8Array(record.length + 1);
    longer.set(record);
    expect(failure(longer, raw.length, base)?.kind).toBe('corrupt');
  });

  it('is refused for another length', () => {
    for (const length of [raw.length - 1, raw.length + 1, 0, 2 ** 31]) {
      expect(failure(record, length, base)?.kind, `as ${length}`).toBe('corrupt');
    }
  });

  it('never crashes for a changed byte', () => {
    for (let at = 0; at < Math.min(record.length, 400); at++) {
      for (const flip of [1, 0x80, 0xff, 1 << (at % 8)]) {
        const damaged = Uint8Array.from(record);
        damaged[at] ^= flip;
        failure(damaged, raw.length, base);
      }
    }
  });
});

it('gaps are among what was damaged', () => {
  for (const { dtype, raw, base } of [EXAMPLES.gaps, EXAMPLES.gapsOfBlocks]) {
    expect(codec.encode(raw, dtype, fromBase(base), 'fast').record[3]).toBe(5);
  }
});

it('classes are among what was damaged', () => {
  for (const [example, kind] of [
    [EXAMPLES.classes, 3],
    [EXAMPLES.classesWithRests, 9],
  ] as const) {
    const { dtype, raw, base } = example;
    expect(codec.encode(raw, dtype, fromBase(base), 'fast').record[3]).toBe(kind);
  }
});

describe('damaged records', () => {
  it('never crash, whatever they hold', () => {
    const start = fc.constantFrom(
      [1],
      [2],
      [3],
      [4, 15, 1, 2],
      [4, 14, 2, 2, 5],
      [4, 3, 1, 2, 4, 1],
      [4, 14, 2, 3, 1],
      [4, 15, 2, 3, 2, 127],
      [4, 15, 2, 9, 2, 127],
      [4, 14, 2, 9, 1],
      [4, 15, 2, 4],
      [4, 16, 2, 3],
      [4, 14, 1, 3],
      [4, 16, 1, 2, 4],
      [4, 14, 2, 5],
      [4, 14, 2, 11],
      [4, 15, 2, 11, 1, 0],
      [4, 16, 2, 11, 1, 0, 1, 2],
      [4, 14, 2, 5, 110, 8, 3],
      [4, 15, 2, 5, 0, 1, 0],
      [4, 15, 2, 6],
      [4, 14, 1, 5],
      [4, 16, 2, 5],
    );
    const any = fc.tuple(start, fc.uint8Array({ maxLength: 200 }), fc.nat(3000));
    fc.assert(
      fc.property(any, ([head, body, rawLength]) => {
        failure(Uint8Array.from([...head, ...body]), rawLength, new Uint8Array(rawLength));
      }),
      { numRuns: 3000 },
    );
  });

  it('never crash for several changed bytes of any record', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(pairs(600), changes, ({ dtype, raw, base }, list) => {
        const { record } = codec.encode(raw, dtype, fromBase(base), 'fast');
        for (const [at, value] of list) record[at % record.length] = value;
        failure(record, raw.length, base);
      }),
      { numRuns: 600 },
    );
  });

  it('name what a newer version may know as unsupported', () => {
    const unknown = [[0], [5, 1], [255], [4, 99, 1, 1], [4, 15, 3, 1]];
    for (const record of unknown) {
      expect(failure(Uint8Array.from(record), 4, new Uint8Array(4))?.kind, `${record}`).toBe('unsupported');
    }
  });

  it('need their base, as long as it was', () => {
    const { raw, base } = sparseUpdate(4000, 30, 5);
    const { record, prediction } = codec.encode(raw, 'bf16', fromBase(base), 'fast');
    expect(prediction).toBeDefined();
    expect(failure(record, raw.length, undefined)?.code).toBe('record-base');
    expect(failure(record, raw.length, raw.subarray(2))?.code).toBe('record-base');
    expect(failure(Uint8Array.of(3, 3, 0), 0, undefined)?.code).toBe('record-base');
  });

  it('cannot make a small record ask for much memory', () => {
    expect(failure(Uint8Array.of(4, 15, 1, 1), 2 ** 40)?.kind).toBe('corrupt');
    expect(failure(Uint8Array.of(2, 3, 0), 2 ** 40)?.kind).toBe('corrupt');
    expect(failure(Uint8Array.of(1, 3, 0), 2 ** 40)?.kind).toBe('corrupt');
  });
});
