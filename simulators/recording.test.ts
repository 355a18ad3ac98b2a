import { expect, test } from 'vitest';
import { InvalidInput } from '../core/problems.ts';
import { parseRecording, parseRecordingMap } from './recording.ts';

const map = parseRecordingMap(
  `
version: 1
separator: ";"
time: datetime
devices:
  - { id: pump, profile: generic/float32-8, unit: 1, points: { ch1: Pressure, ch2: Current } }
`,
  'map.yaml',
);

test('a recording is read by the names of its columns, at the pace of its own times', () => {
  const text =
    'datetime;Current;Pressure\n2020-03-09 10:14:33;1.5;0.05\n2020-03-09 10:14:34;;0.07\n';
  const { atMs, columns, skipped } = parseRecording(text, 'x.csv', map);
  expect([...atMs]).toEqual([0, 1000]);
  expect([...columns.get('pump/ch1')!]).toEqual([0.05, 0.07]);
  expect([...columns.get('pump/ch2')!]).toEqual([1.5, Number.NaN]);
  expect(skipped).toBe(0);
});

test('a row without a time, or one that goes back, is left out and counted', () => {
  const text = 'datetime;Current;Pressure\n5;1;1\nnever;2;2\n4;3;3\n6;4;4\n';
  const { atMs, skipped } = parseRecording(text, 'x.csv', map);
  expect([...atMs]).toEqual([0, 1000]);
  expect(skipped).toBe(2);
});

test('a column that is not there is named, with those that are', () => {
  expect(() => parseRecording('datetime;Pressure\n', 'x.csv', map)).toThrow(InvalidInput);
  expect(() => parseRecording('datetime;Pressure\n', 'x.csv', map)).toThrow(/Current.*Pressure/);
});
