/** Random states, exported and imported again, against what plain arithmetic makes of them. */
import { deepStrictEqual, ok } from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import type { DType, ExportOptions, Tensor } from '../../src/index.js';
import { DTYPES, dtypeInfo } from '../../src/tensor/index.js';
import { makeFolder, parseSafetensors, randomBytes, readTree } from './folders.js';
import { makeStore } from './make-store.js';

type Case = {
  tensors: { group: 'model' | 'optimizer' | 'extra'; dtype: DType; shape: number[] }[];
  shardSize: number | undefined;
  dtype: ExportOptions['dtype'];
  /** Number of a tensor whose memory another one shares. */
  tied: number | undefined;
};

const dimension = fc.oneof(
  { arbitrary: fc.nat({ max: 9 }), weight: 4 },
  { arbitrary: fc.integer({ min: 1000, max: 2500 }), weight: 1 },
);
const tensor = fc.record({
  group: fc.constantFrom('model' as const, 'model' as const, 'optimizer' as const, 'extra' as const),
  dtype: fc.constantFrom(...DTYPES.filter((dtype) => dtype !== 'c128')),
  shape: fc.oneof(
    fc.array(fc.nat({ max: 6 }), { maxLength: 4 }),
    dimension.map((length) => [length]),
  ),
});

/** Any state, and any way to export it. */
export const exportCase: fc.Arbitrary<Case> = fc.record({
  tensors: fc.array(tensor, { minLength: 1, maxLength: 12 }),
  shardSize: fc.option(fc.integer({ min: 1, max: 12_000 }), { nil: undefined }),
  dtype: fc.constantFrom(undefined, 'bf16', 'f16', 'f32'),
  tied: fc.option(fc.nat({ max: 11 }), { nil: undefined }),
});

/** What a reader finds of each tensor. */
type Read = ReturnType<typeof parseSafetensors>;

/** Exports, reads, imports and exports again. */
export async function assertExported({ tensors, shardSize, dtype, tied }: Case): Promise<void> {
  const { store } = await makeStore();
  const values = tensors.map(makeTensor);
  const state: Record<string, Record<string, Tensor>> = {};
  for (const [at, { group }] of tensors.entries()) state[group] = { ...state[group], [`t${at}`]: values[at] };
  const shared = tied === undefined ? undefined : values[tied];
  const isShared = shared !== undefined && shared.data.byteLength > 0;
  if (isShared) state.model = { ...state.model, zz: shared };
  await (await store.run('r').save(state)).committed;

  const out = join(await makeFolder(), 'out');
  const options = { ...(shardSize && { shardSize }), ...(dtype && { dtype }) };
  const result = await store.export('r', { out, ...options });
  const files = Object.entries(await readTree(out)).filter(([name]) => name.endsWith('.safetensors'));
  const shards = files.map(([, file]) => parseSafetensors(file));
  deepStrictEqual(Object.keys(result.tied).length, isShared ? 1 : 0);
  const kept = Object.entries(state).flatMap(([group, members]) =>
    Object.entries(members).map(([name, value]) => [`${group}.${name}`, value] as const),
  );
  const onlyModel = Object.keys(state).every((group) => group === 'model');
  const expected: Read = {};
  for (const [name, value] of kept) {
    const short = onlyModel ? name.slice('model.'.length) : name;
    if (!Object.hasOwn(result.tied, short)) expected[short] = readOf(value, dtype);
  }
  const found: Read = Object.assign({}, ...shards);
  deepStrictEqual(sorted(found), sorted(expected));
  for (const shard of shards) {
    const sizes = Object.values(shard).map(({ bytes }) => bytes.length);
    const sum = sizes.reduce((total, size) => total + size, 0);
    ok(shardSize === undefined || sum <= shardSize || sizes.length === 1, `a shard of ${sum} bytes`);
  }
  await assertImported(store, out, options);
}

/** What is imported has the names that were exported, and comes out again as the same files but for the id. */
async function assertImported(
  store: Awaited<ReturnType<typeof makeStore>>['store'],
  out: string,
  options: Partial<ExportOptions>,
): Promise<void> {
  await store.import([out], { run: 'again' });
  const describe = async (ref: string) =>
    Object.fromEntries(
      (await store.show(ref)).tensors.map(({ name, group, shape, aliases }) => [
        name,
        { group, shape, aliases },
      ]),
    );
  deepStrictEqual(sorted(await describe('again')), sorted(await describe('r')));
  const second = join(await makeFolder(), 'out');
  await store.export('again', { out: second, ...options });
  const read = async (place: string): Promise<Read> => {
    const files = Object.entries(await readTree(place)).filter(([name]) => name.endsWith('.safetensors'));
    return Object.assign({}, ...files.map(([, file]) => parseSafetensors(file))) as Read;
  };
  deepStrictEqual(sorted(await read(second)), sorted(await read(out)));
}

function makeTensor({ dtype, shape }: Case['tensors'][number], at: number): Tensor {
  const bytes = shape.reduce((product, length) => product * length, dtypeInfo(dtype).bytes);
  return { dtype, shape, data: randomBytes(bytes, at + 1) };
}

function sorted<T>(named: Record<string, T>): [string, T][] {
  return Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1));
}

const NAMES: Partial<Record<DType, string>> = { bytes: 'U8', f8e4m3: 'F8_E4M3', f8e5m2: 'F8_E5M2' };

function readOf({ dtype, shape, data }: Tensor, wanted: ExportOptions['dtype']): Read[string] {
  const isCast = wanted !== undefined && wanted !== dtype && ['f16', 'bf16', 'f32', 'f64'].includes(dtype);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const to = isCast ? wanted : dtype;
  return {
    dtype: NAMES[to] ?? to.toUpperCase(),
    shape,
    bytes: isCast ? castSlowly(bytes, dtype, wanted) : bytes,
  };
}

/** Number by number, with the arithmetic of JavaScript: rounding is dividing by the distance of neighbours. */
function castSlowly(bytes: Uint8Array, from: DType, to: 'bf16' | 'f16' | 'f32'): Uint8Array {
  const size = dtypeInfo(from).bytes;
  const out = new Uint8Array((bytes.length / size) * dtypeInfo(to).bytes);
  const [source, target] = [new DataView(bytes.slice().buffer), new DataView(out.buffer)];
  for (let lane = 0; lane < bytes.length / size; lane++) {
    if (to === 'f32' && from !== 'f64')
      target.setUint32(lane * 4, widened(source.getUint16(lane * 2, true), from), true);
    else {
      const number =
        from === 'f64'
          ? source.getFloat64(lane * 8, true)
          : from === 'f32'
            ? source.getFloat32(lane * 4, true)
            : floatOf(widened(source.getUint16(lane * 2, true), from));
      const single = Math.fround(number);
      if (to === 'f32') target.setUint32(lane * 4, Number.isNaN(single) ? 0x7fc00000 : bitsOf(single), true);
      else target.setUint16(lane * 2, half(single, to), true);
    }
  }
  return out;
}

/** The pattern of the f32 that is equal to a pattern of 16 bits; NaNs keep their payload. */
function widened(pattern: number, from: DType): number {
  if (from === 'bf16') return (pattern << 16) >>> 0;
  const [sign, exponent, mantissa] = [pattern >>> 15, (pattern >>> 10) & 31, pattern & 1023];
  if (exponent === 31) return ((sign << 31) | 0x7f800000 | (mantissa << 13)) >>> 0;
  const size = exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25);
  return bitsOf(sign === 1 ? -size : size);
}

/** The nearest number with 8 (bf16) or 11 (f16) significant bits, ties to even. */
function half(value: number, to: 'bf16' | 'f16'): number {
  if (Number.isNaN(value)) return to === 'bf16' ? 0x7fc0 : 0x7e00;
  const sign = Object.is(Math.sign(value), -0) || value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  const [bits, lowest, bias] = to === 'bf16' ? [7, -126, 127] : [10, -14, 15];
  const infinity = ((2 * bias + 1) << bits) | sign;
  if (size === Number.POSITIVE_INFINITY) return infinity;
  const exponent = Math.max(lowest, size === 0 ? lowest : Math.floor(Math.log2(size)));
  const exact = size < 2 ** exponent ? exponent - 1 : size >= 2 ** (exponent + 1) ? exponent + 1 : exponent;
  const scale = Math.max(lowest, exact);
  const units = toEven(size / 2 ** (scale - bits));
  const pattern = (scale + bias - 1) * 2 ** bits + units;
  return pattern >= (2 * bias + 1) * 2 ** bits ? infinity : sign | pattern;
}

function toEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}

function floatOf(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0];
}
