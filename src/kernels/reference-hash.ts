/**
 * XXH3-128 with the default secret and seed 0, the plain twin of assembly/xxh3.ts: the striped loop for more than 240
 * bytes, in pairs of 32-bit numbers. Shorter inputs and the last steps: reference-hash-short.ts.
 */
import {
  avalanche3,
  foldedProduct,
  PRIME32_1,
  PRIME32_2,
  PRIME32_3,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME64_5,
  read64,
  SHORT_BYTES_MAX,
  shortHash,
  wrap,
} from './reference-hash-short.js';
import { XXH3_SECRET_BYTES } from './xxh3-secret.js';

const STRIPE_BYTES = 64;
/** Stripes between two scrambles: each moves 8 bytes on in the secret. */
const BLOCK_STRIPES = (XXH3_SECRET_BYTES - STRIPE_BYTES) / 8;
const BLOCK_BYTES = BLOCK_STRIPES * STRIPE_BYTES;
/** Where in the secret the last stripe and the two results begin: offsets 7 and 11, coprime to the others. */
const LAST_STRIPE_SECRET = XXH3_SECRET_BYTES - STRIPE_BYTES - 7;
const RESULT_SECRET = 11;

/** Eight 64-bit accumulators as pairs of 32-bit halves. */
interface Accumulators {
  readonly low: Int32Array;
  readonly high: Int32Array;
}

/** Returns the hash in canonical order: high half first, big-endian. */
export function contentHashReference(bytes: Uint8Array, secret: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const secretView = new DataView(secret.buffer, secret.byteOffset, secret.byteLength);
  const [low, high] =
    bytes.length <= SHORT_BYTES_MAX ? shortHash(view, secretView) : longHash(view, secretView);
  const result = new Uint8Array(16);
  const resultView = new DataView(result.buffer);
  resultView.setBigUint64(0, high);
  resultView.setBigUint64(8, low);
  return result;
}

function longHash(input: DataView, secret: DataView): [bigint, bigint] {
  const length = input.byteLength;
  const sums = startingSums();
  const blocks = Math.floor((length - 1) / BLOCK_BYTES);
  for (let block = 0; block < blocks; block++) {
    for (let stripe = 0; stripe < BLOCK_STRIPES; stripe++) {
      addStripe(sums, input, block * BLOCK_BYTES + stripe * STRIPE_BYTES, secret, stripe * 8);
    }
    scramble(sums, secret);
  }
  const stripes = Math.floor((length - 1 - blocks * BLOCK_BYTES) / STRIPE_BYTES);
  for (let stripe = 0; stripe < stripes; stripe++) {
    addStripe(sums, input, blocks * BLOCK_BYTES + stripe * STRIPE_BYTES, secret, stripe * 8);
  }
  addStripe(sums, input, length - STRIPE_BYTES, secret, LAST_STRIPE_SECRET);
  const size = BigInt(length);
  return [
    mergedSums(sums, secret, RESULT_SECRET, wrap(size * PRIME64_1)),
    mergedSums(sums, secret, XXH3_SECRET_BYTES - STRIPE_BYTES - RESULT_SECRET, wrap(~wrap(size * PRIME64_2))),
  ];
}

function startingSums(): Accumulators {
  const values = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
  return {
    low: Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value))),
    high: Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value >> 32n))),
  };
}

/** For each lane: sum[lane ^ 1] += data; sum[lane] += low32(data ^ secret) * high32(data ^ secret). */
function addStripe(
  sums: Accumulators,
  input: DataView,
  at: number,
  secret: DataView,
  secretAt: number,
): void {
  for (let lane = 0; lane < 8; lane++) {
    const dataLow = input.getInt32(at + lane * 8, true);
    const dataHigh = input.getInt32(at + lane * 8 + 4, true);
    addTo(sums, lane ^ 1, dataLow, dataHigh);
    const keyLow = dataLow ^ secret.getInt32(secretAt + lane * 8, true);
    const keyHigh = dataHigh ^ secret.getInt32(secretAt + lane * 8 + 4, true);
    addTo(sums, lane, Math.imul(keyLow, keyHigh), productHigh(keyLow, keyHigh));
  }
}

function addTo(sums: Accumulators, lane: number, low: number, high: number): void {
  const sum = (sums.low[lane] + low) | 0;
  sums.high[lane] += high + (sum >>> 0 < low >>> 0 ? 1 : 0);
  sums.low[lane] = sum;
}

/** The upper 32 bits of the product of two unsigned 32-bit numbers. */
function productHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a0 * b1 + Math.floor((a0 * b0) / 65536);
  return a1 * b1 + Math.floor(middle / 65536) + Math.floor((a1 * b0 + (middle % 65536)) / 65536);
}

/** For each lane: sum ^= sum >> 47; sum ^= secret; sum *= PRIME32_1. */
function scramble(sums: Accumulators, secret: DataView): void {
  const prime = Number(PRIME32_1);
  const secretAt = XXH3_SECRET_BYTES - STRIPE_BYTES;
  for (let lane = 0; lane < 8; lane++) {
    const low = sums.low[lane] ^ (sums.high[lane] >>> 15) ^ secret.getInt32(secretAt + lane * 8, true);
    const high = sums.high[lane] ^ secret.getInt32(secretAt + lane * 8 + 4, true);
    sums.low[lane] = Math.imul(low, prime);
    sums.high[lane] = productHigh(low, prime) + Math.imul(high, prime);
  }
}

function mergedSums(sums: Accumulators, secret: DataView, secretAt: number, start: bigint): bigint {
  const sum = (lane: number) => (BigInt(sums.high[lane] >>> 0) << 32n) | BigInt(sums.low[lane] >>> 0);
  let result = start;
  for (let pair = 0; pair < 4; pair++) {
    result += foldedProduct(
      sum(2 * pair) ^ read64(secret, secretAt + 16 * pair),
      sum(2 * pair + 1) ^ read64(secret, secretAt + 16 * pair + 8),
    );
  }
  return avalanche3(wrap(result));
}
