import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BAUD_MAX, BAUD_MIN, lineSettings, lineSettingsText, paceOf } from './line-settings.ts';

test('settings are read as manuals write them, and written the same', () => {
  const line = fc.record({
    bitsPerSecond: fc.integer({ min: BAUD_MIN, max: BAUD_MAX }),
    dataBits: fc.constantFrom(7 as const, 8 as const),
    parity: fc.constantFrom('N' as const, 'E' as const, 'O' as const),
    stopBits: fc.constantFrom(1 as const, 2 as const),
  });
  fc.assert(
    fc.property(line, (settings) => {
      expect(lineSettings(lineSettingsText(settings))).toEqual(settings);
    }),
  );
});

test('what is no setting of a line is undefined', () => {
  const wrong = ['', '9600', '9600-8n1', '9600,8,N,1', '299-8N1', '921601-8N1', '9600-6N1'];
  wrong.push('9600-8M1', '9600-8N3', '09600-8N1', ' 9600-8N1', '9600-8N1 ');
  for (const text of wrong) expect(lineSettings(text), text).toBeUndefined();
});

test('a character takes its start, data, parity and stop bits', () => {
  const bits = (text: string) => paceOf(lineSettings(text)!).bitsPerCharacter;
  expect(['9600-8N1', '9600-8E1', '9600-8N2', '9600-7E1'].map(bits)).toEqual([10, 11, 11, 10]);
});
