import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RuleProposal } from '../../core/alarm/rule.ts';
import { isFault } from '../../core/fault.ts';
import type { Decided } from './decided.ts';
import { bare, DECIDED_MAX, decodeDecided, encodeDecided } from './decided.ts';

const common = {
  level: 2,
  onDelayMs: 5_000,
  offDelayMs: 0,
  title: { en: '', zh: '' },
  action: null,
} as const;
const limit = {
  ...common,
  id: 'high',
  kind: 'limit',
  side: 'high',
  limit: 20,
  deadband: 1,
} as const;
const rate = { ...limit, id: 'rate', kind: 'rate', overMs: 60_000 } as const;
const silence = { ...common, id: 'no-data', kind: 'no-data', silentMs: 30_000 } as const;

const decided = (point: string, id: string, rule: RuleProposal | null): Decided => ({
  ...{ device: 'd', point, id, rule },
});

test('decisions come back as they went, in whatever order they were made, in the same bytes', () => {
  const list = [decided('a', 'high', limit), decided('a', 'rate', rate), decided('b', 'x', null)];
  fc.assert(
    fc.property(fc.shuffledSubarray(list, { minLength: 3 }), (shuffled) => {
      expect(encodeDecided(shuffled)).toEqual(encodeDecided(list));
    }),
  );
  expect(decodeDecided(encodeDecided([...list, decided('c', 'no-data', silence)]))).toEqual([
    ...list,
    decided('c', 'no-data', silence),
  ]);
});

test('no bytes make anything but decisions or a fault', () => {
  const whole = encodeDecided([decided('a', 'high', limit), decided('b', 'x', null)]);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const bytes = whole.slice();
      bytes[at]! ^= by;
      try {
        expect(decodeDecided(bytes).length).toBeLessThanOrEqual(DECIDED_MAX);
      } catch (error) {
        expect(isFault(error) && error.code).toBe('uplink_malformed');
      }
    }),
    { numRuns: 1_000 },
  );
});

test('what only the cloud evaluates and texts stay above', () => {
  const told = { ...limit, title: { en: 'High', zh: '高' }, cause: { en: 'x', zh: 'x' } };
  expect(bare(told)).toEqual(limit);
  const baseline = Array<number>(168).fill(1);
  expect(bare({ ...limit, kind: 'deviation', baseline, utcOffsetMin: 480 })).toBeNull();
});
