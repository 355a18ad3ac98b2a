import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ACK_RANGES_MAX } from '../../protocols/uplink/control.ts';
import {
  EPOCH_RANGES_MAX,
  EPOCH_REFUSED_MAX,
  EpochLedger,
  rangesOf,
  rangesText,
  refusedOf,
  refusedText,
} from './ledger.ts';

const sequence = fc.integer({ min: 1, max: 60 });
const range = fc.tuple(sequence, fc.nat({ max: 5 })).map(([first, length]) => ({
  first,
  last: first + length,
}));

test('open is exactly what is neither stored nor lost nor refused, as a plain set says', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          range.map((it) => ({ do: 'store' as const, ...it })),
          range.map((it) => ({ do: 'lose' as const, ...it })),
          sequence.map((first) => ({ do: 'refuse' as const, first, last: first })),
        ),
      ),
      (steps) => {
        const ledger = new EpochLedger();
        const closed = new Set<number>();
        for (const { do: what, first, last } of steps) {
          if (what === 'store') ledger.store(first, last);
          else if (what === 'lose') ledger.lost.add(first, last);
          else ledger.refuse(first, 'corrupt');
          for (let at = first; at <= last; at++) closed.add(at);
        }
        const open = ledger.open([{ first: 1, last: 70 }]);
        const numbers = open.flatMap(({ first, last }) =>
          Array.from({ length: last - first + 1 }, (_, at) => first + at),
        );
        const expected = Array.from({ length: 70 }, (_, at) => at + 1).filter(
          (it) => !closed.has(it),
        );
        expect(numbers).toEqual(expected);
        expect(rangesOf(rangesText(ledger.stored)).toArray()).toEqual(ledger.stored.toArray());
        expect(refusedOf(refusedText(ledger.refused))).toEqual(ledger.refused);
      },
    ),
  );
});

test('statements name only what is stored, lowest first, in short lists, with all that was just stored', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { maxLength: 300 }),
      fc.array(fc.nat({ max: 299 }), { maxLength: 150 }),
      fc.array(fc.nat({ max: 299 }), { maxLength: 3 }),
      (stored, justAt, exceptAt) => {
        const ledger = new EpochLedger();
        for (const it of stored) ledger.store(it);
        const pick = (places: readonly number[]) =>
          places.flatMap((at) => (stored[at] === undefined ? [] : [stored[at]]));
        const except = pick(exceptAt);
        const just = pick(justAt).filter((it) => !except.includes(it));
        const lists = ledger.statements(just, except);
        const said = new Set<number>();
        for (const list of lists) {
          expect(list.length).toBeLessThanOrEqual(ACK_RANGES_MAX);
          expect(list).toEqual(list.toSorted((a, b) => a.first - b.first));
          for (const { first, last } of list) for (let at = first; at <= last; at++) said.add(at);
        }
        for (const it of said) expect(stored).toContain(it);
        for (const it of just) expect(said).toContain(it);
        for (const it of except) expect(said).not.toContain(it);
        const lowest = ledger.stored.toArray()[0]?.first;
        if (
          lists.length === 1 &&
          lowest !== undefined &&
          !except.includes(lowest) &&
          just.length < 30
        )
          expect(said).toContain(lowest);
      },
    ),
  );
});

test('an epoch in too many pieces takes what closes a hole and nothing that opens another', () => {
  const ledger = new EpochLedger();
  for (let at = 0; at < EPOCH_RANGES_MAX; at++) ledger.store(at * 2 + 1);
  expect(ledger.canStore([{ first: 9_999, last: 9_999 }])).toBe(false);
  expect(ledger.canStore([{ first: 2, last: 2 }])).toBe(true);
  expect(
    ledger.canStore([
      { first: 5_000, last: 5_000 },
      { first: 2, last: 2 },
    ]),
  ).toBe(true);
});

test('refusals of one epoch are bounded', () => {
  const ledger = new EpochLedger();
  for (let at = 1; at <= EPOCH_REFUSED_MAX; at++) expect(ledger.refuse(at, 'corrupt')).toBe(true);
  expect(ledger.refuse(1, 'corrupt')).toBe(true);
  expect(ledger.refuse(EPOCH_REFUSED_MAX + 1, 'corrupt')).toBe(false);
});
