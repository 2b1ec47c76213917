// The kernels, compiled to WebAssembly by ../build.mjs. Pointers come from ../wasm-kernels.ts, which owns the layout of
// the memory; nothing here allocates or keeps state. The plain twin of each file is ../reference-*.ts.

export { contentBoundary } from './boundary';
export { narrowToBf16, narrowToF16, widenBf16, widenF16 } from './cast';
export {
  countClasses,
  laneExponents8,
  laneExponents16,
  laneExponents32,
  mergeClasses8,
  mergeClasses16,
  mergeClasses32,
  mergeFarClasses32,
  packFarRests,
  packRests,
  splitClasses8,
  splitClasses16,
  splitClasses32,
  splitFarClasses32,
  unpackFarRests,
  unpackRests,
} from './classes';
export { decodeContexts, encodeContexts } from './contexts';
export { buildLogarithms, classBits, entropyBits, planeBits } from './costs';
export { buildDecodeTable, buildEncodeTable, decode1, decode4, encode1, encode4 } from './entropy';
export { sampleChanges16, sampleChanges32 } from './gap-sample';
export {
  decodeGaps16,
  decodeGaps32,
  encodeGaps16,
  encodeGaps32,
} from './gaps';
export { byteRange, histogram, sampledHistogram } from './histogram';
export {
  buildHuffmanDecode,
  buildHuffmanEncode,
  buildHuffmanPairs,
  huffmanDecode,
  huffmanEncode,
} from './huffman';
export {
  countSteps16,
  decodeSteps,
  encodeSteps,
  mergeSteps16,
  splitSteps16,
  stepBits,
  writtenBits,
} from './lane-levels';
export {
  buildMarkTables,
  decodeMarks16,
  encodeMarks16,
  gatherMarked16,
  markLanes16,
  scatterMarked16,
} from './lane-marks';
export { differingRuns, sampleLines } from './lines';
export { merge8, merge16, merge32, merge64 } from './merge';
export { predictAverage, predictMaximum } from './predict-averages';
export {
  predictDecayedMoment,
  predictFadedMoment,
  predictFirstMoment,
  predictScaledMoment,
  recoverGradient,
  recoverScaled,
} from './predict-moments';
export { predictSecondMoment, predictStepSquare } from './predict-squares';
export {
  predictAdamWeights,
  predictLazyAdamWeights,
  predictLionWeights,
  predictMomentumWeights,
  predictNadamWeights,
  predictNesterovWeights,
} from './predict-weights';
export {
  buildPrefixDecode,
  buildPrefixEncode,
  prefixContexts,
  prefixDecode,
  prefixEncode,
  prefixMerge,
  prefixSplit,
  prefixSymbols,
} from './prefix';
export { isSame } from './same';
export { packSeven, unpackSeven } from './seven-bits';
export { gatherSparse, scatterSparse } from './sparse';
export { split8, split16, split32, split64 } from './split';
export { hashBlocks, hashFinish, hashStart } from './xxh3';
export { hashShort } from './xxh3-short';
