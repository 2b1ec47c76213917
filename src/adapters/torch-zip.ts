/**
 * torch.save files since torch 1.6 (`.pt`, `.pth`, `.bin`): a zip archive of `<prefix>/data.pkl` and one stored record
 * `<prefix>/data/<key>` for each storage. TorchScript archives have the same records and more. Source:
 * torch/serialization.py and caffe2/serialize/inline_container.cc.
 */
import { ThetalogError } from '../errors.js';
import type { Adapter, RandomAccess } from './adapter.js';
import { unpickle } from './pickle.js';
import { type StoragePlaces, segmentTorchFile } from './torch-ranges.js';
import { firstRecordName, looksLikeZip, readZipDirectory, type ZipEntry } from './zip-directory.js';

/** Bytes of a pickle that is read into memory. Arrays that are pickled themselves make it large; guards memory. */
export const PICKLE_BYTES_MAX = 256 * 2 ** 20;

const TORCH_NAMES = /\.(pt|pth|bin|ckpt|ptl|tar|pt2|pkl)$/i;

/** The zip form of torch.save files. */
export const torchZipAdapter: Adapter = {
  format: 'torch-zip',
  recognises(head, name) {
    // Many archives in one file, as torch.distributed.checkpoint writes them, are no archive.
    if (name.endsWith('.distcp')) return false;
    return looksLikeZip(head) && (TORCH_NAMES.test(name) || firstRecordName(head).endsWith('/data.pkl'));
  },
  async segment(source) {
    const entries = await readZipDirectory(source);
    const archive = openArchive(entries);
    const pickle = archive.get('data.pkl');
    // Another kind of archive under a torch name.
    if (pickle === undefined || !pickle.stored) return { format: 'zip', ranges: [] };
    if (pickle.bytes > PICKLE_BYTES_MAX) throw pickleTooLarge(source.name, pickle.dataOffset);
    const bytes = await source.read(pickle.dataOffset, pickle.bytes);
    const origin = { object: source.name, offset: pickle.dataOffset };
    return segmentTorchFile({
      format: 'torch-zip',
      source,
      unpickled: unpickle(bytes, origin),
      pickleOffset: pickle.dataOffset,
      places: placesOf(archive),
      littleEndian: await isLittleEndian(archive, source),
    });
  },
};

/** The error for a pickle that is not read into memory. */
export function pickleTooLarge(object: string, offset: number): ThetalogError {
  const message = `${object}: a pickle of more than ${PICKLE_BYTES_MAX} bytes is not read`;
  return new ThetalogError('unsupported', 'pickle-too-large', message, { object, offset });
}

/** Records by name without the archive's own name, which is that of the file it was saved to. */
function openArchive(entries: readonly ZipEntry[]): Map<string, ZipEntry> {
  const first = entries[0]?.name ?? '';
  const prefix = first.slice(0, first.indexOf('/') + 1);
  return new Map(
    entries
      .filter((entry) => entry.name.startsWith(prefix))
      .map((entry) => [entry.name.slice(prefix.length), entry]),
  );
}

function placesOf(archive: ReadonlyMap<string, ZipEntry>): StoragePlaces {
  const places = new Map<string, { offset: number; length: number } | undefined>();
  for (const [name, entry] of archive) {
    if (!name.startsWith('data/')) continue;
    const place = { offset: entry.dataOffset, length: entry.bytes };
    places.set(name.slice('data/'.length), entry.stored ? place : undefined);
  }
  return places;
}

/** Files without a `byteorder` record are older than big-endian support. */
async function isLittleEndian(
  archive: ReadonlyMap<string, ZipEntry>,
  source: RandomAccess,
): Promise<boolean> {
  const entry = archive.get('byteorder');
  if (entry === undefined || !entry.stored || entry.bytes > 16) return true;
  const bytes = await source.read(entry.dataOffset, entry.bytes);
  return String.fromCharCode(...bytes) !== 'big';
}
