// Content-defined boundaries: h = (h << 1) + gear[byte]; a boundary lies after a byte that leaves the masked bits 0.

export function contentBoundary(
  bytes: usize,
  length: usize,
  gear: usize,
  minBytes: usize,
  normalBytes: usize,
  earlyMask: u32,
  lateMask: u32,
): usize {
  let hash: u32 = 0;
  let at = minBytes;
  const early = min(normalBytes, length);
  for (; at < early; at++) {
    hash = (hash << 1) + load<u32>(gear + ((<usize>load<u8>(bytes + at)) << 2));
    if ((hash & earlyMask) == 0) return at + 1;
  }
  for (; at < length; at++) {
    hash = (hash << 1) + load<u32>(gear + ((<usize>load<u8>(bytes + at)) << 2));
    if ((hash & lateMask) == 0) return at + 1;
  }
  return length;
}
