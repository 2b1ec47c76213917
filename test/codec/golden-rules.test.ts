/** Records of rules that were written once must decode for ever. */
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/bytes/index.js';
import { createCodec } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { GOLDEN_RULES } from './golden-rule-records.js';

describe.each(['wasm', 'typescript'] as const)('golden records of rules over %s', (implementation) => {
  const codec = createCodec(loadKernels(implementation));
  it.each(GOLDEN_RULES)('$what', ({ record, inputs, raw }) => {
    const decoded = codec.decode(fromHex(record), raw.length / 2, inputs.map(fromHex), 'golden');
    expect(toHex(decoded)).toBe(raw);
    expect(codec.inputsOf(fromHex(record))).toBe(inputs.length);
  });
});
