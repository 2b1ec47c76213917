/** What limits figures that fall short, by the start of a target's id: known from profiles, not from the run. */
const SHORTFALLS = [];

/** Why a row falls short, or nothing. */
export function shortfallOf({ id, ok }) {
  if (ok !== false) return '';
  return SHORTFALLS.find(([start]) => id.startsWith(start))?.[1] ?? '';
}
