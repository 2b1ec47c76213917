/** Which lines differ, the plain twin of assembly/lines.ts. */
import { LINE_BYTES } from './kernels.js';

export function differingLinesReference(a: Uint8Array, b: Uint8Array, marks: Uint8Array): void {
  marks.fill(0);
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) marks[Math.floor(at / LINE_BYTES)] = 1;
}
