/** Plain text layout: aligned tables, key and value lists. */

export interface Column {
  title: string;
  /** Numbers and sizes are easier to compare at the right. */
  align?: 'left' | 'right';
}

const GAP = '  ';
const ID_DIGITS = 10;

/** Returns the aligned lines of a table, its titles first; columns in which every cell is empty are left out. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const cells = [columns.map((column) => column.title), ...rows.map((row) => row.map(printable))];
  const shown = columns
    .map((column, index) => ({
      index,
      align: column.align ?? 'left',
      width: Math.max(...cells.map((row) => (row[index] ?? '').length)),
      filled: rows.some((row) => (row[index] ?? '') !== ''),
    }))
    .filter((column) => column.filled);
  return cells.map((row) =>
    shown
      .map(({ index, align, width }) => {
        const cell = row[index] ?? '';
        return align === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(GAP)
      .trimEnd(),
  );
}

/** Returns `key   value` lines with aligned values; pairs without a value are left out. */
export function keyValueLines(pairs: readonly (readonly [key: string, value: string | null])[]): string[] {
  const shown = pairs.filter(([, value]) => value !== null && value !== '');
  const width = Math.max(0, ...shown.map(([key]) => key.length));
  return shown.map(([key, value]) => `${key.padEnd(width)}${GAP}${printable(value ?? '')}`);
}

/** Returns the text with control characters escaped: names come from files of any origin and go to terminals. */
export function printable(text: string): string {
  let result = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    result += control ? `\\x${code.toString(16).padStart(2, '0')}` : character;
  }
  return result;
}

/** Returns the first digits of a checkpoint id, enough to name it in a command. */
export function shortId(id: string): string {
  return id.slice(0, ID_DIGITS);
}
