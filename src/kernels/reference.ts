/** The plain TypeScript kernels: the reference, the fallback and the oracle. */
import { gearTable } from './gear-table.js';
import type { Kernels } from './kernels.js';
import { demandBlock, demandFrequencies, demandPlane, demandWindow } from './preconditions.js';
import { contentBoundaryReference } from './reference-boundary.js';
import { decodeEntropyReference, encodeEntropyReference } from './reference-entropy.js';
import { contentHashReference } from './reference-hash.js';
import { histogramReference, mergePlanesReference, splitPlanesReference } from './reference-planes.js';
import { gatherSparseReference, scatterSparseReference } from './reference-sparse.js';
import { xxh3Secret } from './xxh3-secret.js';

export function typescriptKernels(): Kernels {
  const secret = xxh3Secret();
  const gear = gearTable();
  return {
    implementation: 'typescript',
    splitPlanes(raw, base, layout, planes, counts) {
      demandBlock(raw, base, layout, planes);
      splitPlanesReference(raw, base, layout, planes, counts);
    },
    mergePlanes(planes, base, layout, raw) {
      demandBlock(raw, base, layout, planes);
      mergePlanesReference(planes, base, layout, raw);
    },
    histogram(bytes, counts) {
      demandWindow(bytes);
      histogramReference(bytes, counts);
    },
    encodeEntropy(bytes, frequencies, states) {
      demandWindow(bytes);
      demandFrequencies(frequencies);
      return encodeEntropyReference(bytes, frequencies, states);
    },
    decodeEntropy(coded, frequencies, states, output) {
      demandWindow(output);
      demandFrequencies(frequencies);
      return decodeEntropyReference(coded, frequencies, states, output);
    },
    gatherSparse(plane) {
      demandPlane(plane);
      return gatherSparseReference(plane);
    },
    scatterSparse(gaps, values, plane) {
      demandPlane(plane);
      return scatterSparseReference(gaps, values, plane);
    },
    contentHash: (bytes) => contentHashReference(bytes, secret),
    contentBoundary(bytes, rule) {
      demandWindow(bytes);
      return contentBoundaryReference(bytes, rule, gear);
    },
  };
}
