/**
 * Drawings as self-contained SVG: no scripts, fonts or links, and the same bytes for the same input everywhere. Text takes the
 * reader's sans-serif font; what depends on its width is only estimated.
 */

/** Coordinates with this precision are beyond what eyes can tell, and short. */
const DIGITS = 2;
/** Width of an average character against the font size. */
const CHARACTER_WIDTH = 0.6;

export const FONT_SIZE = 11;
export const INK = '#222222';
export const FAINT = '#d9d9d9';

type Attributes = Readonly<Record<string, string | number>>;

/** Returns an element; content is markup already. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const listed = Object.entries(attributes).map(([key, value]) => ` ${key}="${attributeText(value)}"`);
  return content === '' ? `<${name}${listed.join('')}/>` : `<${name}${listed.join('')}>${content}</${name}>`;
}

export type Anchor = 'start' | 'middle' | 'end';

/** Returns a line of text whose baseline begins, is centred or ends at a point. */
export function textAt(x: number, y: number, text: string, anchor: Anchor = 'start'): string {
  const attributes = { x, y, ...(anchor !== 'start' && { 'text-anchor': anchor }) };
  return element('text', attributes, escapeText(text));
}

/** Returns text that programs show where the pointer rests, and read aloud. */
export function tooltip(text: string): string {
  return element('title', {}, escapeText(text));
}

/** Returns the width that a text takes at most, about. */
export function textWidth(text: string): number {
  return Math.ceil(text.length * CHARACTER_WIDTH * FONT_SIZE);
}

/** Returns a whole drawing on white ground; title and description are for people who cannot see it. */
export function drawing(
  {
    width,
    height,
    title,
    description,
  }: { width: number; height: number; title: string; description: string },
  lines: readonly string[],
): string {
  const root = {
    xmlns: 'http://www.w3.org/2000/svg',
    width,
    height,
    viewBox: `0 0 ${attributeText(width)} ${attributeText(height)}`,
    role: 'img',
    'font-family': 'sans-serif',
    'font-size': FONT_SIZE,
    fill: INK,
  };
  const content = [
    tooltip(title),
    element('desc', {}, escapeText(description)),
    element('rect', { width, height, fill: '#ffffff' }),
    ...lines,
  ];
  return `${element('svg', root, `\n${content.join('\n')}\n`)}\n`;
}

/** Control characters are not allowed in XML at all. */
function escapeText(text: string): string {
  return text
    .replace(/\p{Cc}|\p{Surrogate}/gu, '\u{fffd}')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}

function attributeText(value: string | number): string {
  return typeof value === 'number' ? String(Number(value.toFixed(DIGITS))) : escapeText(value);
}
