/**
 * Templates of labels: `epoch={epoch}-step={step:06d}-loss={val/loss:.2f}`. What stands in braces is `step`, `epoch`, `run`, or the
 * name of a metric or note, and may be followed by a format as Python and Lightning have it; `{{` and `}}` stand for braces.
 */
import { ThetalogError } from '../errors.js';

/** What a label can be made of. */
export interface LabelFacts {
  run: string;
  step: number | null;
  epoch: number | null;
  metrics: Readonly<Record<string, number>>;
  meta: Readonly<Record<string, string>>;
}

interface Field {
  key: string;
  format: NumberFormat | undefined;
}

/** `[0][width][.digits]type`, as in `06d`, `.2f`, `e`. */
interface NumberFormat {
  zeros: boolean;
  width: number;
  digits: number | undefined;
  type: string;
}

const PIECES = /\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+/g;
const FORMAT = /^(0?)(\d{0,3})(?:\.(\d{1,2}))?([defg])$/;
/** What `f`, `e` and `g` print without digits, in Python as in C. */
const DIGITS = 6;
/** Where a value is missing that earlier checkpoints had. */
const MISSING = 'none';

export class LabelTemplate {
  private readonly text: string;
  private readonly parts: readonly (string | Field)[];

  /** Throws `invalid` for braces that do not match and for unknown formats. */
  constructor(text: string) {
    this.text = text;
    this.parts = [...text.matchAll(PIECES)].map(([piece, field]) => {
      if (field !== undefined) return parseField(field, text);
      if (piece === '{' || piece === '}') throw badTemplate(text, `has a "${piece}" without its counterpart`);
      return piece === '{{' || piece === '}}' ? piece[0] : piece;
    });
  }

  /** Throws `invalid`, naming the key, if the template names what is not there. */
  assertKnown(facts: LabelFacts): void {
    for (const part of this.parts) {
      if (typeof part === 'string' || factOf(part.key, facts) !== undefined) continue;
      const there = { ...facts.metrics, ...facts.meta };
      const known = ['step', 'epoch', 'run', ...Object.keys(there)].filter(
        (key) => factOf(key, facts) !== undefined,
      );
      const message = `The label "${this.text}" names "${part.key}", which this checkpoint does not have.`;
      throw new ThetalogError('invalid', 'unknown-label-key', message, {
        object: part.key,
        hint: `It has: ${known.slice(0, 16).join(', ')}.`,
      });
    }
  }

  /** Returns the label; what is not there is `none`. */
  render(facts: LabelFacts): string {
    return this.parts.map((part) => (typeof part === 'string' ? part : show(part, facts))).join('');
  }
}

function parseField(field: string, text: string): Field {
  const colon = field.lastIndexOf(':');
  const key = colon < 0 ? field : field.slice(0, colon);
  if (key === '') throw badTemplate(text, 'has braces without a name');
  if (colon < 0) return { key, format: undefined };
  const match = FORMAT.exec(field.slice(colon + 1));
  if (match === null) throw badTemplate(text, `has an unknown format in {${field}}`);
  const [, zero, width, digits, type] = match;
  return {
    key,
    format: {
      zeros: zero !== '',
      width: Number(width),
      digits: digits === undefined ? undefined : Number(digits),
      type,
    },
  };
}

function badTemplate(text: string, fault: string): ThetalogError {
  return new ThetalogError('invalid', 'bad-label', `The label "${text}" ${fault}.`, {
    object: text,
    hint: 'For example: epoch={epoch}-step={step:06d}-loss={val/loss:.2f}',
  });
}

function factOf(key: string, facts: LabelFacts): string | number | undefined {
  if (key === 'run') return facts.run;
  if (key === 'step') return facts.step ?? undefined;
  if (key === 'epoch') return facts.epoch ?? undefined;
  if (Object.hasOwn(facts.metrics, key)) return facts.metrics[key];
  return Object.hasOwn(facts.meta, key) ? facts.meta[key] : undefined;
}

/** A format that does not fit a text is left out. */
function show({ key, format }: Field, facts: LabelFacts): string {
  const value = factOf(key, facts);
  if (value === undefined) return MISSING;
  if (typeof value === 'string') return value;
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  if (format === undefined) return String(value);
  const digits = digitsOf(Math.abs(value), format);
  const sign = value < 0 ? '-' : '';
  const width = format.width - sign.length;
  return format.zeros ? sign + digits.padStart(width, '0') : (sign + digits).padStart(format.width);
}

function digitsOf(value: number, { digits = DIGITS, type }: NumberFormat): string {
  switch (type) {
    case 'd':
      return String(Math.trunc(value));
    case 'f':
      return value.toFixed(digits);
    case 'e':
      return value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');
    default:
      return String(Number(value.toPrecision(Math.max(1, digits))));
  }
}
