/** One small example of everything, and what reading it throws. */
import fc from 'fast-check';
import { isThetalogError, type ThetalogError } from '../../src/errors.js';
import { type ChunkEntry, emptyRoot, encodePackEnd } from '../../src/format/index.js';
import { type ChunkId, loadHasher } from '../../src/hash/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { layoutsWithContent } from './arbitraries.js';

export const hasher = await loadHasher(loadKernels());
export const PACK = '0123456789abcdef-1';

export const chunk: ChunkEntry = {
  id: '00112233445566778899aabbccddeeff' as ChunkId,
  pack: PACK,
  offset: 8,
  length: 100,
  rawLength: 4096,
  height: 0,
  references: [],
  checksum: 0xdeadbeef,
};
export const delta: ChunkEntry = {
  ...chunk,
  id: 'ffeeddccbbaa99887766554433221100' as ChunkId,
  offset: 108,
  height: 1,
  references: [chunk.id],
};
export const [example] = fc.sample(layoutsWithContent, { numRuns: 1, seed: 5 });
export const section = { object: '', offset: 0, length: 10, rawLength: 20, checksum: new Uint8Array(8) };
export const manifest = {
  name: 'object',
  checkpoint: 'c'.repeat(32),
  layout: section,
  facts: section,
  idPages: [section],
  segments: [PACK],
};
export const packEnd = encodePackEnd(hasher, [chunk, delta], 208);
export const root = { ...emptyRoot('00ff'), runs: new Map([['gpt', { pages: [{ name: PACK, count: 3 }] }]]) };

/** Returns the typed error that reading throws, or undefined; any other error is thrown on. */
export function errorOf(read: () => unknown): ThetalogError | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!isThetalogError(error)) throw error;
    return error;
  }
}
