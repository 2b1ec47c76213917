/** Loaded before a program: writes its peak memory down when it ends. */
import { writeFileSync } from 'node:fs';

process.on('exit', () => {
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  writeFileSync(process.env.THETALOG_BENCH_PEAK, JSON.stringify({ peakBytes }));
});
