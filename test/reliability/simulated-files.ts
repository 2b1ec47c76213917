/**
 * A file system in memory, as programs see it, that writes down every change for `SimulatedDisk`. It has what thetalog uses
 * and refuses the rest.
 */
import { constants } from 'node:fs';
import type { FileSystemTwin } from './file-calls.js';
import type { DiskEvent, DiskImage, NodeId } from './simulated-disk.js';

interface FileNode {
  readonly kind: 'file';
  readonly id: NodeId;
  bytes: Uint8Array;
  links: number;
  mode: number;
  modified: number;
}

interface DirectoryNode {
  readonly kind: 'directory';
  readonly id: NodeId;
  readonly entries: Map<string, Node>;
}

type Node = FileNode | DirectoryNode;

/** Syncing files of this size, most packs among them, takes longer than writing whatever follows them. */
const SLOW_SYNC_BYTES = 4096;
/** Descriptors that no process has. */
const FIRST_DESCRIPTOR = 2 ** 30;
let nextDescriptor = FIRST_DESCRIPTOR;

export class SimulatedFiles implements FileSystemTwin {
  /** What happened, in order. */
  readonly events: DiskEvent[] = [];
  readonly calls: FileSystemTwin['calls'];
  private readonly mount: string;
  private readonly top: DirectoryNode;
  private readonly open = new Map<number, Node>();
  private nextId = 1;
  private clock = 1;

  /** `mount` is the path of the root directory, a path that does not exist. */
  constructor(mount: string, image?: DiskImage) {
    this.mount = mount;
    const nodes = new Map<NodeId, Node>();
    this.top =
      image === undefined ? { kind: 'directory', id: 0, entries: new Map() } : this.load(image, 0, nodes);
    this.calls = this.makeCalls();
  }

  /** Open files that were not closed. */
  get openFiles(): number {
    return this.open.size;
  }

  /** A sync of this file failed: what was written since the last one never reaches the disk. */
  loseWrites(path: string): void {
    const node = this.find(path);
    if (node?.kind === 'file') this.events.push({ kind: 'lose', node: node.id });
  }

  private makeCalls(): FileSystemTwin['calls'] {
    const make = (path: string, flags: number | string, mode?: number) => this.openNode(path, flags, mode);
    return {
      open: async (path: string, flags: number | string = 'r', mode = 0o666) =>
        this.handle(make(path, flags, mode)),
      stat: async (path: string) => this.status(this.need(path, 'stat')),
      lstat: async (path: string) => this.status(this.need(path, 'lstat')),
      realpath: async (path: string) => {
        this.need(path, 'realpath');
        return path;
      },
      mkdir: async (path: string, options?: { recursive?: boolean }) => {
        if (options?.recursive !== true || this.find(path) === undefined) this.makeDirectory(path);
      },
      readdir: async (path: string, options?: { withFileTypes?: boolean }) => this.names(path, options),
      link: async (from: string, to: string) => this.link(from, to),
      rename: async (from: string, to: string) => this.rename(from, to),
      unlink: async (path: string) => this.unlink(path),
      rm: async (path: string) => {
        if (this.find(path) !== undefined) this.unlink(path);
      },
      rmdir: async (path: string) => this.removeDirectory(path),
      openSync: (path: string, flags: number | string, mode?: number) => make(path, flags, mode).fd,
      closeSync: (fd: number) => void this.open.delete(fd),
      readSync: (fd: number, buffer: Uint8Array, offset: number, length: number, position: number) =>
        readFrom(this.opened(fd), buffer, offset, length, position),
      writeSync: (fd: number, buffer: Uint8Array, offset: number, length: number, position: number) =>
        this.write(this.opened(fd), buffer.subarray(offset, offset + length), position),
    };
  }

  private handle({ fd, node }: { fd: number; node: Node }): object {
    let position = 0;
    return {
      fd,
      stat: async () => this.status(this.opened(fd)),
      chmod: async (mode: number) => {
        if (node.kind === 'file') node.mode = mode;
      },
      read: async (buffer: Uint8Array, offset: number, length: number, from: number) => ({
        bytesRead: readFrom(this.opened(fd), buffer, offset, length, from),
        buffer,
      }),
      write: async (buffer: Uint8Array, offset: number, length: number, from: number) => ({
        bytesWritten: this.write(this.opened(fd), buffer.subarray(offset, offset + length), from),
        buffer,
      }),
      writev: async (buffers: Uint8Array[]) => {
        const bytes = Buffer.concat(buffers);
        this.write(this.opened(fd), bytes, position);
        position += bytes.length;
        return { bytesWritten: bytes.length, buffers };
      },
      sync: () => this.sync(fd),
      datasync: () => this.sync(fd),
      close: async () => void this.open.delete(fd),
    };
  }

  private async sync(fd: number): Promise<void> {
    const node = this.opened(fd);
    // All else that waits for nothing outside of the program is faster.
    if (node.kind === 'file' && node.bytes.length >= SLOW_SYNC_BYTES) await new Promise(setImmediate);
    this.events.push({ kind: 'sync', node: node.id });
  }

  private openNode(path: string, flags: number | string, mode = 0o666): { fd: number; node: Node } {
    const creates = flags === 'wx' || (typeof flags === 'number' && (flags & constants.O_CREAT) !== 0);
    let node = this.find(path);
    if (creates) {
      if (node !== undefined) throw systemError('EEXIST', path);
      const { parent, name } = this.place(path);
      node = {
        kind: 'file',
        id: this.nextId++,
        bytes: new Uint8Array(0),
        links: 1,
        mode,
        modified: this.clock++,
      };
      this.setEntry(parent, name, node);
    }
    if (node === undefined) throw systemError('ENOENT', path);
    const fd = nextDescriptor++;
    this.open.set(fd, node);
    return { fd, node };
  }

  private opened(fd: number): Node {
    const node = this.open.get(fd);
    if (node === undefined) throw systemError('EBADF', String(fd));
    return node;
  }

  private write(node: Node, bytes: Uint8Array, position: number): number {
    if (node.kind !== 'file') throw systemError('EISDIR', String(node.id));
    const end = position + bytes.length;
    const all = new Uint8Array(Math.max(end, node.bytes.length));
    all.set(node.bytes);
    all.set(bytes, position);
    node.bytes = all;
    node.modified = this.clock++;
    this.events.push({ kind: 'write', node: node.id, offset: position, bytes: bytes.slice() });
    return bytes.length;
  }

  private makeDirectory(path: string): void {
    if (this.find(path) !== undefined) throw systemError('EEXIST', path);
    const { parent, name } = this.place(path);
    this.setEntry(parent, name, { kind: 'directory', id: this.nextId++, entries: new Map() });
  }

  private link(from: string, to: string): void {
    const node = this.need(from, 'link');
    if (node.kind !== 'file') throw systemError('EPERM', from);
    if (this.find(to) !== undefined) throw systemError('EEXIST', to);
    const { parent, name } = this.place(to);
    node.links += 1;
    this.setEntry(parent, name, node);
  }

  private rename(from: string, to: string): void {
    const node = this.need(from, 'rename');
    const [source, target] = [this.place(from), this.place(to)];
    const replaced = target.parent.entries.get(target.name);
    if (replaced?.kind === 'file') replaced.links -= 1;
    source.parent.entries.delete(source.name);
    target.parent.entries.set(target.name, node);
    const removal = { name: source.name, node: undefined };
    const addition = { name: target.name, node: node.id };
    if (source.parent === target.parent) {
      this.events.push({ kind: 'entry', directory: source.parent.id, changes: [removal, addition] });
    } else {
      this.events.push({ kind: 'entry', directory: target.parent.id, changes: [addition] });
      this.events.push({ kind: 'entry', directory: source.parent.id, changes: [removal] });
    }
  }

  private unlink(path: string): void {
    const node = this.need(path, 'unlink');
    if (node.kind !== 'file') throw systemError('EISDIR', path);
    const { parent, name } = this.place(path);
    node.links -= 1;
    this.setEntry(parent, name, undefined);
  }

  private removeDirectory(path: string): void {
    const node = this.need(path, 'rmdir');
    if (node.kind !== 'directory') throw systemError('ENOTDIR', path);
    if (node.entries.size > 0) throw systemError('ENOTEMPTY', path);
    const { parent, name } = this.place(path);
    this.setEntry(parent, name, undefined);
  }

  private names(path: string, options?: { withFileTypes?: boolean }): unknown[] {
    const node = this.need(path, 'readdir');
    if (node.kind !== 'directory') throw systemError('ENOTDIR', path);
    if (options?.withFileTypes !== true) return [...node.entries.keys()];
    return [...node.entries].map(([name, inner]) => ({ name, ...kindTests(inner) }));
  }

  private setEntry(parent: DirectoryNode, name: string, node: Node | undefined): void {
    if (node === undefined) parent.entries.delete(name);
    else parent.entries.set(name, node);
    // Says that the node is a directory, even if nothing comes into it.
    if (node?.kind === 'directory') this.events.push({ kind: 'entry', directory: node.id, changes: [] });
    this.events.push({ kind: 'entry', directory: parent.id, changes: [{ name, node: node?.id }] });
  }

  private status(node: Node): object {
    if (node.kind === 'directory') return { size: 0, nlink: 2, mode: 0o755, mtimeMs: 1, ...kindTests(node) };
    const { bytes, links, mode, modified } = node;
    return { size: bytes.length, nlink: links, mode, mtimeMs: modified, ...kindTests(node) };
  }

  private place(path: string): { parent: DirectoryNode; name: string } {
    const at = path.lastIndexOf('/');
    const parent = this.need(path.slice(0, at), 'find');
    if (parent.kind !== 'directory') throw systemError('ENOTDIR', path);
    return { parent, name: path.slice(at + 1) };
  }

  private need(path: string, action: string): Node {
    const node = this.find(path);
    if (node === undefined) throw systemError('ENOENT', `${action} ${path}`);
    return node;
  }

  private find(path: string): Node | undefined {
    let node: Node | undefined = this.top;
    const below = path.slice(this.mount.length);
    for (const name of below.split('/').filter((part) => part !== '')) {
      if (node?.kind !== 'directory') return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  private load(image: DiskImage, id: NodeId, nodes: Map<NodeId, Node>): DirectoryNode {
    const directory: DirectoryNode = { kind: 'directory', id, entries: new Map() };
    for (const [name, inner] of image.directories.get(id) ?? []) {
      const known = nodes.get(inner);
      const node = known ?? this.loadNode(image, inner, nodes);
      if (known?.kind === 'file') known.links += 1;
      nodes.set(inner, node);
      directory.entries.set(name, node);
    }
    return directory;
  }

  private loadNode(image: DiskImage, id: NodeId, nodes: Map<NodeId, Node>): Node {
    this.nextId = Math.max(this.nextId, id + 1);
    const bytes = image.files.get(id);
    if (bytes === undefined) return this.load(image, id, nodes);
    return { kind: 'file', id, bytes, links: 1, mode: 0o644, modified: 0 };
  }
}

function readFrom(node: Node, buffer: Uint8Array, offset: number, length: number, position: number): number {
  if (node.kind !== 'file') throw systemError('EISDIR', String(node.id));
  const part = node.bytes.subarray(position, position + length);
  buffer.set(part, offset);
  return part.length;
}

function kindTests({ kind }: Node) {
  return {
    isFile: () => kind === 'file',
    isDirectory: () => kind === 'directory',
    isSymbolicLink: () => false,
  };
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
