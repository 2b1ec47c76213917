/** The published synthetic law of ./published-law.ts, a million of them. */
import { describe, expect, it } from 'vitest';
import { PUBLISHED, savedBytes } from './published-law.js';

describe('noise on normal bf16 values, a million of them', () => {
  it.each(PUBLISHED)(
    'of $noise: at most $values MB of values and $all MB in all',
    async ({ noise, ...most }) => {
      const { all, values } = await savedBytes(2 ** 20, noise);
      console.log(
        `noise ${noise}: ${(values / 1e6).toFixed(3)} MB of values, ${(all / 1e6).toFixed(3)} in all`,
      );
      expect(values / 1e6).toBeLessThanOrEqual(most.values);
      expect(all / 1e6).toBeLessThanOrEqual(most.all);
    },
  );
});
