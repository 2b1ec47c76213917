/** Limits of the machine and peers, measured in the same run as what is set against them. All figures are GB/s. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { secondsOf } from './harness.mjs';
import { watchChildShare, zstdVersion } from './machine.mjs';

/** Bytes of one write or read: large enough that calls cost nothing. */
const PIECE_BYTES = 8 * 2 ** 20;

/** Copies buffers into touched memory; returns seconds. */
export function copySeconds(sources, targets) {
  return secondsOf(() => {
    for (const [index, source] of sources.entries()) targets[index].set(source);
  });
}

/** Writes buffers to a new file and syncs it; returns seconds. The file is removed afterwards. */
export function writeSeconds(path, sources) {
  const seconds = secondsOf(() => {
    const file = openSync(path, 'wx');
    for (const source of sources) {
      for (let at = 0; at < source.length; at += PIECE_BYTES) {
        const piece = source.subarray(at, at + PIECE_BYTES);
        if (writeSync(file, piece) !== piece.length) throw new Error('short write');
      }
    }
    fsyncSync(file);
    closeSync(file);
  });
  rmSync(path);
  return seconds;
}

/** Reads a file into one touched buffer again and again; returns seconds. */
export function readSeconds(path) {
  const buffer = Buffer.alloc(PIECE_BYTES, 1);
  return secondsOf(() => {
    const file = openSync(path, 'r');
    while (readSync(file, buffer) > 0);
    closeSync(file);
  });
}

/** Copies a file as `cp` does, and with `durable` waits until it is on disk; returns seconds. */
export function copyFileSeconds(source, target, { durable }) {
  rmSync(target, { force: true });
  const seconds = secondsOf(() => {
    execFileSync('cp', [source, target]);
    if (!durable) return;
    const file = openSync(target, 'r+');
    fsyncSync(file);
    closeSync(file);
  });
  rmSync(target);
  return seconds;
}

/** Drops files from the page cache. Returns whether they are out of it: not so on every system and file system. */
export function dropFromCache(paths) {
  for (const path of paths) {
    // An empty read with "nocache" asks the kernel to forget the whole file (GNU dd, posix_fadvise).
    const { status } = spawnSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
    if (status !== 0) return false;
  }
  return cachedShare(paths) < 0.02;
}

/** The share of some files' bytes that the page cache holds; 1 where that cannot be known. */
function cachedShare(paths) {
  const asked = paths.slice(0, 64);
  const { status, stdout } = spawnSync('fincore', ['--bytes', '--noheadings', '--output', 'RES', ...asked], {
    encoding: 'utf8',
  });
  if (status !== 0) return 1;
  const cached = stdout
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0);
  return (
    cached /
    Math.max(
      1,
      asked.reduce((sum, path) => sum + statSync(path).size, 0),
    )
  );
}

/**
 * Speed and size of native zstd on one thread, in memory: `zstd -b` on a file. Returns GB/s of `bytes`, or undefined where
 * there is no zstd. Its figures are means over `seconds`, so ours must be means as well; both as with a core to themselves.
 */
export function nativeZstd(bytes, { level = 1, seconds = 1 } = {}) {
  if (zstdVersion() === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'thetalog-zstd-'));
  try {
    const path = join(folder, 'planes');
    writeFileSync(path, bytes);
    const arguments_ = [`-b${level}`, `-i${seconds}`, '-T1', '--single-thread', path];
    const shareOf = watchChildShare();
    const { stdout, stderr } = spawnSync('zstd', arguments_, { encoding: 'utf8' });
    // A run of a moment starts and ends more than it computes.
    const share = seconds > 0 ? shareOf() : 1;
    const line = /->\s*(\d+) \([^)]*\),\s*([\d.]+) MB\/s,\s*([\d.]+) MB\/s/g;
    const found = [...`${stdout}${stderr}`.matchAll(line)].at(-1);
    if (found === undefined) return undefined;
    const [encode, decode] = [found[2], found[3]].map((speed) => Number(speed) / 1000 / share);
    return { size: Number(found[1]), encode, decode };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
