/** What limits figures that fall short, by the id of the target: known from profiles, not from the run. */
const SHORTFALLS = [
  [
    /^first-moment-\d+-decode$/,
    'zstd stores planes of noise as they are; the plane of exponents takes 0.35 ns a lane here, in Huffman codes, copying the others and putting lanes together the rest. The target was set where zstd -1 decoded such planes at 0.4 to 0.6 GB/s: that is 7 x',
  ],
  [
    /^(weights|second-moment)-\d+-decode$/,
    'zstd stores planes of noise as they are and copies them at 15 to 40 GB/s; only the planes with structure cost it time (0.5 to 1 GB/s of them). The target was set where zstd -1 decoded such planes at 0.4 to 0.6 GB/s. A code of one symbol for each element, with its context, takes about 2 ns of WebAssembly',
  ],
  [
    /^first-moment-\d+-encode$/,
    'three of four planes are noise, which zstd finds by a look at each block and skips, as we do; Huffman codes of the plane of exponents take a quarter of the time, taking lanes apart a fifth, finding noise and choosing a fifth, copying noise a tenth',
  ],
  [
    /^(weights-\d+|second-moment-\d+)-encode$/,
    'zstd finds the planes of noise in a sample and stores them; prefix codes take three quarters of the time (2 ns of WebAssembly an element, of 2.7), the sample that chooses the form a sixth',
  ],
  [
    /^predict-(adam|narrow)/,
    'fused multiply-adds have to be computed in f64, square roots and divisions wait for one another; memcpy of this machine is twice as fast as where the target was set',
  ],
  [
    /^bf16-context-/,
    'marks of what changed and by how much (binary rANS in SIMD, 64 states) take half of the time, 3 / 5 GB/s; telling the lanes that changed from the others, and putting them back, a quarter',
  ],
  [
    /^bf16-sparse-/,
    'a fifth of the time goes into counting the lanes of 8 levels, two thirds into the lanes that are told one after the other; memcpy of this machine is twice as fast as where the target was set',
  ],
  [
    /^files-/,
    'processor time, 3.5 to 4 s a GiB, as two cores do 1.1 to 1.9 x what one does, from one minute to the next: kernels 1.5 (files decode their base, too), JavaScript of three threads and compiling it 1.5, reading the file, its base and, for the digest, the file again 0.5, copies 0.3, collecting garbage 0.15',
  ],
  [
    /^(save-|first-save)/,
    'processor time, 2.1 s a GiB ten steps apart, as two cores do 1.1 to 1.9 x what one does, from one minute to the next: kernels 0.9, copies between threads and into their memory 0.5, JavaScript and compiling it 0.5, collecting garbage 0.05, a first save page faults of new memory besides; raw writes of this machine took from 0.7 to 3.8 s a GiB, from one minute to the next',
  ],
  [
    /^same-/,
    'hashing or comparing reads the state once more than memcpy does, and commits cost five synced files',
  ],
  [
    /^restore-files/,
    'processor time, 1.5 s a GiB at depth 0: kernels 0.4, writing 0.3, reading records and what was written, for its digest, 0.3, starting the program and two threads 0.3; and the files are synced, those of cp are not',
  ],
  [
    /^(restore-|depth-|chain-worst)/,
    'two cores, which do 1.1 to 1.9 x what one does, are busy all the time, 1.7 s of processor time a GiB: new memory 0.5 to 2.5 (see the limits below), kernels 0.4, reading records 0.2, starting two threads and compiling code 0.4, collecting garbage 0.2',
  ],
  [
    /^compact/,
    'a head in full is decoded through its chain, four or five encodings of each chunk, and early chunks are tried on late ones, by a quick encoding, in vain; only bytes written count here',
  ],
  [
    /^tensor/,
    'manifest and index of 10,000 chunks take 9 ms of processor time, three levels of 4 MiB on one thread as long (16 MiB are worth handing over), and about 30 file calls are made',
  ],
  [
    /^stall/,
    'the copy runs at the speed of memcpy; taking the state apart (156 tensors, their facts) takes 4 ms, and the second save of a run maps new memory for its copy',
  ],
  [
    /^scaling/,
    'one worker and the main thread, which stages, hashes and writes, keep both cores busy already; what two threads get done here that only encode is in the third column',
  ],
];

/** Why a row falls short, or nothing. */
export function shortfallOf({ id, ok }) {
  if (ok !== false) return '';
  return SHORTFALLS.find(([pattern]) => pattern.test(id))?.[1] ?? '';
}
