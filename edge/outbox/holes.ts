// What damage cost: the sequences of an epoch that are neither held nor closed nor given up, and
// how many readings were in them. Each row tells how many readings were taken before it, so a hole
// between two rows is counted exactly; where a neighbour is missing too, by the mean of the epoch,
// and marked as estimated.
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import type { Row } from './file.ts';
import { type EpochState, type Loss, Losses, within, without } from './ledger.ts';

export type ReadRow = (epoch: Epoch, sequence: number) => Row | undefined;

/** `holes` as found while reading, or all there are. */
export function damagedLosses(
  state: EpochState,
  held: RangeSet,
  read: ReadRow,
  holes = holesOf(state, held),
): readonly Loss[] {
  const losses = new Losses();
  const mean = state.next > 1 ? state.taken / (state.next - 1) : 0;
  for (const { first, last } of apart(holes.toArray(), state.sent)) {
    const how = state.sent.has(first) ? 'apart' : 'together';
    const before = read(state.epoch, first - 1);
    const after = read(state.epoch, last + 1);
    const start = before ? before.takenBefore + before.taken : first === 1 ? 0 : null;
    const end = after ? after.takenBefore : last + 1 === state.next ? state.taken : null;
    const isExact = start !== null && end !== null && end >= start;
    const fromMonoMs = before?.lastMonoMs ?? 0;
    losses.add(
      {
        cause: 'damaged',
        epoch: state.epoch,
        ...pointsOf(state, after ?? before),
        fromMonoMs,
        toMonoMs: Math.max(fromMonoMs, after?.firstMonoMs ?? state.lastMonoMs),
        readings: isExact ? end - start : Math.round(mean * (last - first + 1)),
        unchanged: 0,
        estimated: !isExact,
        sequences: [{ first, last }],
      },
      how,
    );
  }
  return losses.all();
}

// One by one what was sent: the cloud may have it, and then tells the gap by its sequence.
function apart(ranges: readonly Range[], sent: RangeSet): readonly Range[] {
  const single = within(ranges, sent).flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, at) => ({ first: first + at, last: first + at })),
  );
  return [...without(ranges, sent), ...single].sort((a, b) => a.first - b.first);
}

// Of an epoch whose state was lost nobody knows what was closed before the first row that is left.
function holesOf(state: EpochState, held: RangeSet): RangeSet {
  const first = state.isKnown ? 1 : (held.toArray()[0]?.first ?? state.next);
  const missing = held.missing(first, state.next - 1);
  return RangeSet.of(without(without(missing, state.closed), state.givenUp));
}

// Which points the lost records were of nobody knows: all that the epoch is known to have.
function pointsOf(state: EpochState, near: Row | undefined) {
  const { manifest, points } = state;
  if (!near || near.manifest === '' || near.manifest === manifest) {
    return { manifest, firstAlias: 0, points };
  }
  return { manifest: near.manifest, firstAlias: near.firstAlias, points: near.points };
}
