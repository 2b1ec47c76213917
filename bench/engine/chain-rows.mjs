/** Rows of restores along chains, of compaction and of collection. */
import { runTask } from '../children.mjs';
import { median, row, skipped } from '../harness.mjs';
import { inFolder } from './state-rows.mjs';

/** A quarter of a GiB is enough: times go with the bytes, and 30 checkpoints of it fit the disk. */
const GIB_MAX = 0.25;

export async function chainRows(context) {
  const { report, quick, rounds, workers } = context;
  const gib = Math.min(GIB_MAX, context.gib);
  const counts = quick ? { near: 4, far: 10 } : { near: 20, far: 12 };
  await inFolder(context, async (folder) => {
    const found = await runTask('chain-tasks', 'chains', { folder, gib, workers, rounds, ...counts });
    const size = `${gib} GiB`;
    depthRows(report, found, size);
    const times = found.nearTimes.map(({ seconds }) => median(seconds));
    const note = `heights ${found.nearTimes.map(({ height }) => height).join(' ')}`;
    const how = `the slowest of ${counts.near} checkpoints of ${size}, medians of ${rounds} restores into memory`;
    report.add(row('chain-worst', Math.max(...times) / times[0], how, { note, load: found.load }));
    compactRows(report, found, { size, rounds });
  });
}

function depthRows(report, { farTimes, load }, size) {
  const [full] = farTimes;
  for (const depth of [2, 4, 8]) {
    const found = farTimes.find(({ height }) => height === depth);
    const id = `depth-${depth}`;
    if (found === undefined) {
      const heights = farTimes.map(({ height }) => height).join(' ');
      report.add(skipped(id, `no save ten steps apart had that depth: ${heights}`));
      continue;
    }
    const ratios = found.seconds.map((seconds, round) => seconds / full.seconds[round]);
    report.add(row(id, ratios, `${size} saved ten steps apart, restored into memory`, { load }));
  }
}

function compactRows(report, found, { size, rounds }) {
  const { bytes, chunks, farTimes, headTimes, write, compact, sizes, collected, load } = found;
  const full = median(farTimes[0].seconds);
  const how = `heads of two runs of ${size}, ${rounds} restores of each into memory`;
  report.add(
    row(
      'compact-head',
      headTimes.map((seconds) => seconds / full),
      how,
      { load },
    ),
  );
  const bound = sizes.before + 2 * sizes.full;
  const note = `${(sizes.before / 1e6).toFixed(0)} MB before, ${(sizes.after / 1e6).toFixed(0)} MB after`;
  report.add(row('compact-growth', sizes.after / bound, 'sizes by stats, after gc', { note }));
  const rate = bytes / median(write);
  const rows = [compact, { seconds: collected.compactSeconds, chunks: collected.chunks }];
  const work = rows.reduce((best, one) => (one.chunks > best.chunks ? one : best));
  const rewritten = (work.chunks / chunks) * bytes;
  if (rewritten === 0) report.add(skipped('compact', 'it had nothing to rewrite'));
  else {
    const speed = `${(rewritten / work.seconds / 1e9).toFixed(2)} GB/s`;
    const text = 'chunks encoded or copied, as logical bytes, over the seconds of the call';
    report.add(row('compact', rewritten / work.seconds / rate, text, { note: speed, load }));
  }
  const freed = collected.checkpoints * bytes;
  const gcNote = `${(collected.bytes / 1e6).toFixed(0)} MB freed in ${collected.seconds.toFixed(2)} s`;
  const gcHow = `${collected.checkpoints} checkpoints of ${size} forgotten`;
  report.add(row('gc', freed / collected.seconds / rate, gcHow, { note: gcNote, load }));
}
