/**
 * Stands between the code under test and `node:fs`: every call on a path below one directory goes through a gate, which may
 * fail it, shorten it, hold it or hand it to a simulated file system. Other paths are not touched.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/** One call of the file system; calls on open files have the path that the file was opened by. */
export interface FileCall {
  readonly name: string;
  readonly path: string;
}

type Arguments = unknown[];

/** Decides about calls. `perform` does the call with the given arguments. */
export interface Gate {
  run(call: FileCall, args: Arguments, perform: (args: Arguments) => Promise<unknown>): Promise<unknown>;
  runSync(call: FileCall, args: Arguments, perform: (args: Arguments) => unknown): unknown;
}

/** Takes the place of the file system below the directory; named as in `node:fs` and `node:fs/promises`. */
export interface FileSystemTwin {
  readonly calls: Readonly<Record<string, (...args: never[]) => unknown>>;
}

interface Interception {
  readonly root: string;
  readonly gate: Gate;
  readonly twin: FileSystemTwin | undefined;
}

type AnyFunction = (...args: Arguments) => unknown;
type FunctionTable = Record<string, AnyFunction>;

const PATH_CALLS = 'link lstat mkdir open readdir realpath rename rm rmdir stat unlink'.split(' ');
const HANDLE_CALLS = 'chmod close datasync read stat sync write writev'.split(' ');
const SYNC_CALLS = 'openSync closeSync readSync writeSync'.split(' ');

const interceptions: Interception[] = [];
/** Paths of open descriptors, for the synchronous calls. */
const descriptors = new Map<number, string>();
let installed = false;

/** Lets a gate decide about all calls below `root` until the function that it returns is called. */
export function interceptFileCalls(root: string, gate: Gate, twin?: FileSystemTwin): () => void {
  install();
  const interception = { root, gate, twin };
  interceptions.push(interception);
  return () => {
    interceptions.splice(interceptions.indexOf(interception), 1);
  };
}

/** The imports of ES modules from `node:fs` follow its properties once they are synced. */
function install(): void {
  if (installed) return;
  installed = true;
  const promises = fs.promises as unknown as FunctionTable;
  for (const name of PATH_CALLS) promises[name] = intercepted(name, promises[name]);
  const sync = fs as unknown as FunctionTable;
  for (const name of SYNC_CALLS) sync[name] = interceptedSync(name, sync[name]);
  syncBuiltinESMExports();
}

function find(path: unknown): Interception | undefined {
  if (typeof path !== 'string') return undefined;
  return interceptions.find(({ root }) => path === root || path.startsWith(`${root}/`));
}

function intercepted(name: string, original: AnyFunction): AnyFunction {
  return (...args) => {
    const found = find(args[0]);
    if (found === undefined) return original(...args);
    const path = String(args[0]);
    const perform = async (actual: Arguments) => {
      const result = await callOf(found, name, original)(...actual);
      if (name === 'open') watchHandle(found, path, result as FunctionTable & { fd: number });
      return result;
    };
    return found.gate.run({ name, path }, args, perform);
  };
}

function callOf({ twin }: Interception, name: string, original: AnyFunction): AnyFunction {
  return twin === undefined ? original : (twin.calls[name] as AnyFunction);
}

/** The methods of this one open file go through the gate. */
function watchHandle(found: Interception, path: string, handle: FunctionTable & { fd: number }): void {
  const { fd } = handle;
  descriptors.set(fd, path);
  for (const name of HANDLE_CALLS) {
    const original = handle[name].bind(handle) as AnyFunction;
    handle[name] = (...args) => {
      if (name === 'close') descriptors.delete(fd);
      return found.gate.run({ name, path }, args, async (actual) => original(...actual));
    };
  }
}

function interceptedSync(name: string, original: AnyFunction): AnyFunction {
  return (...args) => {
    const path = typeof args[0] === 'number' ? descriptors.get(args[0]) : String(args[0]);
    const found = find(path);
    if (found === undefined || path === undefined) return original(...args);
    const perform = (actual: Arguments) => callOf(found, name, original)(...actual);
    const result = found.gate.runSync({ name, path }, args, perform);
    if (name === 'openSync') descriptors.set(Number(result), path);
    if (name === 'closeSync') descriptors.delete(Number(args[0]));
    return result;
  };
}
