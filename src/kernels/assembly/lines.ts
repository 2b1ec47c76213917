// Which lines of 64 bytes differ. The last line of an array may be shorter.

const LINE: usize = 64;

function differs(a: usize, b: usize): bool {
  const first = v128.or(difference(a, b), difference(a + 16, b + 16));
  const second = v128.or(difference(a + 32, b + 32), difference(a + 48, b + 48));
  return v128.any_true(v128.or(first, second));
}

function difference(a: usize, b: usize): v128 {
  return v128.xor(v128.load(a), v128.load(b));
}

function tailDiffers(a: usize, b: usize, length: usize): bool {
  for (let at: usize = 0; at < length; at++) if (load<u8>(a + at) != load<u8>(b + at)) return true;
  return false;
}

// Writes the number of the first line of each run of lines that differ and of the first one after it, u32; returns how many runs.
export function differingRuns(a: usize, b: usize, length: usize, runs: usize): usize {
  const lines = length / LINE;
  let to = runs;
  let inRun = false;
  for (let line: usize = 0; line < lines; line++) {
    if (differs(a + line * LINE, b + line * LINE) == inRun) continue;
    store<u32>(to, <u32>line);
    to += 4;
    inRun = !inRun;
  }
  const tail = length - lines * LINE;
  if (tail != 0 && tailDiffers(a + lines * LINE, b + lines * LINE, tail) != inRun) {
    store<u32>(to, <u32>lines);
    to += 4;
    inRun = !inRun;
  }
  if (inRun) store<u32>(to, <u32>(lines + <usize>(tail != 0)));
  return (to - runs + 4) >> 3;
}

// Lines that differ << 16 | runs of them, of `pieces` pieces of whole lines at even distances, of `all` that there are; `b` is
// compared with each anew where `still` is 1.
export function sampleLines(a: usize, b: usize, all: usize, pieces: usize, lines: usize, still: i32): u32 {
  let touched: u32 = 0;
  let runs: u32 = 0;
  for (let piece: usize = 0; piece < pieces; piece++) {
    const from = ((piece * (all - 1)) / (pieces - 1)) * lines * LINE;
    const before = still ? b : b + from;
    let last = false;
    for (let line: usize = 0; line < lines; line++) {
      const now = differs(a + from + line * LINE, before + line * LINE);
      touched += <u32>now;
      runs += <u32>(now && !last);
      last = now;
    }
  }
  return (touched << 16) | runs;
}
