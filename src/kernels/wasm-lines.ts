/** The WebAssembly kernels of lines that differ. */
import type { LineCounts } from './kernels.js';
import { demandLines, demandPieces } from './preconditions.js';
import { BASE, PLANES, RAW, ZEROS } from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import type { WasmViews } from './wasm-views.js';

export class WasmLines {
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly edges: Uint32Array;

  constructor(wasm: WasmExports, views: WasmViews) {
    this.wasm = wasm;
    this.views = views;
    this.edges = new Uint32Array(wasm.memory.buffer, PLANES);
  }

  differingRuns(a: Uint8Array, b: Uint8Array | undefined, runs: Uint32Array): number {
    demandLines(a, b, runs);
    const { views, wasm } = this;
    const before = b === undefined ? ZEROS : views.input(b, BASE);
    const count = wasm.differingRuns(views.input(a, RAW), before, a.length, PLANES);
    for (let edge = 0; edge < 2 * count; edge++) runs[edge] = this.edges[edge];
    return count;
  }

  sample(a: Uint8Array, b: Uint8Array | undefined, pieces: number, lines: number): LineCounts {
    const pieceBytes = demandPieces(a, b, pieces, lines);
    const { views, wasm } = this;
    const isPlaced = views.holds(a) && (b === undefined || views.holds(b));
    const [first, second] = isPlaced
      ? [a, b]
      : [a, b].map((bytes) => bytes && piecesOf(bytes, pieces, pieceBytes));
    if (first === undefined) return { touched: 0, runs: 0 };
    const all = Math.floor(first.length / pieceBytes);
    const before = second === undefined ? ZEROS : views.input(second, BASE);
    const still = second === undefined ? 1 : 0;
    const counts = wasm.sampleLines(views.input(first, RAW), before, all, pieces, lines, still);
    return { touched: counts >>> 16, runs: counts & 0xffff };
  }
}

/** The pieces alone, one after the other. */
function piecesOf(bytes: Uint8Array, pieces: number, pieceBytes: number): Uint8Array {
  const together = new Uint8Array(pieces * pieceBytes);
  const last = Math.floor(bytes.length / pieceBytes) - 1;
  for (let piece = 0; piece < pieces; piece++) {
    const from = Math.floor((piece * last) / (pieces - 1)) * pieceBytes;
    together.set(bytes.subarray(from, from + pieceBytes), piece * pieceBytes);
  }
  return together;
}
