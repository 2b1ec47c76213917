// Byte histogram. Four tables, so that equal neighbours do not wait for each other's store; runs of zeros are skipped.
// `counts` is 256 u32, `spare` three more such tables.

export function histogram(bytes: usize, length: usize, counts: usize, spare: usize): void {
  memory.fill(counts, 0, 1024);
  memory.fill(spare, 0, 3072);
  const end = bytes + length;
  const wideEnd = bytes + (length & ~7);
  let zeros: u32 = 0;
  let at = bytes;
  for (; at < wideEnd; at += 8) {
    const word = load<u64>(at);
    if (word == 0) {
      zeros += 8;
      continue;
    }
    const low = <u32>word;
    const high = <u32>(word >> 32);
    bump(counts + ((low & 0xff) << 2));
    bump(spare + (((low >> 8) & 0xff) << 2));
    bump(spare + 1024 + (((low >> 16) & 0xff) << 2));
    bump(spare + 2048 + ((low >> 24) << 2));
    bump(counts + ((high & 0xff) << 2));
    bump(spare + (((high >> 8) & 0xff) << 2));
    bump(spare + 1024 + (((high >> 16) & 0xff) << 2));
    bump(spare + 2048 + ((high >> 24) << 2));
  }
  for (; at < end; at++) bump(counts + ((<usize>load<u8>(at)) << 2));
  store<u32>(counts, load<u32>(counts) + zeros);
  for (let i: usize = 0; i < 1024; i += 16) {
    const first = i32x4.add(v128.load(counts + i), v128.load(spare + i));
    const second = i32x4.add(v128.load(spare + 1024 + i), v128.load(spare + 2048 + i));
    v128.store(counts + i, i32x4.add(first, second));
  }
}

// Counts the first 64 of each 512 bytes.
export function sampledHistogram(bytes: usize, length: usize, counts: usize): void {
  memory.fill(counts, 0, 1024);
  for (let start: usize = 0; start < length; start += 512) {
    const end = bytes + min<usize>(start + 64, length);
    for (let at = bytes + start; at < end; at++) bump(counts + ((<usize>load<u8>(at)) << 2));
  }
}

function bump(counter: usize): void {
  store<u32>(counter, load<u32>(counter) + 1);
}
