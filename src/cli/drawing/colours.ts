/**
 * Colours that stay apart for every kind of colour vision, and in print without colours. Lines: Okabe and Ito, "Color Universal
 * Design" (2008). Scale: viridis, by van der Walt and Smith (CC0), at nine even places; its lightness falls evenly.
 */

export const LINE_COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];

const SCALE = [
  [253, 231, 37],
  [170, 220, 50],
  [94, 201, 98],
  [39, 173, 129],
  [33, 145, 140],
  [44, 114, 142],
  [59, 82, 139],
  [71, 45, 123],
  [68, 1, 84],
];

/** Returns the colour of a share of the scale from 0, light, to 1, dark. */
export function scaleColour(share: number): string {
  const place = Math.min(1, Math.max(0, share)) * (SCALE.length - 1);
  const below = Math.min(Math.floor(place), SCALE.length - 2);
  const channels = SCALE[below].map((value, channel) => {
    const mixed = value + (SCALE[below + 1][channel] - value) * (place - below);
    return Math.round(mixed).toString(16).padStart(2, '0');
  });
  return `#${channels.join('')}`;
}
