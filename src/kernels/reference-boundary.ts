/** Content-defined boundaries, the plain twin of assembly/boundary.ts: h = (h << 1) + gear[byte], boundary after a byte. */
import type { BoundaryRule } from './kernels.js';

export function contentBoundaryReference(bytes: Uint8Array, rule: BoundaryRule, gear: Uint32Array): number {
  let hash = 0;
  for (let index = rule.minBytes; index < bytes.length; index++) {
    hash = ((hash << 1) + gear[bytes[index]]) | 0;
    const mask = index < rule.normalBytes ? rule.earlyMask : rule.lateMask;
    if ((hash & mask) === 0) return index + 1;
  }
  return bytes.length;
}
