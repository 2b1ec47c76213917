/** How the encoder weighs time against bytes. */
export interface StreamEffort {
  /** Entropy coding is taken up to this share of the raw bytes. */
  readonly entropyShareMax: number;
  /** Huffman codes, which are many times faster, are taken where they lose up to this share of the raw bytes. */
  readonly huffmanLossMax: number;
  /** Gaps and values, which skip zeros at memory speed, are taken up to this share of the best other form. */
  readonly sparseShareMax: number;
  /** Prefix codes are taken up to this share of the bytes of a block's planes. */
  readonly prefixShareMax: number;
  /** Classes of dense 32-bit lanes, which are the slowest, are taken where they save this share of the raw bytes. */
  readonly classGainMin: number;
}
