import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Problems } from '../../core/problems.ts';
import type { ModbusDevice, Table } from './address.ts';
import { parseDevice } from './address.ts';
import { widened } from './planner.ts';
import { encodeStep, parseStep } from './step.ts';

function pdu(raw: unknown, isMultiple = false): string {
  const problems = new Problems('test');
  const step = parseStep(raw, ['start'], problems);
  problems.throwIfAny();
  return Buffer.from(encodeStep(step!, isMultiple)).toString('hex');
}

function wrong(raw: unknown): string[] {
  const problems = new Problems('test');
  expect(parseStep(raw, ['start'], problems)).toBeUndefined();
  return problems.findings.map(({ path }) => path.join('.'));
}

test('a step is one request, of no registers too, with the function the device takes', () => {
  expect(pdu({ read: { table: 'holding', address: 0x2500, count: 0 } })).toBe('0325000000');
  expect(pdu({ read: { table: 'input', address: 1, count: 2 } })).toBe('0400010002');
  const one = { write: { table: 'holding', address: 0x0118, value: 1 } };
  expect(pdu(one)).toBe('0601180001');
  expect(pdu(one, true)).toBe('100118000102' + '0001');
  expect(pdu({ write: { table: 'coil', address: 9, value: 1 } })).toBe('050009ff00');
  expect(pdu({ write: { table: 'coil', address: 9, value: 0 } }, true)).toBe('0f000900010100');
  expect(pdu({ write: { table: 'holding', address: 7, values: [1, 2] } })).toBe(
    '100007000204' + '00010002',
  );
  expect(pdu({ write: { table: 'holding', address: 0x1c00, values: [] } })).toBe('101c00000000');
});

test('what no request can carry is refused at its key', () => {
  expect(wrong({ write: { table: 'input', address: 0, value: 1 } })).toEqual(['start.write.table']);
  expect(wrong({ write: { table: 'holding', address: 0, value: 65_536 } })).toEqual([
    'start.write.value',
  ]);
  expect(wrong({ write: { table: 'coil', address: 0, values: [2] } })).toEqual([
    'start.write.values',
  ]);
  expect(wrong({ read: { table: 'holding', address: 0, count: 126 } })).toEqual([
    'start.read.count',
  ]);
  expect(wrong({ read: { table: 'holding', address: 70_000, count: 0 } })).toEqual([
    'start.read.address',
  ]);
  expect(wrong('go')).toEqual(['start']);
});

test('a widened block holds its span, is long enough, and touches nothing forbidden it did not hold', () => {
  const ranges = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 6 })),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 50 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 20 }),
      ranges,
      (start, width, minRegisters, forbidden) => {
        const end = start + width;
        const listed = forbidden.map(([from, length]) => ({
          table: 'holding',
          from,
          to: from + length,
        }));
        const limits = { minRegisters, forbidden: listed };
        const device: ModbusDevice = parseDevice({ limits }, [], new Problems('test'))!;
        const isBeside = (at: number) =>
          (at < start || at >= end) && listed.some(({ from, to }) => from <= at && at <= to);
        const free = (from: number, to: number) =>
          from >= 0 && !Array.from({ length: to - from }, (_, at) => from + at).some(isBeside);
        const more = Math.max(0, minRegisters - width);
        const isPossible = Array.from({ length: more + 1 }, (_, before) =>
          free(start - before, end + more - before),
        ).includes(true);
        const block = widened({ start, end }, device, 'holding' as Table);
        expect(block !== undefined).toBe(isPossible);
        if (!block) return;
        expect(block.start).toBeLessThanOrEqual(start);
        expect(block.end).toBeGreaterThanOrEqual(end);
        expect(block.end - block.start).toBe(width + more);
        expect(free(block.start, block.end)).toBe(true);
      },
    ),
  );
});
