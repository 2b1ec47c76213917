/** What limits figures that fall short, by the id of the target: known from profiles, not from the run. */
const SHORTFALLS = [
  [
    /^(weights|first-moment|second-moment)-\d+-decode$/,
    'zstd stores planes of noise as they are and copies them at 15 to 40 GB/s; only the planes with structure cost it time (0.5 to 1 GB/s of them). The target was set where zstd -1 decoded such planes at 0.4 to 0.6 GB/s. A code of one symbol for each element, with its context, takes about 2 ns of WebAssembly',
  ],
  [
    /^first-moment-\d+-encode$/,
    'three of four planes are noise, which zstd finds by a look at each block and skips; the fourth is all it codes',
  ],
  [/^gc-million-memory$/, 'the indexes of all checkpoints are in memory at once, as objects'],
];

/** Why a row falls short, or nothing. */
export function shortfallOf({ id, ok }) {
  if (ok !== false) return '';
  return SHORTFALLS.find(([pattern]) => pattern.test(id))?.[1] ?? '';
}
