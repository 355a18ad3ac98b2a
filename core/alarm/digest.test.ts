import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hex } from '../bytes.ts';
import { occurrenceName, sha256 } from './digest.ts';

test('the digest is SHA-256 (FIPS 180-4), whatever the length', () => {
  const abc = new TextEncoder().encode('abc');
  expect(hex(sha256(abc))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(hex(sha256(bytes))).toBe(createHash('sha256').update(bytes).digest('hex'));
    }),
  );
});

test('an occurrence has one name: 32 hex digits that change with series, rule, epoch and first sample', () => {
  const names = new Set([
    occurrenceName('g/d/p', 'high', '1-00', 5),
    occurrenceName('g/d/p', 'high', '1-00', 6),
    occurrenceName('g/d/p', 'high', '2-00', 5),
    occurrenceName('g/d/p', 'low', '1-00', 5),
    occurrenceName('g/d/q', 'high', '1-00', 5),
  ]);
  expect(names.size).toBe(5);
  for (const name of names) expect(name).toMatch(/^[0-9a-f]{32}$/);
  expect(occurrenceName('g/d/p', 'high', '1-00', 5)).toBe(
    occurrenceName('g/d/p', 'high', '1-00', 5),
  );
});
