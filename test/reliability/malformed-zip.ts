/** zip archives that are wrong in their structure: headers that disagree, ZIP64, flags, overlaps, missing and double records. */
import { crc32 } from 'node:zlib';
import { ByteWriter } from '../../src/bytes/index.js';
import { type Dice, damaged, EDGES, littleEndian } from './dice.js';

export interface ZipRecord {
  name: string;
  content: Uint8Array;
}

/** A number in the archive. Fields of one tag say the same, and can lie together. */
interface Field {
  tag: string;
  offset: number;
  width: number;
}

/** A writer that remembers where its numbers are. */
class FieldWriter extends ByteWriter {
  readonly fields: Field[] = [];

  field(tag: string, value: number, width: 2 | 4 | 8): void {
    this.fields.push({ tag, offset: this.length, width });
    this.bytes(littleEndian(value, width));
  }
}

/** What is wrong with the way the archive is put together. */
interface Style {
  descriptors: boolean;
  wide: boolean;
  extra: Uint8Array;
  comment: Uint8Array;
  prefix: Uint8Array;
  /** Directory entries in this order; some may be missing or come twice. */
  order: number[];
}

const encoder = new TextEncoder();

function writeZip(records: readonly ZipRecord[], style: Style): FieldWriter {
  const out = new FieldWriter();
  out.bytes(style.prefix);
  const offsets = records.map((record, index) => writeRecord(out, record, index, style));
  const directory = out.length;
  for (const index of style.order) writeEntry(out, records[index], index, offsets[index], style);
  writeEnd(out, style, directory);
  return out;
}

function writeRecord(out: FieldWriter, { name, content }: ZipRecord, index: number, style: Style): number {
  const offset = out.length;
  const bytes = encoder.encode(name);
  const told = style.descriptors ? 0 : content.length;
  out.field('signature', 0x04034b50, 4);
  out.field('version', 20, 2);
  out.field(`flags ${index}`, style.descriptors ? 0x808 : 0x800, 2);
  out.field(`method ${index}`, 0, 2);
  out.u32(0);
  out.field(`crc ${index}`, style.descriptors ? 0 : crc32(content), 4);
  out.field(`stored ${index}`, told, 4);
  out.field(`size ${index}`, told, 4);
  out.field(`name ${index}`, bytes.length, 2);
  out.field(`extra ${index}`, style.extra.length, 2);
  out.bytes(bytes);
  out.bytes(style.extra);
  out.bytes(content);
  if (style.descriptors) {
    out.u32(0x08074b50);
    out.field(`crc ${index}`, crc32(content), 4);
    out.field(`stored ${index}`, content.length, 4);
    out.field(`size ${index}`, content.length, 4);
  }
  return offset;
}

function writeEntry(out: FieldWriter, record: ZipRecord, index: number, offset: number, style: Style): void {
  const { content } = record;
  const bytes = encoder.encode(record.name);
  out.field('signature', 0x02014b50, 4);
  out.field('version', 20, 2);
  out.field('version', 20, 2);
  out.field(`flags ${index}`, style.descriptors ? 0x808 : 0x800, 2);
  out.field(`method ${index}`, 0, 2);
  out.u32(0);
  out.field(`crc ${index}`, crc32(content), 4);
  out.field(`stored ${index}`, style.wide ? 0xffffffff : content.length, 4);
  out.field(`size ${index}`, style.wide ? 0xffffffff : content.length, 4);
  out.field(`name ${index}`, bytes.length, 2);
  out.field(`wide ${index}`, style.wide ? 28 : 0, 2);
  out.field('comment', 0, 2);
  out.field('disk', 0, 2);
  out.u16(0);
  out.u32(0);
  out.field(`offset ${index}`, style.wide ? 0xffffffff : offset, 4);
  out.bytes(bytes);
  if (!style.wide) return;
  out.field('extra id', 1, 2);
  out.field(`wide ${index}`, 24, 2);
  out.field(`size ${index}`, content.length, 8);
  out.field(`stored ${index}`, content.length, 8);
  out.field(`offset ${index}`, offset, 8);
}

function writeEnd(out: FieldWriter, { order, wide, comment }: Style, directory: number): void {
  const end = out.length;
  if (wide) {
    out.field('signature', 0x06064b50, 4);
    out.field('end size', 44, 8);
    out.u32(0x002d002d);
    for (let disk = 0; disk < 2; disk++) out.field('disk', 0, 4);
    for (let count = 0; count < 2; count++) out.field('count', order.length, 8);
    out.field('directory size', end - directory, 8);
    out.field('directory offset', directory, 8);
    out.field('signature', 0x07064b50, 4);
    out.field('disk', 0, 4);
    out.field('end offset', end, 8);
    out.field('disks', 1, 4);
  }
  out.field('signature', 0x06054b50, 4);
  for (let disk = 0; disk < 2; disk++) out.field('disk', 0, 2);
  for (let count = 0; count < 2; count++) out.field('count', order.length, 2);
  out.field('directory size', end - directory, 4);
  out.field('directory offset', directory, 4);
  out.field('comment', comment.length, 2);
  out.bytes(comment);
}

const NAMES = [
  'archive/data.pkl',
  'archive/data/0',
  '../../x',
  '/etc/x',
  'a\\b',
  'C:x',
  '',
  'archive/data/\0',
  'x'.repeat(5000),
];

/** Changes what is in the archive and in what order. */
const CHANGES: readonly ((records: ZipRecord[], style: Style, dice: Dice) => void)[] = [
  (records, _style, dice) => {
    const index = dice.below(records.length);
    records[index] = { ...records[index], name: dice.pick([...NAMES, dice.pick(records).name]) };
  },
  (records, _style, dice) => {
    const index = dice.below(records.length);
    const { name, content } = records[index];
    records[index] = { name, content: damaged(content.length === 0 ? new Uint8Array(2) : content, dice) };
  },
  (_records, style, dice) => style.order.splice(dice.below(style.order.length), 1),
  (records, style, dice) => style.order.splice(dice.below(style.order.length), 0, dice.below(records.length)),
  (_records, style) => style.order.reverse(),
  (_records, style, dice) => {
    style.prefix = dice.bytes(dice.pick([1, 4, 64]));
  },
  (_records, style, dice) => {
    style.comment = dice.oneIn(2) ? dice.bytes(dice.below(70)) : Uint8Array.of(0x50, 0x4b, 5, 6, 0, 0, 0, 0);
  },
  (_records, style, dice) => {
    style.extra = dice.pick([dice.bytes(dice.below(40)), Uint8Array.of(1, 0, 16, 0, ...dice.bytes(16))]);
  },
];

/** One field, or all that say the same, another number. */
function lie(out: FieldWriter, bytes: Uint8Array, dice: Dice): void {
  const chosen = dice.pick(out.fields);
  const together = dice.oneIn(2);
  const now = bytes[chosen.offset] + bytes[chosen.offset + 1] * 256;
  const value = dice.oneIn(2) ? dice.pick(EDGES) : Math.max(0, now + dice.pick([-16, -1, 1, 8, 64]));
  for (const { tag, offset, width } of out.fields) {
    if (offset === chosen.offset || (together && tag === chosen.tag))
      bytes.set(littleEndian(value, width), offset);
  }
}

/** An archive of `records` with up to three things wrong, one in ten with none. */
export function malformedZip(sound: readonly ZipRecord[], dice: Dice): Uint8Array {
  const records = [...sound];
  const style: Style = {
    descriptors: dice.oneIn(2),
    wide: dice.oneIn(3),
    extra: new Uint8Array(dice.oneIn(2) ? 8 : 0),
    comment: new Uint8Array(),
    prefix: new Uint8Array(),
    order: records.map((_, index) => index),
  };
  let times = dice.oneIn(10) ? 0 : 1 + dice.below(3);
  for (; times > 0 && dice.oneIn(2); times--) dice.pick(CHANGES)(records, style, dice);
  const out = writeZip(records, style);
  const bytes = out.finish();
  for (; times > 0 && dice.oneIn(2); times--) lie(out, bytes, dice);
  return times > 0 ? damaged(bytes, dice) : bytes;
}

/** An archive with nothing wrong. */
export function soundZip(records: readonly ZipRecord[]): Uint8Array {
  const none = new Uint8Array();
  const order = records.map((_, index) => index);
  return writeZip(records, {
    descriptors: false,
    wide: false,
    extra: none,
    comment: none,
    prefix: none,
    order,
  }).finish();
}
