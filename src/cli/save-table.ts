/** The table of `save --explain`: one line for each kind of tensors and way of prediction, then the metadata. */
import type { ExplainedGroup, SaveExplanation } from '../index.js';
import { type Column, tableLines } from './tables.js';
import { formatRatio } from './units.js';

const COLUMNS: readonly Column[] = [
  { title: 'PART' },
  { title: 'DTYPE' },
  { title: 'PREDICTOR' },
  { title: 'CHUNKS', align: 'right' },
  { title: 'ELEMENTS', align: 'right' },
  { title: 'RAW', align: 'right' },
  { title: 'STORED', align: 'right' },
  { title: 'RATIO', align: 'right' },
  { title: 'BITS', align: 'right' },
  { title: 'MS', align: 'right' },
  { title: 'SETTINGS' },
];

/** Bytes are exact here, so that they can be added up. */
export function explanationLines({ groups, metadata, storedBytes }: SaveExplanation): string[] {
  const rest = metadata.map(({ object, bytes }) => [object, '', '', '', '', '', String(bytes)]);
  const total = ['total', '', '', '', '', '', String(storedBytes)];
  return tableLines(COLUMNS, [...groups.map(groupRow), ...rest, total]);
}

function groupRow(group: ExplainedGroup): string[] {
  const { dtype, predictor, chunks, elements, rawBytes, storedBytes, bitsPerElement, encodeMs } = group;
  return [
    group.slot === '' ? group.group : `${group.group} ${group.slot}`,
    dtype,
    predictor,
    String(chunks),
    String(elements),
    String(rawBytes),
    String(storedBytes),
    formatRatio(rawBytes, storedBytes),
    bitsPerElement.toFixed(2),
    encodeMs.toFixed(0),
    Object.entries(group.settings)
      .map(([name, value]) => `${name}=${typeof value === 'number' ? Number(value.toPrecision(6)) : value}`)
      .join(' '),
  ];
}
