/**
 * What a disk holds after a power cut. A file keeps what was synced and any part of the sectors written since; a directory
 * keeps what was synced and any part of its later changes, in any order between names. That is more than most file systems may
 * lose, and nothing that POSIX promises.
 */

/** Disks write sectors whole. */
const SECTOR_BYTES = 512;

export type NodeId = number;

/** What a program did to the disk, in order. Nodes are files and directories; the root directory is node 0. */
export type DiskEvent =
  | { readonly kind: 'write'; readonly node: NodeId; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'entry'; readonly directory: NodeId; readonly changes: readonly EntryChange[] }
  | { readonly kind: 'sync'; readonly node: NodeId }
  /** A sync of a file that failed: what it should have written may be gone for good, though programs still see it. */
  | { readonly kind: 'lose'; readonly node: NodeId };

/** Names that a change sets together or not at all; without a node the name is removed. */
export interface EntryChange {
  readonly name: string;
  readonly node: NodeId | undefined;
}

interface FileState {
  synced: Uint8Array;
  pending: { offset: number; bytes: Uint8Array }[];
  version: number;
}

interface DirectoryState {
  synced: Map<string, NodeId>;
  pending: (readonly EntryChange[])[];
}

/** Directories and files after a power cut. Equal keys mean equal disks. */
export interface DiskImage {
  readonly key: string;
  readonly directories: ReadonlyMap<NodeId, ReadonlyMap<string, NodeId>>;
  readonly files: ReadonlyMap<NodeId, Uint8Array>;
}

/** Returns a whole number from 0 to below the limit. */
export type Random = (limit: number) => number;

export class SimulatedDisk {
  private readonly files = new Map<NodeId, FileState>();
  private readonly directories = new Map<NodeId, DirectoryState>();

  /** Begins with an image in which everything is durable. */
  constructor(image?: DiskImage) {
    for (const [node, bytes] of image?.files ?? []) this.file(node).synced = bytes;
    for (const [node, entries] of image?.directories ?? []) this.directory(node).synced = new Map(entries);
    this.directory(0);
  }

  apply(event: DiskEvent): void {
    if (event.kind === 'write') this.file(event.node).pending.push(event);
    else if (event.kind === 'entry') this.directory(event.directory).pending.push(event.changes);
    else if (event.kind === 'lose') this.drop(event.node);
    else this.sync(event.node);
  }

  /** Makes everything durable. */
  syncAll(): void {
    for (const node of [...this.directories.keys(), ...this.files.keys()]) this.sync(node);
  }

  /** Cuts the power: what remains is chosen by `random`. */
  cut(random: Random): DiskImage {
    const image = { directories: new Map<NodeId, Map<string, NodeId>>(), files: new Map() };
    const parts: string[] = [];
    const visit = (node: NodeId): void => {
      if (image.directories.has(node) || image.files.has(node)) return;
      const directory = this.directories.get(node);
      if (directory === undefined) {
        const { bytes, key } = this.cutFile(this.file(node), random);
        image.files.set(node, bytes);
        parts.push(`${node}:${key}`);
        return;
      }
      const entries = cutDirectory(directory, random);
      image.directories.set(node, entries);
      parts.push(`${node}(${[...entries].map(([name, inner]) => `${name}=${inner}`).join()})`);
      for (const inner of entries.values()) visit(inner);
    };
    visit(0);
    return { key: parts.join(), ...image };
  }

  private cutFile(file: FileState, random: Random): { bytes: Uint8Array; key: string } {
    if (file.pending.length === 0) return { bytes: file.synced, key: `${file.version}` };
    let bytes = file.synced;
    let key = `${file.version}`;
    const all = random(4) === 0;
    for (const { offset, bytes: written } of file.pending) {
      for (let at = 0; at < written.length; ) {
        const end = Math.min(written.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
        const fate = all ? 1 : random(3);
        key += fate;
        if (fate === 1) bytes = overwritten(bytes, offset + at, written.subarray(at, end));
        // The size may be written and the content not.
        if (fate === 2) bytes = overwritten(bytes, offset + at, new Uint8Array(end - at));
        at = end;
      }
    }
    return { bytes, key };
  }

  private sync(node: NodeId): void {
    const directory = this.directories.get(node);
    if (directory !== undefined) {
      for (const changes of directory.pending) setEntries(directory.synced, changes);
      directory.pending = [];
      return;
    }
    const file = this.file(node);
    for (const { offset, bytes } of file.pending) file.synced = overwritten(file.synced, offset, bytes);
    file.version += 1;
    file.pending = [];
  }

  private drop(node: NodeId): void {
    const file = this.file(node);
    file.pending = [];
    file.version += 1;
  }

  private file(node: NodeId): FileState {
    let state = this.files.get(node);
    if (state === undefined) {
      state = { synced: new Uint8Array(0), pending: [], version: 0 };
      this.files.set(node, state);
    }
    return state;
  }

  private directory(node: NodeId): DirectoryState {
    let state = this.directories.get(node);
    if (state === undefined) {
      state = { synced: new Map(), pending: [] };
      this.directories.set(node, state);
    }
    return state;
  }
}

/** Many changes: of all subsets only those that keep a first part, and some at random, so that equal disks come up again. */
const FREE_CHANGES_MAX = 8;
const MASKS = 8;

function cutDirectory({ synced, pending }: DirectoryState, random: Random): Map<string, NodeId> {
  const entries = new Map(synced);
  if (pending.length === 0) return entries;
  const many = pending.length > FREE_CHANGES_MAX;
  const first = many && random(2) === 0 ? random(pending.length + 1) : -1;
  const mask = random(MASKS);
  for (const [index, changes] of pending.entries()) {
    const keeps = first >= 0 ? index < first : many ? scrambled(mask, index) : random(2) === 1;
    if (keeps) setEntries(entries, changes);
  }
  return entries;
}

function scrambled(mask: number, index: number): boolean {
  return ((Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(mask + 1, 0x85ebca6b)) >>> 13) % 2 === 1;
}

function setEntries(entries: Map<string, NodeId>, changes: readonly EntryChange[]): void {
  for (const { name, node } of changes) {
    if (node === undefined) entries.delete(name);
    else entries.set(name, node);
  }
}

function overwritten(old: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(Math.max(old.length, offset + bytes.length));
  all.set(old);
  all.set(bytes, offset);
  return all;
}
