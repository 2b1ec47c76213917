/**
 * The numbers that records are made of. They are written into stores and frozen for ever: FORMAT.md says what they
 * mean. 0 is reserved wherever a number selects what follows, so that zeroed bytes are never a record.
 */

/** First byte of a record. */
export const ENCODING = { raw: 1, deflate: 2, deflateWithDictionary: 3, planes: 4 } as const;

/** What the lanes of a planes record are predicted from. */
export const PREDICTOR = {
  none: 1,
  base: 2,
  cast: 3,
  adamSecondMoment: 4,
  adamWeights: 5,
  momentumWeights: 6,
  nesterovWeights: 7,
  adamFirstMoment: 8,
  lazyAdamWeights: 9,
  nadamWeights: 10,
  lionWeights: 11,
  fadedMoment: 12,
  scaledMoment: 13,
  decayedMoment: 14,
  stepSquare: 15,
  average: 16,
  maximum: 17,
} as const;

/** How a block of a planes record is coded. */
export const BLOCK = {
  zero: 1,
  planes: 2,
  classes: 3,
  classesAgain: 4,
  gaps: 5,
  gapsAgain: 6,
  prefix: 7,
  prefixAgain: 8,
  farClasses: 9,
  farClassesAgain: 10,
  touched: 11,
  marked: 12,
  steps: 13,
} as const;

/** How a byte stream is coded. */
export const STREAM = {
  zero: 1,
  constant: 2,
  raw: 3,
  entropy: 4,
  sparse: 5,
  huffman: 6,
  sevenBits: 7,
} as const;
