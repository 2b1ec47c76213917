/**
 * How pickle opcodes build objects out of operands from the stack. Each checks the types of its operands; what Python
 * would refuse is refused here.
 */
import type { PickleMachine } from './pickle-machine.js';
import {
  calledName,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleRecord,
  PickleReference,
  PickleSet,
  PickleTuple,
  type PickleValue,
} from './pickle-values.js';

/** Classes whose instances are dicts in all but name. */
const DICT_CLASSES = new Set([
  'collections.OrderedDict',
  'collections.defaultdict',
  'collections.Counter',
  'builtins.dict',
  '__builtin__.dict',
]);
/** What a dict, or an object that may become one, costs beside its opcode: an empty dict takes some 300 bytes. */
const HASH_TABLE_CHARGE = 3;
/** Tuples inside tuples in a key of a dict; guards the call stack. */
const KEY_DEPTH_MAX = 100;

/** A frozenset may be a key; sets are not told apart from them. A tuple is hashed with all that is in it. */
function isHashable(machine: PickleMachine, value: PickleValue, depth = 0): boolean {
  if (!(value instanceof PickleTuple)) return !(value instanceof PickleList || value instanceof PickleDict);
  machine.charge(value.items.length);
  if (depth > KEY_DEPTH_MAX) machine.fail('pickle-limit', 'a key of tuples nested too deeply');
  return value.items.every((item) => isHashable(machine, item, depth + 1));
}

/** What torch makes a tensor of: its elements are in a storage, and no opcode may change it. */
function isTensor(value: PickleValue): boolean {
  return calledName(value)?.startsWith('torch._utils._rebuild_') === true;
}

/** A dict, counted by what it takes. */
export function emptyDict(machine: PickleMachine): PickleDict {
  machine.charge(HASH_TABLE_CHARGE);
  return new PickleDict();
}

/** Sets keys and values that alternate in `flat`. */
export function setItems(machine: PickleMachine, flat: readonly PickleValue[], target: PickleValue): void {
  if (flat.length % 2 !== 0) machine.fail('pickle-operand', 'a key without a value');
  if (!(target instanceof PickleDict || target instanceof PickleRecord) || isTensor(target))
    machine.fail('pickle-operand', 'items are set on something that is no dict');
  target.entries ??= new Map();
  for (let index = 0; index < flat.length; index += 2) {
    if (!isHashable(machine, flat[index])) machine.fail('pickle-operand', 'a key that Python cannot hash');
    target.entries.set(flat[index], flat[index + 1]);
  }
}

/** Appends to a list, or to an object of a list subclass. */
export function append(machine: PickleMachine, values: readonly PickleValue[], target: PickleValue): void {
  if (!(target instanceof PickleList || target instanceof PickleRecord) || isTensor(target))
    machine.fail('pickle-operand', 'values are appended to something that is no list');
  target.items ??= [];
  for (const value of values) target.items.push(value);
}

/** Adds to a set, or to an object of a set subclass. */
export function addToSet(machine: PickleMachine, values: readonly PickleValue[], target: PickleValue): void {
  if (!(target instanceof PickleSet || target instanceof PickleRecord) || isTensor(target))
    machine.fail('pickle-operand', 'values are added to something that is no set');
  target.items ??= [];
  for (const value of values) {
    if (!isHashable(machine, value)) machine.fail('pickle-operand', 'a set member that Python cannot hash');
    target.items.push(value);
  }
}

/** What calling `callable` would give: a dict for the dict classes, else a record of the call. */
export function call(machine: PickleMachine, callable: PickleValue, args: PickleValue): PickleValue {
  // Old torch files refer to the classes of modules by persistent id.
  const known =
    callable instanceof PickleGlobal ||
    callable instanceof PickleRecord ||
    callable instanceof PickleReference;
  if (!known || isTensor(callable))
    return machine.fail('pickle-operand', 'a call of something that is no class or function');
  if (!(args instanceof PickleTuple))
    return machine.fail('pickle-operand', 'a call whose arguments are no tuple');
  machine.charge(HASH_TABLE_CHARGE);
  if (!(callable instanceof PickleGlobal) || !DICT_CLASSES.has(callable.path))
    return new PickleRecord(callable, args, machine.fileOffset);
  return dictOf(machine, args.items);
}

/** A dict from constructor arguments: pairs (old OrderedDict), a dict (Counter), or nothing of use (a default factory). */
function dictOf(machine: PickleMachine, args: readonly PickleValue[]): PickleDict {
  const dict = new PickleDict();
  for (const argument of args) {
    if (argument instanceof PickleDict) {
      machine.charge(argument.entries.size);
      setItems(machine, [...argument.entries].flat(), dict);
    } else if (typeof argument === 'string' && argument !== '') {
      machine.fail('pickle-operand', 'a dict is made of text');
    } else if (argument instanceof PickleList || argument instanceof PickleTuple) {
      machine.charge(argument.items.length);
      for (const pair of argument.items) {
        const items = pair instanceof PickleTuple || pair instanceof PickleList ? pair.items : [];
        if (items.length !== 2) machine.fail('pickle-operand', 'a dict is made of something else than pairs');
        setItems(machine, items, dict);
      }
    }
  }
  return dict;
}

/** BUILD: gives the object on the stack its state. */
export function build(machine: PickleMachine): void {
  const state = machine.pop();
  const target = machine.top();
  const takesState = target instanceof PickleRecord || target instanceof PickleDict;
  if (takesState && !isTensor(target)) target.state = state;
  else machine.fail('pickle-operand', 'state is set on something that is no object');
}

/** A class or function by its name. */
export function globalOf(machine: PickleMachine, module: PickleValue, name: PickleValue): PickleGlobal {
  if (typeof module !== 'string' || typeof name !== 'string' || name === '')
    return machine.fail('pickle-operand', 'a class without a name');
  return new PickleGlobal(module, name);
}

/** A persistent id. */
export function refer(machine: PickleMachine, id: PickleValue): void {
  const reference = new PickleReference(id, machine.fileOffset);
  machine.references.push(reference);
  machine.pushNew(reference);
}

/** A tuple of the top `length` values. */
export function tuple(machine: PickleMachine, length: number): void {
  const items: PickleValue[] = [];
  for (let index = 0; index < length; index++) items.unshift(machine.pop());
  machine.pushNew(new PickleTuple(items));
}

/** A dict of all that was pushed since the MARK. */
export function dictOfFlat(machine: PickleMachine): void {
  const dict = emptyDict(machine);
  setItems(machine, machine.popToMark(), dict);
  machine.push(dict);
}

/** A frozenset of all that was pushed since the MARK. */
export function setOfMark(machine: PickleMachine): void {
  const set = new PickleSet();
  addToSet(machine, machine.popToMark(), set);
  machine.pushNew(set);
}
