import { expect, test } from 'vitest';
import { seededRandom } from '../../core/random.ts';
import type { Ack } from '../../protocols/uplink/record.ts';
import type { Outgoing } from './lane.ts';
import { FREE_PATH, type Load, loads, Paths, type PathTerms, SILENT_MS } from './paths.ts';
import { type Effect, UplinkSession } from './session.ts';

const metered: PathTerms = { isMetered: true, carriesTrends: true, carriesBacklog: false };
const sparing: PathTerms = { ...metered, carriesTrends: false };

const table = (paths: Paths) =>
  Object.fromEntries(loads.map((load) => [load, paths.allowed(load).join()])) as Record<
    Load,
    string
  >;
const all = (path: string) => ({
  ...{ event: path, urgent: path, kept: path },
  ...{ trend: path, state: path, backlog: path },
});

test('events go by both, the rest by the cheap one; by the other as far as its terms allow', () => {
  for (const second of [FREE_PATH, metered, sparing]) {
    const paths = new Paths([FREE_PATH, second]);
    expect(table(paths)).toEqual(all(''));
    paths.up(1, 0);
    const { carriesTrends, carriesBacklog } = second;
    expect(table(paths)).toEqual({
      ...all('1'),
      trend: carriesTrends ? '1' : '',
      backlog: carriesBacklog ? '1' : '',
    });
    paths.up(0, 0);
    expect(table(paths)).toEqual({ ...all('0'), event: '0,1', urgent: '0,1' });
    paths.down(1);
    expect(table(paths)).toEqual(all('0'));
  }
});

test('a path on which nothing is answered is left for one that answers, and not when none does', () => {
  const paths = new Paths([FREE_PATH, metered]);
  paths.up(0, 0);
  paths.up(1, 0);
  expect(paths.suspect([0], SILENT_MS - 1)).toBe(false);
  expect(paths.suspect([0], SILENT_MS)).toBe(true);
  // Events go on by it, and so does the backlog that no other path may carry: it finds out.
  expect(table(paths)).toEqual({ ...all('1'), event: '0,1', urgent: '0,1', backlog: '0' });
  expect(paths.hearsAcks(1)).toBe(true);
  expect(paths.suspect([1], 2 * SILENT_MS)).toBe(false);
  expect(paths.allowed('kept')).toEqual([0]);
  paths.heard(1, 2 * SILENT_MS);
  expect(paths.allowed('kept')).toEqual([1]);
  paths.heard(0, 2 * SILENT_MS);
  expect(paths.allowed('kept')).toEqual([0]);
});

test('acks are heard where they cost only while no free path works', () => {
  const paths = new Paths([FREE_PATH, metered]);
  const hears = () => [0, 1].map((path) => paths.hearsAcks(path));
  paths.up(1, 0);
  expect(hears()).toEqual([true, true]);
  paths.up(0, 0);
  expect(hears()).toEqual([true, false]);
  paths.down(0);
  expect(hears()).toEqual([true, true]);
});

const EPOCH = '1-00000000000000aa';

function session(second: PathTerms): UplinkSession {
  return new UplinkSession(seededRandom(3), {
    ...{ storeId: '', backlogBytesPerSecond: 1e9, paths: [FREE_PATH, second] },
  });
}

function record(sequence: number, isEvent = false): Outgoing {
  return { epoch: EPOCH, sequence, isEvent, lastMonoMs: 0, bytes: new Uint8Array(1_000) };
}

const ackOf = (...stored: number[]): Ack => ({
  storeId: 'store',
  epochs: [
    {
      ...{ epoch: EPOCH, refused: [], wanted: [] },
      stored: stored.map((it) => ({ first: it, last: it })),
    },
  ],
  needed: [],
  creditBytes: 64 * 1024,
});

/** What is sent now, by which paths; what is asked of the disk is there. */
function sent(it: UplinkSession, nowMs: number): string[] {
  const told: string[] = [];
  for (let effect = it.pull(nowMs); effect; effect = it.pull(nowMs)) {
    if (effect.kind === 'send') told.push(`${effect.record.sequence} by ${effect.paths.join()}`);
    else answer(it, effect);
  }
  return told;
}

function answer(it: UplinkSession, effect: Extract<Effect, { kind: 'read' }>): void {
  const { lane, epoch, ranges } = effect;
  const records = ranges.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, at) => record(first + at, lane === 'event')),
  );
  it.read(lane, epoch, { records, absent: [] });
}

test('what is in flight by a path that ends goes by the other at once, not after a time-out', () => {
  const it = session(metered);
  it.up(0, 0);
  it.up(1, 0);
  it.sealed(record(1, true), 'event');
  it.sealed(record(2), 'urgent');
  it.sealed(record(3), 'kept');
  it.sealed(record(4), 'trend');
  expect(sent(it, 0)).toEqual(['1 by 0,1', '2 by 0,1', '3 by 0', '4 by 0']);
  it.down(0, 10);
  expect(sent(it, 10)).toEqual(['3 by 1', '4 by 1']);
  // An ack counts by whichever path it comes.
  it.ack(ackOf(1, 2, 3, 4), 20, 1);
  expect([it.openRecords, it.inFlightBytes]).toEqual([0, 0]);
});

test('trends wait for the cheap path where the other may never carry them, and are not lost', () => {
  const it = session(sparing);
  it.up(0, 0);
  it.up(1, 0);
  it.sealed(record(1), 'trend');
  it.sealed(record(2), 'kept');
  expect(sent(it, 0)).toEqual(['1 by 0', '2 by 0']);
  it.down(0, 10);
  it.sealed(record(3), 'trend');
  it.sealed(record(4), 'kept');
  it.sealed(record(5), 'urgent');
  expect(sent(it, 10)).toEqual(['2 by 1', '4 by 1', '5 by 1']);
  it.ack(ackOf(2, 4, 5), 20, 1);
  expect(sent(it, 20)).toEqual([]);
  expect(it.up(0, 60_000)).toBe(true); // Trends were away for so long: the newest of each goes first.
  expect(sent(it, 60_000)).toEqual(['1 by 0', '3 by 0']);
});

test('a second path that comes up gets the events that nobody has answered yet', () => {
  const it = session(metered);
  it.up(0, 0);
  it.sealed(record(1, true), 'event');
  it.sealed(record(2), 'kept');
  expect(sent(it, 0)).toEqual(['1 by 0', '2 by 0']);
  it.up(1, 10);
  expect(sent(it, 10)).toEqual(['1 by 0,1']);
});

test('a silent path is left after one time-out, and what it carried goes by the other', () => {
  const it = session(metered);
  it.up(0, 0);
  it.up(1, 0);
  it.sealed(record(1), 'kept');
  expect(sent(it, 0)).toEqual(['1 by 0']);
  const dueMs = it.nextMonoMs();
  expect(sent(it, dueMs)).toEqual(['1 by 1']);
  expect(it.paths.isSilent(0)).toBe(true);
});

test('a socket that is full holds up only what can take no other path', () => {
  const it = session(metered);
  it.up(0, 0);
  it.up(1, 0);
  it.paths.block(0, true);
  it.sealed(record(1), 'kept');
  it.sealed(record(2), 'urgent');
  expect(sent(it, 0)).toEqual(['2 by 1']);
  it.paths.block(0, false);
  expect(sent(it, 1)).toEqual(['1 by 0']);
});

test('what one path closes says nothing of what is still on its way by the other', () => {
  const it = session(metered);
  it.up(0, 0);
  it.up(1, 0);
  it.sealed(record(1), 'kept');
  it.sealed(record(2), 'urgent');
  expect(sent(it, 0)).toEqual(['1 by 0', '2 by 0,1']);
  it.ack(ackOf(2), 50, 1);
  expect(sent(it, 50)).toEqual([]);
});
