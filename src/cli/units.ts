/** Numbers as people read them: IEC bytes, ratios, durations. JSON output never comes through here. */

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
export const UNIT_STEP = 1024;
const SIGNIFICANT_DIGITS = 3;

/** Returns bytes with three significant digits: `512 B`, `1.50 KiB`, `459 KiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= UNIT_STEP - 0.5 && unit < BYTE_UNITS.length - 1) {
    value /= UNIT_STEP;
    unit++;
  }
  if (unit === 0) return `${value} ${BYTE_UNITS[0]}`;
  const integerDigits = String(Math.trunc(Math.abs(value))).length;
  return `${value.toFixed(Math.max(0, SIGNIFICANT_DIGITS - integerDigits))} ${BYTE_UNITS[unit]}`;
}

/** Returns how many times smaller the stored bytes are, or `-` where nothing was stored. */
export function formatRatio(logicalBytes: number, storedBytes: number): string {
  if (storedBytes <= 0 || logicalBytes <= 0) return '-';
  const ratio = logicalBytes / storedBytes;
  return `${ratio.toFixed(ratio < 10 ? 2 : ratio < 100 ? 1 : 0)}x`;
}

/** Returns `0.42 s`, `12.3 s`, `2:05` or `1:02:03`. */
export function formatDuration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return formatClock(seconds);
}

/** Returns `0:07`, `2:05` or `1:02:03`. */
export function formatClock(seconds: number): string {
  const whole = Math.round(seconds);
  const twoDigits = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = twoDigits(whole % 60);
  return hours > 0 ? `${hours}:${twoDigits(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** Returns local date and time to the second. */
export function formatTime(milliseconds: number): string {
  const local = new Date(milliseconds - new Date(milliseconds).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace('T', ' ');
}

/** Returns a share of the whole: `0 %`, `0.03 %`, `12.5 %`, `100 %`; less than everything never prints as 100 %. */
export function formatPercent(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  if (part === whole) return '100 %';
  const percent = (part / whole) * 100;
  if (percent < 0.01) return '<0.01 %';
  return `${Math.min(percent, 99.99).toFixed(percent < 1 || percent > 99 ? 2 : 1)} %`;
}

/** Returns `1 file`, `3 files`. */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}
