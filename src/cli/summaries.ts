/** How checkpoints are named and summed up, in text and in JSON. */
import type { CheckpointInfo, SaveResult } from '../index.js';
import { type Column, keyValueLines, printable, shortId } from './tables.js';
import { formatBytes, formatDuration, formatRatio, formatTime } from './units.js';

const METRIC_DIGITS = 6;

/** Returns for example `4f0c2a91bd (pretrain, step 1200)`. */
export function checkpointName(checkpoint: { id: string; run: string; step: number | null }): string {
  const step = checkpoint.step === null ? '' : `, step ${checkpoint.step}`;
  return `${shortId(checkpoint.id)} (${printable(checkpoint.run)}${step})`;
}

/** Returns what a save did, in one line. */
export function savedLine(result: SaveResult): string {
  const { logicalBytes, storedBytes, seconds } = result;
  const ratio = formatRatio(logicalBytes, storedBytes);
  const sizes = `${formatBytes(logicalBytes)}, stored ${formatBytes(storedBytes)} (${ratio})`;
  return `saved ${checkpointName(result)}: ${sizes} in ${formatDuration(seconds)}`;
}

/** The object of one checkpoint in `list --json`. */
export function checkpointSummary(checkpoint: CheckpointInfo): object {
  const {
    id,
    run,
    step,
    epoch,
    metrics,
    parent,
    label,
    logicalBytes,
    storedBytes,
    height,
    tags,
    pinned,
    groups,
    droppedGroups,
  } = checkpoint;
  return {
    id,
    run,
    step,
    epoch,
    metrics,
    parent,
    label,
    logicalBytes,
    storedBytes,
    height,
    tags,
    pinned,
    groups,
    droppedGroups,
  };
}

/** Returns `loss=2.31 accuracy=0.5`. */
export function metricsText(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name}=${Number(value.toPrecision(METRIC_DIGITS))}`)
    .join(' ');
}

/** Returns a checkpoint's tags, whether it is pinned, and the groups it has lost: `v1, pinned`, `no optimizer`. */
export function marksText(checkpoint: CheckpointInfo): string {
  const dropped = checkpoint.droppedGroups.map((group) => `no ${group}`);
  return [...checkpoint.tags, ...(checkpoint.pinned ? ['pinned'] : []), ...dropped].join(', ');
}

export const CHECKPOINT_COLUMNS: readonly Column[] = [
  { title: 'ID' },
  { title: 'RUN' },
  { title: 'STEP', align: 'right' },
  { title: 'EPOCH', align: 'right' },
  { title: 'LABEL' },
  { title: 'METRICS' },
  { title: 'LOGICAL', align: 'right' },
  { title: 'STORED', align: 'right' },
  { title: 'RATIO', align: 'right' },
  { title: 'HEIGHT', align: 'right' },
  { title: 'SAVED' },
  { title: 'MARKS' },
];

/** Returns the label, unless it says no more than step or id. */
function givenLabel({ label, step, id }: CheckpointInfo): string {
  return label === `step-${step}` || id.startsWith(label) ? '' : label;
}

/** The row of one checkpoint under CHECKPOINT_COLUMNS. */
export function checkpointRow(checkpoint: CheckpointInfo): string[] {
  const { id, run, step, epoch, metrics, logicalBytes, storedBytes, height, createdAt } = checkpoint;
  return [
    shortId(id),
    run,
    numberText(step),
    numberText(epoch),
    givenLabel(checkpoint),
    metricsText(metrics),
    formatBytes(logicalBytes),
    formatBytes(storedBytes),
    formatRatio(logicalBytes, storedBytes),
    String(height),
    formatTime(createdAt),
    marksText(checkpoint),
  ];
}

/** All that is on record of one checkpoint, as key and value lines. */
export function checkpointLines(checkpoint: CheckpointInfo): string[] {
  const { logicalBytes, storedBytes } = checkpoint;
  return keyValueLines([
    ['id', checkpoint.id],
    ['run', checkpoint.run],
    ['step', numberText(checkpoint.step)],
    ['epoch', numberText(checkpoint.epoch)],
    ['label', checkpoint.label],
    ['parent', checkpoint.parent],
    ['saved', formatTime(checkpoint.createdAt)],
    ['metrics', metricsText(checkpoint.metrics)],
    ['notes', notesText(checkpoint.meta)],
    ['marks', marksText(checkpoint)],
    ['from', checkpoint.kind],
    ['groups', groupsText(checkpoint)],
    ['logical', formatBytes(logicalBytes)],
    ['stored', `${formatBytes(storedBytes)} (${formatRatio(logicalBytes, storedBytes)})`],
    ['height', String(checkpoint.height)],
  ]);
}

function groupsText({ groups, droppedGroups }: CheckpointInfo): string {
  const dropped = droppedGroups.length > 0 ? ` (dropped: ${droppedGroups.join(', ')})` : '';
  return `${groups.join(', ')}${dropped}`;
}

function notesText(meta: Record<string, string>): string {
  return Object.entries(meta)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function numberText(value: number | null): string {
  return value === null ? '' : String(value);
}
