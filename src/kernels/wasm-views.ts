/** Arrays as pointers: those that lie in the memory of the instance as they are, others through a window. */
import type { WasmExports } from './wasm-module.js';

/** SIMD steps take 16 lanes, the sparse kernels lines of 64 bytes. */
const STEP = 64;

export class WasmViews {
  private readonly buffer: ArrayBuffer;
  private readonly memory: Uint8Array;

  constructor(wasm: WasmExports) {
    this.buffer = wasm.memory.buffer;
    this.memory = new Uint8Array(wasm.memory.buffer);
  }

  /** Whether `bytes` are used where they are. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.buffer;
  }

  /** Where `bytes` can be read, and anything after them. */
  input(bytes: Uint8Array, window: number): number {
    if (bytes.buffer === this.buffer) return bytes.byteOffset;
    this.memory.set(bytes, window);
    return window;
  }

  /** The same, with zeros up to the next whole line. */
  paddedInput(bytes: Uint8Array, window: number): number {
    if (bytes.buffer === this.buffer && bytes.length % STEP === 0) return bytes.byteOffset;
    this.memory.set(bytes, window);
    this.memory.fill(0, window + bytes.length, window + bytes.length + STEP);
    return window;
  }

  /** Where `bytes` can be written in whole steps of `lanes`; `finish` brings them to where they belong. */
  output(bytes: Uint8Array, lanes: number, window: number): number {
    return bytes.buffer === this.buffer && lanes % STEP === 0 ? bytes.byteOffset : window;
  }

  finish(bytes: Uint8Array, from: number): void {
    if (bytes.buffer === this.buffer && bytes.byteOffset === from) return;
    bytes.set(this.memory.subarray(from, from + bytes.length));
  }
}
