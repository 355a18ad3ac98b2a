import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../core/random.ts';
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { Ack, EpochAck, RefusalReason } from '../../protocols/uplink/record.ts';
import type { Held } from '../outbox/batch.ts';
import { without } from '../outbox/ledger.ts';
import type { Outgoing } from './lane.ts';
import { type Effect, LATER_MS, UplinkSession } from './session.ts';
import { CREDIT_BYTES_START } from './window.ts';

const NOW = '2-00000000000000bb';
const OLD = '1-00000000000000aa';
const RECORD_BYTES = 1_000;

function session(backlogBytesPerSecond = 1e9): UplinkSession {
  return new UplinkSession(seededRandom(3), { storeId: '', backlogBytesPerSecond });
}

function record(epoch: string, sequence: number, isEvent = false): Outgoing {
  return { epoch, sequence, isEvent, lastMonoMs: 0, bytes: new Uint8Array(RECORD_BYTES) };
}

function held(epoch: string, last: number, events: readonly Range[] = []): Held {
  const ranges = last > 0 ? [{ first: 1, last }] : [];
  return { epoch, ranges, open: ranges, events, next: last + 1 };
}

function ackOf(epochs: readonly Partial<EpochAck>[], rest: Partial<Ack> = {}): Ack {
  return {
    storeId: 'store',
    epochs: epochs.map((it) => ({ epoch: NOW, stored: [], refused: [], wanted: [], ...it })),
    needed: [],
    creditBytes: CREDIT_BYTES_START,
    ...rest,
  };
}

/** Answers reads at once; gives what was sent. */
function drain(it: UplinkSession, nowMs: number, isAbsent = (_: number) => false) {
  const sent: Extract<Effect, { kind: 'send' }>[] = [];
  for (let effect = it.pull(nowMs); effect; effect = it.pull(nowMs)) {
    if (effect.kind === 'send') sent.push(effect);
    else answer(it, effect, isAbsent);
    expect(sent.length).toBeLessThan(10_000);
  }
  return sent;
}

function answer(
  it: UplinkSession,
  { lane, epoch, ranges, bytesMax }: Extract<Effect, { kind: 'read' }>,
  isAbsent: (sequence: number) => boolean,
): void {
  const asked = ranges.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, at) => first + at),
  );
  const absent = asked.filter(isAbsent).map((first) => ({ first, last: first }));
  const there = asked.filter((sequence) => !isAbsent(sequence));
  const some = there.slice(0, Math.max(1, Math.floor(bytesMax / RECORD_BYTES)));
  it.read(lane, epoch, {
    records: some.map((sequence) => record(epoch, sequence, lane === 'event')),
    absent,
  });
}

const names = (sent: readonly { readonly record: Outgoing }[]) =>
  sent.map(({ record: { epoch, sequence } }) => `${epoch === NOW ? 'n' : 'o'}${sequence}`);

test('nothing is sent while the link is down, and what is sealed meanwhile comes from the outbox', () => {
  const it = session();
  it.sealed(record(NOW, 1), 'trend');
  expect(drain(it, 0)).toEqual([]);
  it.up(0, 0);
  expect(names(drain(it, 0))).toEqual(['n1']);
});

test('a state record goes first, then events, then live, then the backlog from its beginning', () => {
  const it = session();
  it.held([held(OLD, 4, [{ first: 3, last: 3 }])]);
  it.up(0, 0);
  it.sealed(record(NOW, 1), 'trend');
  it.sealed(record(NOW, 2, true), 'event');
  it.sealed(record(NOW, 3), 'state');
  const sent = drain(it, 0);
  expect(names(sent)).toEqual(['n3', 'n2', 'n1', 'o3', 'o1', 'o2', 'o4']);
  expect(sent.map(({ lane }) => lane)).toEqual([
    'live',
    'event',
    'live',
    'event',
    'backlog',
    'backlog',
    'backlog',
  ]);
});

test('state records are asked for after an outage of half a minute, not after a blip', () => {
  const it = session();
  expect(it.up(0, 0)).toBe(false);
  it.down(0, 1_000);
  expect(it.up(0, 5_000)).toBe(false);
  it.down(0, 6_000);
  it.down(0, 30_000); // A try to connect that failed.
  expect(it.up(0, 36_000)).toBe(true);
});

test('the windows keep room for events and for live beside a backlog that is not answered', () => {
  const it = session();
  it.held([held(OLD, 500)]);
  it.up(0, 0);
  // Half of 64 KiB, in whole records.
  expect(drain(it, 0).length).toBe(Math.floor(CREDIT_BYTES_START / 2 / RECORD_BYTES));
  for (let at = 1; at <= 100; at++) it.sealed(record(NOW, at), 'trend');
  const live = drain(it, 0);
  expect(live.length).toBe(
    Math.floor((CREDIT_BYTES_START * 3) / 4 / RECORD_BYTES) -
      Math.floor(CREDIT_BYTES_START / 2 / RECORD_BYTES),
  );
  it.sealed(record(NOW, 101, true), 'event');
  expect(names(drain(it, 0))).toEqual(['n101']);
  expect(it.inFlightBytes).toBeLessThanOrEqual(CREDIT_BYTES_START);
});

test('the backlog keeps its pace', () => {
  const it = session(10 * RECORD_BYTES);
  it.held([held(OLD, 1_000)]);
  it.up(0, 0);
  let sent = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) {
    for (const { record: one } of drain(it, nowMs)) {
      sent++;
      const stored = [{ first: one.sequence, last: one.sequence }];
      it.ack(ackOf([{ epoch: OLD, stored }]), nowMs);
    }
  }
  expect(sent).toBeGreaterThanOrEqual(95);
  expect(sent).toBeLessThanOrEqual(102);
});

test('a silent cloud gets one probe after each doubling timeout, each time another record', () => {
  const it = session();
  it.up(0, 0);
  for (let at = 1; at <= 10; at++) it.sealed(record(NOW, at), 'trend');
  drain(it, 0);
  const probes: string[] = [];
  const times: number[] = [];
  for (let nowMs = 0; nowMs < 3_600_000; ) {
    nowMs = Math.max(nowMs + 1, it.nextMonoMs());
    const sent = drain(it, nowMs);
    if (sent.length > 0) times.push(nowMs);
    expect(sent.length).toBeLessThanOrEqual(1);
    probes.push(...names(sent));
  }
  expect(probes[0]).toBe('n1');
  expect(times[0]).toBeGreaterThanOrEqual(4_000);
  expect(times[0]).toBeLessThanOrEqual(5_000);
  expect(it.inFlightBytes).toBeLessThanOrEqual(CREDIT_BYTES_START);
  it.ack(ackOf([{ stored: [{ first: 1, last: 1 }] }]), 3_600_000);
  expect(it.openRecords).toBe(9);
});

test('one answer ends the probing: everything else is sent again at once', () => {
  const it = session();
  it.up(0, 0);
  for (let at = 1; at <= 10; at++) it.sealed(record(NOW, at), 'trend');
  drain(it, 0);
  expect(names(drain(it, 5_001))).toContain('n1');
  it.ack(ackOf([{ stored: [{ first: 1, last: 1 }] }]), 5_100);
  const sent = new Set(names(drain(it, 5_100)));
  for (let at = 2; at <= 10; at++) expect(sent.has(`n${at}`)).toBe(true);
});

test('a record that was overtaken is sent again at once, then waits, and holds nobody up', () => {
  const it = session();
  it.up(0, 0);
  for (let at = 1; at <= 3; at++) it.sealed(record(NOW, at), 'trend');
  drain(it, 0);
  it.ack(ackOf([{ stored: [{ first: 2, last: 3 }] }]), 10);
  expect(names(drain(it, 10))).toEqual(['n1']);
  it.sealed(record(NOW, 4), 'trend');
  expect(names(drain(it, 20))).toEqual(['n4']);
  it.ack(ackOf([{ stored: [{ first: 2, last: 4 }] }]), 30);
  expect(drain(it, 30)).toEqual([]);
  expect(it.inFlightBytes).toBe(0);
  expect(names(drain(it, it.nextMonoMs()))).toEqual(['n1']);
});

test('refused records leave, but for those a later cloud can read: they come again', () => {
  const it = session();
  it.up(0, 0);
  for (let at = 1; at <= 2; at++) it.sealed(record(NOW, at), 'trend');
  drain(it, 0);
  const refused = (['malformed', 'later'] as const).map((reason: RefusalReason, at) => ({
    sequence: at + 1,
    reason,
  }));
  expect(it.ack(ackOf([{ refused }]), 10).refused).toEqual([
    { epoch: NOW, sequence: 1, reason: 'malformed' },
  ]);
  expect(it.inFlightBytes).toBe(0);
  expect(drain(it, LATER_MS)).toEqual([]);
  expect(names(drain(it, LATER_MS + 10))).toEqual(['n2']);
});

test('a credit of nothing lets one record through at a time, and the next credit opens the window', () => {
  const it = session();
  it.up(0, 0);
  it.ack(ackOf([], { creditBytes: 0 }), 0);
  for (let at = 1; at <= 5; at++) it.sealed(record(NOW, at), 'trend');
  expect(drain(it, 0)).toEqual([]);
  expect(names(drain(it, it.nextMonoMs()))).toEqual(['n1']);
  expect(drain(it, 5_001)).toEqual([]);
  it.ack(ackOf([{ stored: [{ first: 1, last: 1 }] }]), 6_000);
  expect(names(drain(it, 6_000))).toEqual(['n2', 'n3', 'n4', 'n5']);
});

test('a new store asks for all that is held; a first store does not', () => {
  const it = session();
  it.up(0, 0);
  expect(it.ack(ackOf([]), 0).store).toEqual({ id: 'store', isNew: false });
  expect(it.ack(ackOf([]), 1).store).toBeNull();
  expect(it.ack(ackOf([], { storeId: 'other' }), 2).store).toEqual({ id: 'other', isNew: true });
});

test('what the cloud wants again is opened and sent; what nobody has is told by a birth, once a minute', () => {
  const it = session();
  it.held([held(OLD, 10)]);
  it.up(0, 0);
  drain(it, 0);
  it.ack(ackOf([{ epoch: OLD, stored: [{ first: 1, last: 10 }] }]), 10);
  const wanted = [{ first: 3, last: 99 }];
  expect(it.ack(ackOf([{ epoch: OLD, wanted }]), 20).wanted).toEqual([
    { epoch: OLD, ranges: [{ first: 3, last: 10 }] },
  ]);
  expect(names(drain(it, 20, (at) => at > 5))).toEqual(['o3', 'o4', 'o5']);
  expect(it.ack(ackOf([{ epoch: OLD, wanted: [{ first: 6, last: 10 }] }]), 30).wanted).toEqual([]);
  expect(it.takeBirthWish(59_999)).toBe(false);
  expect(it.takeBirthWish(60_000)).toBe(true);
  expect(it.takeBirthWish(60_001)).toBe(false);
});

test('a dictionary part is asked of the outbox at most every five seconds', () => {
  const it = session();
  it.up(0, 0);
  const needed = ['a'.repeat(32)];
  expect(it.ack(ackOf([], { needed }), 0).needed).toEqual(needed);
  expect(it.ack(ackOf([], { needed }), 4_999).needed).toEqual([]);
  expect(it.ack(ackOf([], { needed }), 5_000).needed).toEqual(needed);
});

// The cloud in a few lines: takes what arrives unless it is poison, acks what it has.
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('seal' as const), event: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const), lose: fc.nat(3) }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('ack' as const), credit: fc.nat(40_000) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(20_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('down' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('up' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('want' as const), first: fc.nat(30) }) },
);

class Model {
  readonly session = session(50_000);
  readonly stored = new Map([NOW, OLD].map((epoch) => [epoch, new RangeSet()]));
  nowMs = 0;
  next = 1;
  isUp = false;
  credit = CREDIT_BYTES_START;
  isPoison = (sequence: number) => sequence % 11 === 5;
  wire: Outgoing[] = [];

  pump(): void {
    for (const { record: one } of drain(this.session, this.nowMs)) this.wire.push(one);
  }

  deliver(lose: number): void {
    for (const [at, one] of this.wire.splice(0).entries()) {
      if (lose > 0 && at % 4 < lose) continue;
      if (!this.isPoison(one.sequence)) this.stored.get(one.epoch)!.add(one.sequence);
    }
  }

  ack(creditBytes: number, wanted: readonly Range[] = []): void {
    this.credit = creditBytes;
    const epochs = [...this.stored].map(([epoch, set]) => ({
      epoch,
      stored: set.toArray().slice(0, 64),
      refused: [],
      wanted: epoch === NOW ? wanted : [],
    }));
    this.session.ack({ storeId: 's', epochs, needed: [], creditBytes }, this.nowMs);
  }

  check(): void {
    for (const { epoch, open, here, inMemory } of this.session.places()) {
      const places = [...here, ...inMemory.map(single)];
      const union = RangeSet.of(places);
      const size = places.reduce((sum, { first, last }) => sum + last - first + 1, 0);
      expect(union.size, 'a record is in one place').toBe(size);
      const openSet = RangeSet.of(open);
      expect(without(open, union), `every open record of ${epoch} is somewhere`).toEqual([]);
      expect(without(here, openSet), `nothing closed of ${epoch} waits`).toEqual([]);
    }
  }
}

const single = (sequence: number) => ({ first: sequence, last: sequence });

test('whatever is lost or cut, every record stays in one place and all but poison ends up stored', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const model = new Model();
      const { session: it } = model;
      it.held([held(OLD, 20, [{ first: 4, last: 6 }])]);
      for (const one of steps) {
        if (one.kind === 'seal') {
          it.sealed(record(NOW, model.next, one.event), one.event ? 'event' : 'trend');
          model.next++;
        } else if (one.kind === 'deliver') model.deliver(one.lose);
        else if (one.kind === 'ack' && model.isUp) model.ack(one.credit);
        else if (one.kind === 'want' && model.isUp)
          model.ack(model.credit, [single(one.first + 1)]);
        else if (one.kind === 'wait') model.nowMs += one.ms;
        else if (one.kind === 'down') {
          it.down(0, model.nowMs);
          model.isUp = false;
          model.wire = [];
        } else if (one.kind === 'up' && !model.isUp) {
          it.up(0, model.nowMs);
          model.isUp = true;
        }
        const before = it.inFlightBytes;
        model.pump();
        const limit = Math.max(before, model.credit, RECORD_BYTES);
        expect(it.inFlightBytes).toBeLessThanOrEqual(limit);
        model.check();
      }
      if (!model.isUp) it.up(0, model.nowMs);
      // From here on the way is good: whatever may be stored is, within minutes.
      for (let round = 0; round < 300; round++) {
        model.pump();
        model.deliver(0);
        model.ack(CREDIT_BYTES_START);
        model.nowMs += 2_000;
      }
      model.check();
      for (const [epoch, last] of [
        [NOW, model.next - 1],
        [OLD, 20],
      ] as const) {
        const stored = model.stored.get(epoch)!;
        for (let sequence = 1; sequence <= last; sequence++) {
          expect(stored.has(sequence), `${epoch}/${sequence}`).toBe(!model.isPoison(sequence));
        }
      }
      expect(it.openRecords).toBe(countPoison(model.next - 1) + countPoison(20));
    }),
    { numRuns: 150 },
  );
});

function countPoison(last: number): number {
  return Array.from({ length: last }, (_, at) => at + 1).filter((it) => it % 11 === 5).length;
}
