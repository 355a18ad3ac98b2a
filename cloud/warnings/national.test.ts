import { expect, test } from 'vitest';
import { alert, cancel, NOON_MS } from '../../tests/warned.ts';
import { levelWords } from './cap.ts';
import { colours, nationalFields, nationalIdentifier, nationalTime } from './national.ts';

const codes = { division: '340104', organisation: '013', internal: '000', extension: '00' };

test('the identifier is division, organisation, internal, extension, time in Beijing and serial', () => {
  const identifier = nationalIdentifier(codes, NOON_MS, 0);
  expect(identifier).toBe('34010401300000_20261122120000_0');
  expect(identifier).toHaveLength(31);
  expect(nationalTime(NOON_MS)).toBe('2026-11-22 12:00:00+08:00');
});

test('a level has the same severity in the colours as in CAP', () => {
  for (const level of [1, 2, 3, 4] as const) {
    expect(colours[level].severity).toBe(levelWords[level].severity);
  }
});

test('a message in the values of the national system', () => {
  expect(nationalFields({ ...alert, identifier: 'a' }, codes)).toMatchObject({
    ...{ identifier: 'a', sender: '城市生命线监测中心', sender_code: '34010401300000' },
    ...{ send_time: '2026-11-22 12:00:00+08:00', status: 'Actual', msg_type: 'Alert' },
    ...{ colour: 'ORANGE', colour_word: '橙色', level: 'Ⅱ级', degree: '重大', severity: 'Severe' },
    ...{ event_type: '燃气泄漏', area: '望江西路07号井', geocodes: ['340104'] },
  });
  expect(nationalFields(cancel, codes)).toMatchObject({
    ...{ msg_type_word: '解除', references: [alert.identifier, cancel.references[1]!.identifier] },
  });
});
