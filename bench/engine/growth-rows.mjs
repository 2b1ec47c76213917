/** Rows of stores that have grown: many checkpoints, many chunks. */
import { runTask } from '../children.mjs';
import { median, row } from '../harness.mjs';
import { inFolder } from './state-rows.mjs';

export async function growthRows(context) {
  const { report, quick, workers, checkpoints } = context;
  await inFolder(context, async (folder) => {
    const rounds = quick ? 5 : 41;
    const parameters = { folder, few: 10, many: checkpoints, rounds, workers };
    const { few, many, load } = await runTask('growth-tasks', 'growth', parameters);
    const how = `medians of ${rounds}, checkpoints of 16 KiB; resume and list on a store opened anew`;
    for (const name of ['save', 'resume', 'list']) {
      const [before, after] = [few, many].map((times) => median(times[name]));
      const note = `${(1000 * before).toFixed(1)} ms with 10, ${(1000 * after).toFixed(1)} ms with ${checkpoints}`;
      report.add(row(`growth-${name}`, after / before, how, { note, load }));
    }
  });
}

export async function millionRows(context) {
  const { report, quick, rounds, workers } = context;
  const chunks = quick ? 4000 : 1_000_000;
  await inFolder(context, async (folder) => {
    await runTask('growth-tasks', 'manyChunks', { folder, chunks, runs: 4, workers });
    const results = [];
    for (let round = 0; round < rounds; round++)
      results.push(await runTask('growth-tasks', 'collectOnce', { folder, workers }));
    const how = `${chunks} chunks in 4 checkpoints, gc in a fresh process`;
    const { load } = results[0];
    report.add(
      row(
        'gc-million',
        results.map(({ seconds }) => seconds),
        how,
        { load },
      ),
    );
    const peaks = results.map(({ peakBytes }) => peakBytes / 1e6);
    report.add(row('gc-million-memory', peaks, `peak of the whole process; ${how}`));
  });
}
