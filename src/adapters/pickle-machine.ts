/**
 * The state of the pickle machine: reader, stack, marks and memo, each with its bounds. The opcodes are in
 * pickle-opcodes.ts. Errors carry the offset in the file that the pickle lies in.
 */
import type { ByteReader } from '../bytes/index.js';
import type { PickleReference, PickleValue } from './pickle-values.js';

/**
 * Opcodes of one pickle and what they make, see OBJECT_CHARGE. 100,000 parameters with their optimizer need some 12 million;
 * guards time (a few seconds) and memory (below 768 MB of heap), whatever the file's size.
 */
const WORK_MAX = 12_000_000;
/** What a list, tuple or object costs beside its opcode: 60 to 120 bytes for one byte of the file. */
const OBJECT_CHARGE = 2;
/** Values on the stack. Pickled sequences come in batches of 1000, only tuples come whole; guards memory. */
const STACK_MAX = 2_000_000;
/** Open MARKs. Python's own recursion limit of 1000 keeps real pickles far below; guards against nesting bombs. */
const MARKS_MAX = 4_000;

export class PickleMachine {
  readonly reader: ByteReader;
  /** Every persistent id met, in order, also where nothing points to it in the end. */
  readonly references: PickleReference[] = [];
  /** Offset of the running opcode in the buffer. */
  opcodeAt = 0;
  opcodeCount = 0;
  private readonly origin: number;
  private readonly stack: PickleValue[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue>();
  /** Where in the buffer the open frame ends. */
  private frameEnd = Number.POSITIVE_INFINITY;

  constructor(reader: ByteReader, origin: number) {
    this.reader = reader;
    this.origin = origin;
  }

  /** Offset of the running opcode in the file. */
  get fileOffset(): number {
    return this.origin + this.opcodeAt;
  }

  fail(code: string, message: string): never {
    return this.reader.fail(code, message, this.opcodeAt);
  }

  nextOpcode(): void {
    this.opcodeAt = this.reader.offset;
    if (this.opcodeAt >= this.frameEnd) this.closeFrame();
    this.charge(1);
  }

  /** FRAME: announces bytes, which must be there. Readers take them out at once, so that frames hold whole opcodes. */
  openFrame(length: number): void {
    if (this.frameEnd !== Number.POSITIVE_INFINITY) this.fail('pickle-frame', 'a frame inside another');
    if (length > this.reader.remaining) this.fail('truncated', 'a frame is not all there');
    this.frameEnd = this.reader.offset + length;
  }

  private closeFrame(): void {
    if (this.reader.offset > this.frameEnd) this.fail('pickle-frame', 'a frame ends inside an opcode');
    this.frameEnd = Number.POSITIVE_INFINITY;
  }

  /** Counts work against the limit: an opcode, or what an opcode copies. */
  charge(count: number): void {
    this.opcodeCount += count;
    if (this.opcodeCount > WORK_MAX)
      this.fail('pickle-limit', `a pickle of more than ${WORK_MAX} opcodes and objects`);
  }

  push(value: PickleValue): void {
    if (this.stack.length >= STACK_MAX)
      this.fail('pickle-limit', `a pickle that needs a stack of more than ${STACK_MAX}`);
    this.stack.push(value);
  }

  /** Pushes what an opcode has just made. */
  pushNew(value: Exclude<PickleValue, null | boolean | number | bigint | string>): void {
    this.charge(OBJECT_CHARGE);
    this.push(value);
  }

  /** The lowest index of the stack that belongs to the innermost open MARK. */
  private get floor(): number {
    return this.marks.length === 0 ? 0 : this.marks[this.marks.length - 1];
  }

  pop(): PickleValue {
    if (this.stack.length <= this.floor) this.fail('pickle-stack', 'an opcode finds nothing on the stack');
    return this.stack.pop() as PickleValue;
  }

  top(): PickleValue {
    if (this.stack.length <= this.floor) this.fail('pickle-stack', 'an opcode finds nothing on the stack');
    return this.stack[this.stack.length - 1];
  }

  mark(): void {
    if (this.marks.length >= MARKS_MAX)
      this.fail('pickle-limit', `a pickle nested deeper than ${MARKS_MAX} marks`);
    this.marks.push(this.stack.length);
  }

  /** Takes what was pushed since the innermost MARK, and the MARK. */
  popToMark(): PickleValue[] {
    const start = this.marks.pop();
    if (start === undefined) return this.fail('pickle-stack', 'an opcode finds no MARK');
    return this.stack.splice(start);
  }

  /** POP: the top value, or the innermost MARK if nothing was pushed since. */
  discard(): void {
    if (this.marks.length > 0 && this.stack.length === this.floor) this.marks.pop();
    else this.pop();
  }

  /** Memo indexes count memoised values, so one beyond the number of opcodes is a lie. */
  remember(index: number): void {
    if (index < 0 || index > this.opcodeCount)
      this.fail('pickle-memo', `memo index ${index} after ${this.opcodeCount} opcodes`);
    this.memo.set(index, this.top());
  }

  rememberNext(): void {
    this.remember(this.memo.size);
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) this.fail('pickle-memo', `memo index ${index} was never set`);
    this.push(value);
  }

  /** The result of STOP: exactly one value must be left. */
  finish(): PickleValue {
    const value = this.pop();
    if (this.reader.offset >= this.frameEnd) this.closeFrame();
    if (this.frameEnd !== Number.POSITIVE_INFINITY)
      this.fail('pickle-frame', 'a frame goes on after the end');
    if (this.stack.length > 0 || this.marks.length > 0)
      this.fail('pickle-stack', 'values are left on the stack at the end');
    return value;
  }
}
