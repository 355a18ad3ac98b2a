import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  foreignCodes,
  GOOD,
  qualities,
  qualityCode,
  qualityOf,
  reasons,
} from '../../core/quality.ts';
import { hasOverflown, qualityOfStatus } from './status.ts';

test('what our table writes as a status is read back as a quality that is written the same', () => {
  for (const quality of qualities) {
    for (const reason of reasons) {
      const { opcua } = foreignCodes(quality, reason);
      const read = qualityOf(qualityOfStatus(opcua))!;
      expect(read.quality, `${quality} ${reason}`).toBe(quality);
      expect(foreignCodes(read.quality, read.reason).opcua, `${quality} ${reason}`).toBe(opcua);
    }
  }
});

describe('any status', () => {
  const status = fc.integer({ min: 0, max: 0xffff_ffff });

  test('has the severity of its two highest bits, signed or not', () => {
    fc.assert(
      fc.property(status, (code) => {
        const { quality } = qualityOf(qualityOfStatus(code))!;
        expect(quality).toBe(['good', 'uncertain', 'bad', 'bad'][code >>> 30]);
        expect(qualityOfStatus(code | 0)).toBe(qualityOfStatus(code));
      }),
    );
  });

  test('means the same whatever its lower half says of limits and queues', () => {
    fc.assert(
      fc.property(status, fc.integer({ min: 0, max: 0xffff }), (code, low) => {
        const bare = (code & 0xffff_0000) >>> 0;
        expect(qualityOfStatus((bare | low) >>> 0)).toBe(qualityOfStatus(bare));
      }),
    );
  });
});

test('sub-codes say why', () => {
  expect(qualityOfStatus(0x80340000)).toBe(qualityCode('bad', 'configuration'));
  expect(qualityOfStatus(0x40910000)).toBe(qualityCode('uncertain', 'substituted'));
  expect(qualityOfStatus(0x00960000)).toBe(GOOD);
  expect(qualityOfStatus(0x80ff0000)).toBe(qualityCode('bad', 'none'));
});

test('an overflow is one only of a data value', () => {
  expect(hasOverflown(0x0480)).toBe(true);
  expect(hasOverflown(0x80340480)).toBe(true);
  expect(hasOverflown(0x0400)).toBe(false);
  expect(hasOverflown(0x0080)).toBe(false);
});
