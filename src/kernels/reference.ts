/** The plain TypeScript kernels: the reference, the fallback and the oracle. */
import { Arena } from './arena.js';
import { gearTable } from './gear-table.js';
import type { Kernels } from './kernels.js';
import {
  demand,
  demandBlock,
  demandClasses,
  demandContexts,
  demandFloats,
  demandFormula,
  demandFrequencies,
  demandGaps,
  demandHuffman,
  demandLines,
  demandMarked,
  demandMarks,
  demandPieces,
  demandPlane,
  demandPrefix,
  demandRoom,
  demandSameLanes,
  demandSample,
  demandSeven,
  demandSplitSteps,
  demandStepBlock,
  demandSteps,
  demandWindow,
} from './preconditions.js';
import { contentBoundaryReference } from './reference-boundary.js';
import { laneExponentsReference, mergeClassesReference, splitClassesReference } from './reference-classes.js';
import { decodeContextsReference, encodeContextsReference } from './reference-contexts.js';
import {
  classBitsReference,
  entropyReference,
  logarithmTable,
  planeBitsReference,
} from './reference-costs.js';
import { decodeEntropyReference, encodeEntropyReference } from './reference-entropy.js';
import { decodeGapsReference, encodeGapsReference, sampleChangesReference } from './reference-gaps.js';
import { contentHashReference } from './reference-hash.js';
import { decodeHuffmanReference, encodeHuffmanReference } from './reference-huffman.js';
import { differingRunsReference, sampleLinesReference } from './reference-lines.js';
import {
  decodeMarksReference,
  encodeMarksReference,
  gatherMarkedReference,
  markLanesReference,
  scatterMarkedReference,
} from './reference-marks.js';
import {
  byteRangeReference,
  histogramReference,
  mergePlanesReference,
  sampledHistogramReference,
  splitPlanesReference,
} from './reference-planes.js';
import { predictReference } from './reference-predict.js';
import { countPrefixReference, decodePrefixReference, encodePrefixReference } from './reference-prefix.js';
import { packSevenReference, unpackSevenReference } from './reference-seven-bits.js';
import { gatherSparseReference, scatterSparseReference } from './reference-sparse.js';
import { decodeStepsReference, encodeStepsReference, splitStepsReference } from './reference-steps.js';
import { ARENA_BYTES } from './wasm-memory.js';
import { xxh3Secret } from './xxh3-secret.js';

const LANE_KERNELS: Pick<Kernels, 'splitPlanes' | 'mergePlanes' | 'predict'> = {
  splitPlanes(raw, base, layout, planes) {
    demandBlock(raw, base, layout, planes);
    splitPlanesReference(raw, base, layout, planes);
  },
  mergePlanes(planes, base, layout, raw) {
    demandBlock(raw, base, layout, planes);
    mergePlanesReference(planes, base, layout, raw);
  },
  predict(formula, order, constants, inputs, output) {
    demandFormula(formula, order, constants, inputs, output);
    predictReference(formula, order, constants, inputs, output);
  },
};

const PREFIX_KERNELS: Pick<Kernels, 'countPrefix' | 'encodePrefix' | 'decodePrefix'> = {
  countPrefix(raw, base, lowBytes, firstExponent, counts) {
    demandSameLanes(raw, base, 4);
    countPrefixReference(raw, base, lowBytes, firstExponent, counts);
  },
  encodePrefix(raw, base, model, output) {
    demandPrefix(raw, base, model, output);
    return encodePrefixReference(raw, base, model, output);
  },
  decodePrefix(coded, base, model, raw) {
    demandPrefix(raw, base, model, undefined);
    return decodePrefixReference(coded, base, model, raw);
  },
};

const PLANE_KERNELS: Pick<Kernels, 'packSeven' | 'unpackSeven' | 'encodeHuffman' | 'decodeHuffman'> = {
  packSeven(plane, common, output) {
    demandSeven(plane, common, output);
    packSevenReference(plane, common, output);
  },
  unpackSeven(coded, common, plane) {
    demandSeven(plane, common, coded);
    return unpackSevenReference(coded, common, plane);
  },
  encodeHuffman(bytes, lengths, output) {
    demandHuffman(bytes, lengths, output);
    return encodeHuffmanReference(bytes, lengths, output);
  },
  decodeHuffman(coded, lengths, output) {
    demandHuffman(output, lengths, undefined);
    return decodeHuffmanReference(coded, lengths, output);
  },
};

const GAP_KERNELS: Pick<Kernels, 'encodeGaps' | 'decodeGaps' | 'sampleChanges'> = {
  encodeGaps(raw, base, layout, model) {
    demandGaps(raw, base, layout, model);
    return encodeGapsReference(raw, base, layout, model);
  },
  decodeGaps(streams, base, layout, model, raw) {
    demandGaps(raw, base, layout, model);
    return decodeGapsReference(streams, base, layout, model, raw);
  },
  sampleChanges(raw, base, layout, stride, counts) {
    demandSample(raw, base, layout, stride);
    sampleChangesReference(raw, base, layout, stride, counts);
  },
};

const MARK_KERNELS: Pick<
  Kernels,
  'markLanes' | 'encodeMarks' | 'decodeMarks' | 'gatherMarked' | 'scatterMarked'
> = {
  markLanes(raw, base, marks) {
    demandMarked(raw, marks);
    demandMarked(base, marks);
    markLanesReference(raw, base, marks);
  },
  encodeMarks(raw, base, layout, model) {
    demandMarks(raw, base, layout, model);
    return encodeMarksReference(raw, base, layout, model);
  },
  decodeMarks(coded, base, layout, model, marks) {
    demandMarks(base, base, layout, model);
    demandMarked(base, marks);
    return decodeMarksReference(coded, base, layout, model, marks);
  },
  gatherMarked(lanes, marks, output) {
    demandMarked(lanes, marks);
    demandRoom(output, lanes);
    return gatherMarkedReference(lanes, marks, output);
  },
  scatterMarked(values, marks, base, raw) {
    demandMarked(base, marks);
    demandMarked(raw, marks);
    return scatterMarkedReference(values, marks, base, raw);
  },
};

function costKernels(): Pick<Kernels, 'logarithms' | 'sampledHistogram' | 'planeBits' | 'classBits'> {
  const logarithms = logarithmTable();
  return {
    logarithms,
    sampledHistogram(bytes, counts) {
      demandWindow(bytes);
      sampledHistogramReference(bytes, counts);
      return entropyReference(counts, logarithms, 0);
    },
    planeBits(raw, base, layout, valueBits) {
      demandSameLanes(raw, base, layout.laneBytes);
      return planeBitsReference(raw, base, layout, logarithms, valueBits);
    },
    classBits(raw, base, layout, valueBits) {
      demandSameLanes(raw, base, layout.laneBytes);
      return classBitsReference(raw, base, layout, logarithms, valueBits);
    },
  };
}

const STEP_KERNELS: Pick<Kernels, 'splitSteps' | 'encodeSteps' | 'decodeSteps'> = {
  splitSteps(raw, base, layout, streams) {
    demandSplitSteps(raw, base, layout, streams);
    return splitStepsReference(raw, base, layout, streams);
  },
  encodeSteps(block, layout, model) {
    demandStepBlock(block, layout, model);
    return encodeStepsReference(block, layout, model);
  },
  decodeSteps(coded, bitsOf, base, layout, model, raw) {
    demandSteps(raw, base, layout, model);
    return decodeStepsReference(coded, bitsOf, base, layout, model, raw);
  },
};

export function typescriptKernels(): Kernels {
  const secret = xxh3Secret();
  const gear = gearTable();
  return {
    implementation: 'typescript',
    arena: new Arena(new ArrayBuffer(ARENA_BYTES), 0, ARENA_BYTES),
    ...LANE_KERNELS,
    isSame: (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]),
    differingRuns(a, b, runs) {
      demandLines(a, b, runs);
      return differingRunsReference(a, b, runs);
    },
    sampleLines(a, b, pieces, lines) {
      demandPieces(a, b, pieces, lines);
      return sampleLinesReference(a, b, pieces, lines);
    },
    histogram(bytes, counts) {
      demandWindow(bytes);
      histogramReference(bytes, counts);
    },
    byteRange(bytes) {
      demandWindow(bytes);
      demand(bytes.length > 0, 'a byte');
      return byteRangeReference(bytes);
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
    ...classKernels(),
    ...costKernels(),
    ...PLANE_KERNELS,
    ...PREFIX_KERNELS,
    ...GAP_KERNELS,
    ...MARK_KERNELS,
    ...STEP_KERNELS,
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

function classKernels(): Pick<
  Kernels,
  'splitClasses' | 'mergeClasses' | 'laneExponents' | 'encodeContexts' | 'decodeContexts'
> {
  return {
    splitClasses(raw, base, layout, streams) {
      demandClasses(raw, base, layout, streams);
      return splitClassesReference(raw, base, layout, streams);
    },
    mergeClasses(symbols, rests, base, layout, raw) {
      demandFloats(raw, symbols, layout);
      demandFloats(base, symbols, layout);
      return mergeClassesReference(symbols, rests, base, layout, raw);
    },
    laneExponents(base, layout, exponents) {
      demandFloats(base, exponents, layout);
      laneExponentsReference(base, layout, exponents);
    },
    encodeContexts(symbols, contexts, tables) {
      demandContexts(symbols, contexts, tables);
      return encodeContextsReference(symbols, contexts, tables);
    },
    decodeContexts(coded, contexts, tables, symbols) {
      demandContexts(symbols, contexts, tables);
      return decodeContextsReference(coded, contexts, tables, symbols);
    },
  };
}
