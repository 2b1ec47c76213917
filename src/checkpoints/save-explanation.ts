/** What a save did with every byte: `save --explain`. */
import { orderOfRecord, type Rule } from '../codec/index.js';
import {
  type ChunkEntry,
  chunkLengths,
  type Layout,
  type StreamContent,
  type TensorLayout,
} from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { EncodingLog, LoggedChunk, ObjectWriter } from '../packs/index.js';
import { dtypeInfo } from '../tensor/index.js';
import type { ExplainedGroup, SaveExplanation } from './save-types.js';

/** How a chunk was encoded. */
interface Encoding {
  length: number;
  rule: Rule | undefined;
  order: number | null;
  milliseconds: number;
}

/** Kinds of streams that hold no tensors, by the first part of their keys. */
const OTHER_STREAMS = [
  ['skeleton:', 'skeleton'],
  ['file:', 'file'],
  ['state:', 'plain data'],
] as const;

const SLOT_UNKNOWN = '';
const SLOTS_MIXED = 'several';

export class ExplanationLog implements EncodingLog {
  private readonly encodings = new Map<ChunkId, Encoding>();
  private recordBytes = 0;

  add(entry: ChunkEntry, { record, rule, milliseconds }: LoggedChunk): void {
    const order = orderOfRecord(record);
    this.encodings.set(entry.id, { length: entry.length, rule, order, milliseconds });
    this.recordBytes += entry.length;
  }

  /** Returns the rows; what they hold adds up to the bytes of the objects written and of the root. */
  explain(
    layout: Layout,
    streams: readonly StreamContent[],
    chunkElements: number,
    objects: ObjectWriter,
    rootBytes: number,
  ): SaveExplanation {
    const metadata = [
      { object: 'pack headers and footers', bytes: objects.bytesOf('packs') - this.recordBytes },
      { object: 'index segment', bytes: objects.bytesOf('segments') },
      { object: 'manifest', bytes: objects.bytesOf('manifests') },
      { object: 'catalogue page', bytes: objects.bytesOf('pages') },
      { object: 'root', bytes: rootBytes },
    ];
    const groups = this.groups(layout, streams, chunkElements);
    return { groups, metadata, storedBytes: objects.bytes + rootBytes };
  }

  private groups(layout: Layout, streams: readonly StreamContent[], chunkElements: number): ExplainedGroup[] {
    const names = streamNames(layout);
    const groups = new Map<string, ExplainedGroup>();
    const seen = new Set<ChunkId>();
    for (const [at, { ids }] of streams.entries()) {
      const stream = layout.streams[at];
      const lengths = chunkLengths(stream, streams[at], chunkElements);
      for (const [index, id] of ids.entries()) {
        const encoding = this.encodings.get(id);
        const predictor = seen.has(id) && encoding !== undefined ? 'repeated' : predictorName(encoding);
        const stored = seen.has(id) ? undefined : encoding;
        seen.add(id);
        const key = JSON.stringify([names[at], stream.dtype, predictor]);
        const group = groups.get(key) ?? { ...names[at], dtype: stream.dtype, predictor, ...EMPTY };
        groups.set(key, group);
        const isFirst = group.chunks === 0;
        group.chunks += 1;
        group.elements += lengths[index] / dtypeInfo(stream.dtype).bytes;
        group.rawBytes += lengths[index];
        group.storedBytes += stored?.length ?? 0;
        group.encodeMs += stored?.milliseconds ?? 0;
        group.bitsPerElement = (group.storedBytes * 8) / group.elements;
        group.settings = joinSettings(isFirst, group.settings, settingsOf(stored));
      }
    }
    return [...groups.values()];
  }
}

const EMPTY = {
  chunks: 0,
  elements: 0,
  rawBytes: 0,
  storedBytes: 0,
  bitsPerElement: 0,
  encodeMs: 0,
  settings: {},
};

function predictorName(encoding: Encoding | undefined): string {
  return encoding === undefined ? 'unchanged' : (encoding.rule?.kind ?? 'none');
}

/** The numbers of the rule and the order of operations that its record names. */
function settingsOf(encoding: Encoding | undefined): ExplainedGroup['settings'] {
  if (encoding?.rule === undefined) return {};
  const { kind: _, ...numbers } = encoding.rule;
  return { ...numbers, ...(encoding.order === null ? {} : { order: encoding.order }) };
}

/** Keeps what all chunks of a group agree on. */
function joinSettings(
  isFirst: boolean,
  known: ExplainedGroup['settings'],
  next: ExplainedGroup['settings'],
): ExplainedGroup['settings'] {
  if (isFirst) return next;
  return Object.fromEntries(Object.entries(known).filter(([name, value]) => next[name] === value));
}

/** Returns the group of each stream and the slot its tensors have in common. */
function streamNames({ streams, tensors }: Layout): { group: string; slot: string }[] {
  const names = streams.map(({ key }): { group: string; slot: string } => {
    const other = OTHER_STREAMS.find(([prefix]) => key.startsWith(prefix));
    return { group: other?.[1] ?? 'other', slot: SLOT_UNKNOWN };
  });
  const named = new Set<number>();
  for (const tensor of tensors) {
    const slot = slotOf(tensor);
    for (const { stream } of tensor.boxes) {
      const name = names[stream];
      if (!named.has(stream)) names[stream] = { group: tensor.group, slot };
      else if (name.slot !== slot) name.slot = SLOTS_MIXED;
      named.add(stream);
    }
  }
  return names;
}

/** Slots of optax: with the path of the parameter behind them. */
const TREE_SLOT = /[./](mu|nu|trace)[./]/;

/** An optimizer's tensors are named after the slot, parts of one with what they have of it; those of a model are its weights. */
function slotOf({ name, group }: TensorLayout): string {
  if (group === 'model') return 'weights';
  const inTree = group === 'optimizer' ? TREE_SLOT.exec(name) : null;
  if (inTree !== null) return inTree[1];
  return group === 'optimizer'
    ? name.slice(name.lastIndexOf('.') + 1).replace(/\[[\d:,]+\]$/, '')
    : SLOT_UNKNOWN;
}
