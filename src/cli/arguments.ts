/** Parsers of option values. They throw commander's InvalidArgumentError, which names the option and exits with 2. */
import { InvalidArgumentError } from 'commander';
import { type Group, type KeepPolicy, keep } from '../index.js';

const SPECIAL_NUMBERS = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
]);

/** Parses a step: a whole number from 0. */
export function parseStep(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('Expected a whole number from 0.');
  return value;
}

/** Parses a count: a whole number from 1. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value === 0)
    throw new InvalidArgumentError('Expected a whole number from 1.');
  return value;
}

/** Parses an epoch, which trainers also give as a fraction. */
export function parseEpoch(text: string): number {
  const value = parseNumber(text);
  if (value === undefined || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('Expected a number from 0.');
  return value;
}

/** Parses how many times more than at best something may take: a number from 1. */
export function parseFactor(text: string): number {
  const value = parseNumber(text);
  if (value === undefined || !(value >= 1)) throw new InvalidArgumentError('Expected a number from 1.');
  return value;
}

/** Parses one `name=number`; `nan` and `inf` are numbers, since diverged runs are saved, too. */
export function collectMetric(
  text: string,
  previous: Record<string, number> | undefined,
): Record<string, number> {
  const [name, valueText] = splitPair(text);
  const value = parseNumber(valueText);
  if (value === undefined) throw new InvalidArgumentError(`"${valueText}" is not a number.`);
  return addPair(previous, name, value);
}

/** Parses one `name=text`. */
export function collectMeta(
  text: string,
  previous: Record<string, string> | undefined,
): Record<string, string> {
  const [name, value] = splitPair(text);
  return addPair(previous, name, value);
}

/** Parses one `COUNT:METRIC[:min|max]`; a metric's name may contain colons. */
export function collectBest(text: string, previous: KeepPolicy[] | undefined): KeepPolicy[] {
  const match = /^(\d+):(.+?)(?::(min|max))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Expected COUNT:METRIC:min or COUNT:METRIC:max.');
  const [, count = '', metric = '', mode] = match;
  return [...(previous ?? []), keep.best(metric, mode === 'max' ? 'max' : 'min', parseCount(count))];
}

/** What stays of checkpoints: groups, and of which checkpoints; without a rule of those that are named. */
export interface KeptGroups {
  groups: Group[];
  policy?: KeepPolicy;
}

/** Parses one `GROUP[,GROUP]...[:RULE]`, where a rule is a --keep option without its dashes: `model:last=50`, `model,rng:best=2:loss`. */
export function collectKeptGroups(text: string, previous: KeptGroups[] | undefined): KeptGroups[] {
  const [, names = '', rule] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  const groups = names.split(',') as Group[];
  return [...(previous ?? []), { groups, ...(rule === undefined ? {} : { policy: ruleFor(groups, rule) }) }];
}

function ruleFor(groups: Group[], rule: string): KeepPolicy {
  const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(rule) ?? [];
  const of = keep.groups(groups);
  if (name === 'last') return of.last(parseCount(value));
  if (name === 'every') return of.every(parseCount(value));
  if (name === 'every-seconds') return of.everySeconds(parseSeconds(value));
  if (name === 'steps') return of.steps(collectSteps(value, undefined));
  if (name === 'best') return { ...collectBest(value, undefined)[0], groups };
  if (rule === 'log-spaced') return of.logSpaced();
  throw new InvalidArgumentError(
    'Expected GROUPS:last=N, best=N:METRIC, every=N, every-seconds=TIME, steps=N,... or log-spaced.',
  );
}

/** Parses `0,512,1000`. */
export function collectSteps(text: string, previous: number[] | undefined): number[] {
  return [...(previous ?? []), ...text.split(',').map(parseStep)];
}

/** Parses a duration in seconds: `90`, `90s`, `30m`, `2h`, `1.5d`. */
export function parseSeconds(text: string): number {
  const [, digits = '', unit = 's'] = /^([\d.]+)([smhd])?$/.exec(text) ?? [];
  const seconds =
    (parseNumber(digits) ?? 0) * { s: 1, m: 60, h: 3600, d: 86_400 }[unit as 's' | 'm' | 'h' | 'd'];
  if (!(seconds > 0))
    throw new InvalidArgumentError('Expected a duration above 0, such as 90s, 30m, 2h or 1d.');
  return seconds;
}

/** Parses a duration or `0` as milliseconds. */
export function parseMilliseconds(text: string): number {
  return text === '0' ? 0 : parseSeconds(text) * 1000;
}

const GROUPS = Object.keys({
  model: true,
  optimizer: true,
  scheduler: true,
  rng: true,
  loader: true,
  extra: true,
} satisfies Record<Group, true>) as Group[];

/** Parses the name of a group of tensors. */
export function collectGroup(text: string, previous: Group[] | undefined): Group[] {
  const group = GROUPS.find((name) => name === text);
  if (group === undefined) throw new InvalidArgumentError(`Expected one of ${GROUPS.join(', ')}.`);
  return [...(previous ?? []), group];
}

/** Takes one glob over names. */
export function collectGlob(text: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), text];
}

const BYTE_UNITS: Record<string, number> = {
  '': 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Parses a size such as `64MiB` or `1GB`. */
export function parseBytes(text: string): number {
  const [, digits = '', unit = ''] = /^([\d.]+) *([a-z]*)$/i.exec(text) ?? [];
  const bytes = Math.round((parseNumber(digits) ?? 0) * (BYTE_UNITS[unit.toLowerCase()] ?? 0));
  if (!(bytes > 0)) throw new InvalidArgumentError('Expected a size such as 64MiB or 1GB.');
  return bytes;
}

/** Parses a share of the data in percent, with or without the sign. */
export function parsePercent(text: string): number {
  const value = parseNumber(text.replace(/%$/, ''));
  if (value === undefined || !(value > 0 && value <= 100))
    throw new InvalidArgumentError('Expected a percentage above 0 and up to 100.');
  return value;
}

function parseNumber(text: string): number | undefined {
  const special = SPECIAL_NUMBERS.get(text.toLowerCase());
  if (special !== undefined) return special;
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

function splitPair(text: string): [name: string, value: string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('Expected NAME=VALUE.');
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function addPair<T>(previous: Record<string, T> | undefined, name: string, value: T): Record<string, T> {
  if (previous !== undefined && Object.hasOwn(previous, name))
    throw new InvalidArgumentError(`"${name}" is given twice.`);
  return Object.fromEntries([...Object.entries(previous ?? {}), [name, value]]);
}
