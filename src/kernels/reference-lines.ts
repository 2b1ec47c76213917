/** Which lines differ, the plain twin of assembly/lines.ts. */
import { LINE_BYTES, type LineCounts } from './kernels.js';

function differs(a: Uint8Array, b: Uint8Array | undefined, line: number): boolean {
  const end = Math.min(a.length, (line + 1) * LINE_BYTES);
  for (let at = line * LINE_BYTES; at < end; at++) if (a[at] !== (b?.[at] ?? 0)) return true;
  return false;
}

export function differingRunsReference(a: Uint8Array, b: Uint8Array | undefined, runs: Uint32Array): number {
  let edges = 0;
  const lines = Math.ceil(a.length / LINE_BYTES);
  for (let line = 0; line < lines; line++) {
    if (differs(a, b, line) !== (edges % 2 === 1)) runs[edges++] = line;
  }
  if (edges % 2 === 1) runs[edges++] = lines;
  return edges / 2;
}

export function sampleLinesReference(
  a: Uint8Array,
  b: Uint8Array | undefined,
  pieces: number,
  lines: number,
): LineCounts {
  const all = Math.floor(a.length / (lines * LINE_BYTES));
  let [touched, runs] = [0, 0];
  for (let piece = 0; piece < pieces; piece++) {
    const first = Math.floor((piece * (all - 1)) / (pieces - 1)) * lines;
    for (let line = first; line < first + lines; line++) {
      if (!differs(a, b, line)) continue;
      touched++;
      if (line === first || !differs(a, b, line - 1)) runs++;
    }
  }
  return { touched, runs };
}
