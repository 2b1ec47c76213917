/** Runs benchmarks as their users do. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Row {
  section: string;
  id: string;
  reached: number | null;
  ok: boolean | null;
  skipped?: string;
}

function outputOf(args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

/** The ids of all targets of a section. */
export function targetIds(section: string): string[] {
  const program = `import { TARGETS } from './bench/targets.mjs'; console.log(JSON.stringify(TARGETS));`;
  const targets = JSON.parse(outputOf(['--input-type=module', '-e', program])) as Row[];
  return targets.filter((target) => target.section === section).map(({ id }) => id);
}

/** The rows of a benchmark, which only tries whether everything works. */
export function quickRows(name: string, ...args: string[]): Row[] {
  const lines = outputOf([`bench/${name}.mjs`, '--quick', '--json', ...args])
    .trim()
    .split('\n');
  const result = JSON.parse(lines[lines.length - 1]) as { rows: Row[] };
  return result.rows;
}
