/** The 256 random numbers of the gear hash; chunk boundaries depend on them, so they stay as they are. */

/** Returns the table: the first 256 outputs of SplitMix32 (finaliser of MurmurHash3) seeded with 0. */
export function gearTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let mixed = Math.imul(index + 1, 0x9e3779b9);
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  });
}
