/** Records of update rules, written once: what they are, what they read, what they give. */
export interface GoldenRule {
  readonly what: string;
  readonly record: string;
  readonly inputs: readonly string[];
  readonly raw: string;
}

export const GOLDEN_RULES: readonly GoldenRule[] = [
  {
    what: 'bf16 copy of an fp32 master, one bit off',
    record: '040e030f020300020001',
    inputs: ['0000803f000001bf0000003c'],
    raw: '803f00bf003c',
  },
  {
    what: 'fp32 from an f16 copy',
    record: '040f030d01',
    inputs: ['003c00b80180'],
    raw: '0000803f000000bf000080b3',
  },
  {
    what: 'Adam second moment, lerp, fused',
    record: '040f04006666663fcdcccc3d77be7f3f6f12833a01',
    inputs: ['bd378635bb928936ccbc8c2b', '6f12833a6f1203bb82a8fb37', 'e02d903a6c09f9baacc5a737'],
    raw: 'b9158635c1b789367773872d',
  },
  {
    what: 'Adam second moment, products, bf16 gradients',
    record: '040f041b6666663fcdcccc3d77be7f3f6f12833a01',
    inputs: ['bd378635bb928936ccbc8c2b', '6f12833a6f1203bb82a8fb37', 'e02d903a6c09f9baacc5a737'],
    raw: 'b9158635b6b7893699cb872d',
  },
  {
    what: 'AdamW weights of torch',
    record: '040f050172f97f3f6f1283ba6666663f0000003f77cc2b3201',
    inputs: ['0000803f000000bf0ad7a33c', '6f12833a6f1203bb82a8fb37', 'bd378635bd37863600000000'],
    raw: 'add87f3fe9b7ffbe5ab83ec0',
  },
  {
    what: 'AdamW weights of optax',
    record: '040f0558cdcccc3d6f1283ba6666663f0000003f77cc2b3201',
    inputs: ['0000803f000000bf0ad7a33c', '6f12833a6f1203bb82a8fb37', 'bd378635bd37863600000000'],
    raw: 'f5c57f3f7892ffbeb10d54c0',
  },
  {
    what: 'momentum weights, fused',
    record: '040f0601cdccccbd6666663f0000803f01',
    inputs: ['0000803f000000bf0ad7a33c', '6f12833a6f1203bb82a8fb37'],
    raw: '72f97f3fc9e5ffbebfd0a33c',
  },
  {
    what: 'Nesterov weights',
    record: '040f0700cdccccbd6666663f0000803f01',
    inputs: ['0000803f000000bf0ad7a33c', '6f12833a6f1203bb82a8fb37', 'e02d903a6c09f9baacc5a737'],
    raw: '09fa7f3f9be4ffbedccea33c',
  },
  {
    what: 'Adam first moment, gradients in the record',
    record: '040f08006666663fcdcccc3d020300020003007f8001',
    inputs: ['e02d903a6c09f9baacc5a737'],
    raw: 'e3c2813adee5ca3d85d14c3e',
  },
  {
    what: 'Adam second moment of rows left alone',
    record: '040f04706666663fcdcccc3d77be7f3f6f12833a01',
    inputs: ['bd378635bb928936ccbc8c2b', '6f12833a6f1203bb82a8fb37', '6f12833a6c09f9baacc5a737'],
    raw: 'bd378635c1b789367773872d',
  },
  {
    what: 'AdamW weights, decay after the step',
    record: '040f058317b7d1386f1283ba0000803f0000803fbd37863501',
    inputs: ['0000803f000000bf0ad7a33c', '6f12833a6f1203bb82a8fb37', 'bd378635bd37863600000000'],
    raw: 'fcb77f3f7476ffbed8d223bc',
  },
  {
    what: 'AdamW weights of XLA',
    record: '040f05e817b7d1386f1283ba6666663f0000003f77cc2b3201',
    inputs: ['0000803f000000bf0ad7a33c', '6f12833a6f1203bb82a8fb37', 'bd378635bd37863600000000'],
    raw: '81cc7f3f0499ffbea80d54c0',
  },
  {
    what: 'weights of rows left alone',
    record: '040f0910000000006f1283ba0000803f0000803f77cc2b3201',
    inputs: [
      '0000803f000000bf0ad7a33c',
      '6f12833a6f1203bb82a8fb37',
      'bd378635bd37863600000000',
      '6f12833a6c09f9baacc5a737',
    ],
    raw: '0000803fee7cffbe53b83ec0',
  },
  {
    what: 'NAdam weights',
    record: '040f0a080000803f17b7d1b86f1283ba0000003f77cc2b326666663fcdcccc3d01',
    inputs: [
      '0000803f000000bf0ad7a33c',
      '6f12833a6f1203bb82a8fb37',
      'bd378635bd37863600000000',
      'e02d903a6c09f9baacc5a737',
    ],
    raw: '32d17f3fe295ffbe8fc285c0',
  },
  {
    what: 'Lion weights',
    record: '040f0b0158ff7f3f17b7d1b80000204101',
    inputs: ['0000803f000000bf0ad7a33c', '6f12833a6f1203bb82a8fb37', 'e02d903a6c09f9baacc5a737'],
    raw: 'caf87f3f3df2ffbee704a33c',
  },
  {
    what: 'Lion weights of optax',
    record: '040f0b04cdcccc3d17b7d1b80000204101',
    inputs: ['0000803f000000bf0ad7a33c', '6f12833a6f1203bb82a8fb37', 'e02d903a6c09f9baacc5a737'],
    raw: 'cbf87f3f3df2ffbee804a33c',
  },
  {
    what: 'faded moment',
    record: '040f0c026666663fcdcccc3d01',
    inputs: ['e02d903a6c09f9baacc5a737'],
    raw: 'e3c2813a1422e0bab4fe9637',
  },
  {
    what: 'moment with scaled bf16 gradients',
    record: '040f0d006666663fcdcccc3d0000403f020300020003007f8001',
    inputs: ['e02d903a6c09f9baacc5a737'],
    raw: 'e3c2813a454c973d529e193e',
  },
  {
    what: 'moment with f16 gradients',
    record: '040f0d0a6666663f0000803f0000803a020300020003003cb801',
    inputs: ['e02d903a6c09f9baacc5a737'],
    raw: 'e3c2813af461dfba5c02803e',
  },
  {
    what: 'moment with bf16 gradients and decay',
    record: '040f0e026666663f0000803f0000803f6f12833a020300020003007f8001',
    inputs: ['e02d903a6c09f9baacc5a737', '0000803f000000bf0ad7a33c'],
    raw: 'a96a023b95b7803f9f000040',
  },
  {
    what: 'mean of squares from the step',
    record: '040f0f000000803f6f1283baa4707d3f0ad7233c77cc2b3201',
    inputs: ['bd378635bb928936ccbc8c2b', 'add87f3fe9b7ffbe5ab8a33c', '0000803f000000bf0ad7a33c'],
    raw: '0f5b8535569c883696548b2b',
  },
  {
    what: 'average',
    record: '040f100077be7f3f6f12833a01',
    inputs: ['0000803f000000bf0ad7a33c', '6f12833a6f1203bb82a8fb37'],
    raw: '88be7f3fbabeffbe29ada33c',
  },
  {
    what: 'maximum',
    record: '040f110001',
    inputs: ['bd378635bb928936ccbc8c2b', '6f12833a6f1203bb82a8fb37'],
    raw: '6f12833abb92893682a8fb37',
  },
];
