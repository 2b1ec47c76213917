/** What damage has left of a checkpoint, in words. */
import type { DamagedCheckpoint, LostParts } from '../index.js';
import { checkpointName } from './summaries.js';
import { printable } from './tables.js';
import { formatCount } from './units.js';

/** Names shown before the rest is only counted; `--json` has all. */
const NAMES_MAX = 8;

/** Returns whether anything is lost. */
export function isAnythingLost(lost: LostParts | undefined): lost is LostParts {
  return lost !== undefined && (lost.plainData || lost.tensors.length + lost.files.length > 0);
}

/** Returns for example `weights.pth, tensors model.bias, model.scale`. */
export function lostText({ tensors, files, plainData }: LostParts): string {
  const parts = [
    ...(files.length > 0 ? [`files ${namesText(files)}`] : []),
    ...(tensors.length > 0 ? [`tensors ${namesText(tensors)}`] : []),
    ...(plainData ? ['what is no tensor'] : []),
  ];
  return parts.join(', ');
}

/** Returns for example `4f0c2a91bd (pretrain, step 1200): 3 tensors, 1 file; lost: tensors model.bias`. */
export function remainsText(checkpoint: DamagedCheckpoint): string {
  const { readable, lost, soundTensors, soundFiles } = checkpoint;
  const name = checkpointName(checkpoint);
  if (!readable) return `${name}: nothing`;
  const sound = [
    ...(soundTensors > 0 ? [formatCount(soundTensors, 'tensor')] : []),
    ...(soundFiles > 0 ? [formatCount(soundFiles, 'file')] : []),
  ].join(', ');
  if (!isAnythingLost(lost)) return `${name}: all of it`;
  return `${name}: ${sound === '' ? 'nothing' : sound}; lost: ${lostText(lost)}`;
}

function namesText(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_MAX).map(printable).join(', ');
  return names.length > NAMES_MAX ? `${shown} and ${names.length - NAMES_MAX} more` : shown;
}
