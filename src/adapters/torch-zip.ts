/**
 * torch.save files since torch 1.6 (`.pt`, `.pth`, `.bin`): a zip archive of `<prefix>/data.pkl` and one stored record
 * `<prefix>/data/<key>` for each storage. TorchScript archives have the same records and more. Source:
 * torch/serialization.py and caffe2/serialize/inline_container.cc.
 */
import { corrupt, ThetalogError } from '../errors.js';
import type { Adapter, RandomAccess } from './adapter.js';
import { unpickle } from './pickle.js';
import { type StoragePlaces, segmentTorchFile, type TorchFile } from './torch-ranges.js';
import { firstRecordName, looksLikeZip, readZipDirectory, type ZipEntry } from './zip-directory.js';

/** Bytes of a pickle that is read into memory. Arrays that are pickled themselves make it large; guards memory. */
export const PICKLE_BYTES_MAX = 256 * 2 ** 20;

const METHOD_STORED = 0;
const METHOD_DEFLATED = 8;
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
    const file = await openTorchZip(source);
    return file === undefined ? { format: 'zip', ranges: [] } : segmentTorchFile(file);
  },
};

/** Reads the pickle of an archive and where its storages lie; undefined for another kind of archive. */
export async function openTorchZip(source: RandomAccess): Promise<TorchFile | undefined> {
  const archive = openArchive(await readZipDirectory(source));
  const pickle = archive.get('data.pkl');
  if (pickle === undefined || !pickle.stored) return undefined;
  if (pickle.bytes > PICKLE_BYTES_MAX) throw pickleTooLarge(source.name, pickle.dataOffset);
  await checkVersion(archive, source);
  const bytes = await source.read(pickle.dataOffset, pickle.bytes);
  const origin = { object: source.name, offset: pickle.dataOffset };
  return {
    format: 'torch-zip',
    source,
    unpickled: unpickle(bytes, origin),
    pickleOffset: pickle.dataOffset,
    places: placesOf(archive, source.name),
    littleEndian: await isLittleEndian(archive, source),
  };
}

/** The error for a pickle that is not read into memory. */
export function pickleTooLarge(object: string, offset: number): ThetalogError {
  const message = `${object}: a pickle of more than ${PICKLE_BYTES_MAX} bytes is not read`;
  return new ThetalogError('unsupported', 'pickle-too-large', message, { object, offset });
}

type Archive = ReadonlyMap<string, ZipEntry>;

/** Records by name without the archive's own name, which is that of the file it was saved to. */
function openArchive(entries: readonly ZipEntry[]): Archive {
  const first = entries[0]?.name ?? '';
  const prefix = first.slice(0, first.indexOf('/') + 1);
  return new Map(
    entries
      .filter((entry) => entry.name.startsWith(prefix))
      .map((entry) => [entry.name.slice(prefix.length), entry]),
  );
}

function placesOf(archive: Archive, object: string): StoragePlaces {
  const places = new Map<string, { offset: number; length: number } | undefined>();
  for (const [name, entry] of archive) {
    if (!name.startsWith('data/')) continue;
    if (entry.method !== METHOD_STORED && entry.method !== METHOD_DEFLATED)
      throw new ThetalogError(
        'unsupported',
        'torch-method',
        `${object}: ${name} is compressed in an unknown way`,
        {
          object,
          offset: entry.localOffset,
        },
      );
    const place = { offset: entry.dataOffset, length: entry.bytes };
    places.set(name.slice('data/'.length), entry.stored ? place : undefined);
  }
  return places;
}

/** Files without a `byteorder` record are older than big-endian support. */
async function isLittleEndian(archive: Archive, source: RandomAccess): Promise<boolean> {
  const order = await readText(archive, 'byteorder', source);
  if (order === undefined || order === 'little') return true;
  if (order === 'big') return false;
  const offset = archive.get('byteorder')?.localOffset;
  throw corrupt('torch-byteorder', 'a byte order that is neither little nor big', source.name, offset);
}

/** torch's readers ask for a version, and for one that they know; all so far are below this. */
const VERSION_MAX = 10;

async function checkVersion(archive: Archive, source: RandomAccess): Promise<void> {
  const text =
    (await readText(archive, '.data/version', source)) ?? (await readText(archive, 'version', source));
  const version = /^[0-9]{1,3}\n?$/.test(text ?? '') ? Number(text) : 0;
  if (version < 1 || version > VERSION_MAX)
    throw new ThetalogError('unsupported', 'torch-version', `${source.name}: no version that is known`, {
      object: source.name,
      offset: archive.get('version')?.localOffset ?? 0,
    });
}

/** A short record; undefined where there is none. What is compressed or long is no text that torch writes here. */
async function readText(archive: Archive, name: string, source: RandomAccess): Promise<string | undefined> {
  const entry = archive.get(name);
  if (entry === undefined) return undefined;
  if (!entry.stored || entry.bytes > 16) return '';
  return String.fromCharCode(...(await source.read(entry.dataOffset, entry.bytes)));
}
