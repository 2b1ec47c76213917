/** The examples of FORMAT.md: records written once must decode for ever, and are still what the encoder writes. */
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/bytes/index.js';
import { createCodec, fromBase } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import type { DType } from '../../src/tensor/index.js';

interface Golden {
  readonly what: string;
  readonly dtype: DType;
  readonly record: string;
  readonly raw: string;
  readonly base?: string;
  /** Whether an encoder that may choose writes another record for these bytes. */
  readonly onlyDecoded?: boolean;
}

/** 70,000 f32 lanes of 1.0; every thousandth is tiny and has these added in turn, and others what is given for them. */
function flagged(steps: readonly number[], others: readonly number[]): Uint8Array {
  const lanes = new Uint32Array(70_000).fill(0x3f800000);
  for (let turn = 0; turn < 70; turn++) lanes[turn * 1000] = 0x30000000 + steps[turn % steps.length];
  for (let index = 0; index < others.length; index += 2) lanes[others[index]] += others[index + 1];
  return new Uint8Array(lanes.buffer);
}

/** 200 bf16 lanes of two exponents and signs; to those that are named the number after it is added. */
function marked(steps: readonly number[]): string {
  const lanes = Uint16Array.from(
    { length: 200 },
    (_, at) => (at % 2 ? 0x3f80 : 0x3c00) + (at % 3 ? 0 : 0x8000),
  );
  for (let index = 0; index < steps.length; index += 2) lanes[steps[index]] += steps[index + 1];
  return toHex(new Uint8Array(lanes.buffer));
}

const GOLDENS: readonly Golden[] = [
  { what: 'raw', dtype: 'f32', record: '01cafe', raw: 'cafe' },
  {
    what: 'bf16 delta',
    dtype: 'bf16',
    record: '040e0202030000018200000300007f800100',
    raw: '803f803f0080c17f0040803f',
    base: '803f803f803f803f803f803f',
    onlyDecoded: true,
  },
  {
    what: 'entropy coded',
    dtype: 'u8',
    record: '040301020401fff134810700000c438e0700321d5798ee0800c4',
    raw: '0200000001000000'.repeat(8),
    onlyDecoded: true,
  },
  {
    what: 'sparse',
    dtype: 'u8',
    record: '0403010205020203032403020a',
    raw: `${'00'.repeat(3)}01${'00'.repeat(36)}05${'00'.repeat(23)}`,
  },
  {
    what: 'equal to its base, with a tail',
    dtype: 'f64',
    record: '04100201abcd',
    raw: '0102030405060708abcd',
    base: '01020304050607080000',
  },
  {
    what: 'classes, by exponent',
    dtype: 'bf16',
    record: '040e0203027f7ff5611c0000fff1278403001033cb0000e0d8000033cb0000e0d80000',
    raw: '803f013c'.repeat(128),
    base: '803f003c'.repeat(128),
  },
  {
    what: 'classes of two blocks with the same tables',
    dtype: 'bf16',
    record:
      '040e0203027f7f5119e60100fff127c4000010a21c7905d4843306a21c7905d48433060410608a0000ac8b0000608a0000ac8b0000',
    raw: '803f013c'.repeat(33_100),
    base: '803f003c'.repeat(33_100),
  },
  {
    what: 'classes with bits below them',
    dtype: 'f32',
    record: `040f0203027f7f89867300002faa1fe6010010a0210100fbe00000a0210100fbe00000${'ff'.repeat(50)}`,
    raw: '090080bf0100003c'.repeat(400),
    base: '000080bf0000003c'.repeat(400),
    onlyDecoded: true,
  },
  {
    what: 'far classes: near, an octave up, of the other sign, escaped',
    dtype: 'f32',
    record:
      '040f0209015794919c1403980d100d3291d3a102938b3264a40f3467d0930100b332e06518a46682f612e7377cdc615567b3c19263a1c0f8287e973375342005f00f8ed54e839839f4a0145b611a17aa34be0727e431f3c3888e6b923c0ed692affc1f88f6bbc48b28b56e0dc9adee2936ba339aceb9837c1ad8c508a4a4dd35205ab24440ef308358fea16cc7dfe848c47fc2c0d75ac3ae538616befcc55b66dbaaff48e141a1041f58e407',
    raw: '5e00803f58edf44020664ebfacffff3bcf00803f508aed40c2342ebfd0ffff3bea00803fa5f1fd40e0847cbffaffff3b7800803f991fc640d1714dbf97ffff3be400803f8f83b54092af3cbff7ffff3b3700803f07a2bd40bbc40bbfc6ffff3b1c00803fa5d6ad4086e416bf93ffff3bdd00803f2936ba40ce683abfccffff3b6300803f7790cf400dec62bfbfffff3b3900803f9092f6405d0322bf9affff3b8900803f9608a840779841bfebffff3b1c00803fcb3f9440b6e36fbf9fffff3b5d00803f9188ff4013063ebf86ffff3b5500803f6bd8f54029434bbfccffff3baf00803ff98bb74032db16bf0000003cb500803fff48e140078512bff081457e',
    base: '0000803f0000803f0000803f0000003c'.repeat(16),
  },
  {
    what: 'prefix codes, with long residuals',
    dtype: 'f32',
    record:
      '040f020701732143777777989999294377777798999919437777779899991942777777989999193277777798999919327477779899991932747777989999193274777798999919327477779899991932747777989999193274777798999919327477779799991932747777879999193274777787999919327477778799991932747777879909220000001e000000200000001200000002890000df002afa4b0cfe038201003ffabb1efb0100020175f0',
    raw: '0100803fc52080bf0000003f6f12033b6f1283ba000060400ad7233c',
    base: '0000803f000080bf0000003f6f12833a00000000000040400ad723bc',
    onlyDecoded: true,
  },
  {
    what: 'gaps',
    dtype: 'bf16',
    record: '040e02057801018bf5ffff4900fea92e',
    raw: `${'803f'.repeat(3)}813f${'803f'.repeat(73)}7c3f${'803f'.repeat(122)}813f${'803f'.repeat(55)}`,
    base: '803f'.repeat(256),
  },
  {
    what: 'gaps of two blocks, with flags and large differences',
    dtype: 'f32',
    record:
      '040f020578010cc00008196b8361edc03dcd77ffffcf04e0ff673e0dfeff5fb91f000000000000000000000000060179d622000000',
    raw: toHex(flagged([0, 5, 5, 5], [77, -1, 500, 100_000, 69_999, 2])),
    base: toHex(flagged([0], [])),
  },
  {
    what: 'touched lines, the last one short',
    dtype: 'i32',
    record: '0408020b0206044a03020401ff7103332b00000cc181bd0287d884c021826ca2010101',
    raw: `${'00000001'.repeat(100)}${'05000001'.repeat(50)}${'00000001'.repeat(1200)}${'05000001'.repeat(37)}`,
    base: '00000001'.repeat(1387),
  },
  {
    what: 'marked lanes',
    dtype: 'bf16',
    record:
      '040e020c71404040404040400f4040404040400440000b965701c3020129b91358018314c926de24cd02f404c502f404bd54ac24c6020725c402f204c402aa23c4026124c4027324c402f204c402f204c4027324c402',
    raw: marked([
      0, 1, 3, 1, 6, -1, 16, 2, 40, 1, 64, -1, 77, 1, 78, 3, 100, 1, 120, 1, 126, -1, 150, 1, 180, 1, 199, 1,
    ]),
    base: marked([]),
    onlyDecoded: true,
  },
  {
    what: 'steps',
    dtype: 'bf16',
    record:
      '040e020d6a07010101010101010101010101010115010101010101010101010101010101400101010101010101010101010101016b3001010101010101010101010101010170200a09c9012c8280d57e05e202120e0901f204e202f204e2029d04d6aaf80b5901000c590161025901610259019c0b590161025901610259016102590161025901d2010901d2010901fe080901d201090104090901d2010901d2010901d2010901d2010901d2010901b9080901d2010901fe080901d2010901d2010901fe080901518a067070707070707070707070707070707070707070707070707070707080e400',
    raw: marked([
      0, 1, 3, 1, 6, -1, 16, 2, 40, -5, 64, 1, 77, 1, 78, 3, 100, 1, 120, 1, 126, -1, 150, 1, 180, 9, 199, -1,
    ]),
    base: marked([]),
    onlyDecoded: true,
  },
  { what: 'constant and zero planes', dtype: 'i16', record: '04060102020601', raw: '0300'.repeat(5) },
  { what: 'deflate', dtype: 'bytes', record: '024b4c4a4e494dc32401', raw: '616263646566'.repeat(4) },
  {
    what: 'deflate with dictionary',
    dtype: 'bytes',
    record: '03ab40301501',
    raw: '786162636465666768696a21',
    base: '6162636465666768696a',
  },
];

describe('golden records', () => {
  const codec = createCodec(loadKernels());
  it.each(GOLDENS)('$what', ({ dtype, record, raw, base, onlyDecoded }) => {
    const from = base === undefined ? undefined : fromHex(base);
    expect(
      toHex(codec.decode(fromHex(record), raw.length / 2, from === undefined ? [] : [from], 'golden')),
    ).toBe(raw);
    if (!onlyDecoded)
      expect(toHex(codec.encode(fromHex(raw), dtype, fromBase(from), 'max').record)).toBe(record);
  });
});
