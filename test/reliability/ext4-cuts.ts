/** Real power cuts of an ext4 on a loop device, while a process saves, restores or maintains a store on it. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildModule } from './built-modules.js';
import type { CrashScript } from './crash-scripts.js';
import { scratchDirectory } from './scratch-folder.js';

/** How many cuts a script survived, or why none was tried. */
export type Ext4Cuts = { readonly cuts: number } | { readonly untried: string };

const UNSHARE = ['--mount', '--propagation', 'private'];

/** Cuts the power at calls of a script, evenly spread, and up to some milliseconds later. */
export async function cutExt4Power(script: CrashScript, cuts: number): Promise<Ext4Cuts> {
  try {
    execFileSync('unshare', [...UNSHARE, 'true'], { stdio: 'ignore' });
  } catch {
    return { untried: 'only root may mount' };
  }
  const scratch = scratchDirectory();
  try {
    const program = buildModule(join(import.meta.dirname, 'ext4-process.ts'), scratch);
    buildModule(join(import.meta.dirname, 'powerless-process.ts'), scratch);
    const cutPower = join(import.meta.dirname, 'cut-power.py');
    const args = [...UNSHARE, process.execPath, program, script.name, String(cuts), scratch, cutPower];
    const child = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const [output, errors] = [textOf(child.stdout), textOf(child.stderr)];
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(await errors);
    return JSON.parse(await output) as Ext4Cuts;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const part of stream) text += part;
  return text;
}
