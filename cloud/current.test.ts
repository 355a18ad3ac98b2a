import { expect, test } from 'vitest';
import { Current } from './current.ts';
import type { DecodedRecord } from './inbox/decoded.ts';

let rows = 0;
function record(epoch: string, monoMs: number, value: number): DecodedRecord {
  const place = { row: ++rows, area: 'gas', gateway: 'gw-1', epoch, sequence: rows } as const;
  return {
    row: { ...place, lane: 'live', receivedMs: 0, bytes: new Uint8Array() },
    clock: { wallOffsetMs: 0, state: 'synchronised', errorMs: 10 },
    isState: false,
    readings: {
      count: 1,
      series: Uint32Array.of(1),
      monoMs: Float64Array.of(monoMs),
      atMs: Float64Array.of(monoMs),
      quality: Uint8Array.of(0),
      values: Float64Array.of(value),
      special: new Map(),
    },
    coverage: [],
    gaps: [],
    clockSteps: [],
    manifest: null,
  };
}

const older = '2-00000000000000aa';
const newer = '3-00000000000000bb';
const restored = '3-00000000000000cc';
const ordered =
  (...epochs: readonly string[]) =>
  (epoch: string) =>
    epochs.indexOf(epoch);

test('what comes late never replaces what is newer, in its epoch or an earlier one', () => {
  const current = new Current();
  const orderOf = ordered(older, newer);
  current.apply(record(newer, 2000, 22), orderOf);
  current.apply(record(newer, 1000, 21), orderOf);
  current.apply(record(older, 9000, 19), orderOf);
  expect(current.get(1)).toMatchObject({ value: 22, atMs: 2000 });
});

test('a card restored from an older image is shown as soon as its epoch is the present one', () => {
  const current = new Current();
  current.apply(record(newer, 90_000, 1), ordered(restored, newer));
  current.apply(record(restored, 1000, 2), ordered(restored, newer));
  expect(current.get(1)).toMatchObject({ value: 1 });
  current.apply(record(restored, 2000, 3), ordered(newer, restored));
  current.apply(record(newer, 91_000, 4), ordered(newer, restored));
  expect(current.get(1)).toMatchObject({ value: 3 });
});

test('after a start what was known goes on by its own clock until a later epoch speaks', () => {
  const current = new Current();
  const known = { series: 1, value: 1, quality: 0, atMs: 5000, coveredMs: 6000 };
  current.restore([{ ...known, epoch: newer, monoMs: 5000 }]);
  expect(current.get(1)).toEqual(known);
  current.apply(record(newer, 4000, 2), ordered(newer));
  expect(current.get(1)).toMatchObject({ value: 1 });
  current.apply(record(restored, 1000, 3), ordered(newer, restored));
  expect(current.get(1)).toMatchObject({ value: 3 });
});

test('a fill is never a current value, and a value has what its device said of it', () => {
  const current = new Current();
  const orderOf = ordered(newer);
  const said = record(newer, 1000, 1);
  const none = Float64Array.of(Number.NaN);
  const origins = {
    status: Uint32Array.of(0x40000000),
    sourceMs: Float64Array.of(7),
    serverMs: none,
  };
  current.apply({ ...said, readings: { ...said.readings!, origins } }, orderOf);
  current.apply({ ...record(newer, 5000, 9), isFill: true }, orderOf);
  const origin = { status: 0x40000000, sourceMs: 7, serverMs: null };
  expect(current.get(1)).toMatchObject({ value: 1, atMs: 1000, origin });
  current.apply(record(newer, 2000, 2), orderOf);
  expect(current.get(1)).not.toHaveProperty('origin');
});
