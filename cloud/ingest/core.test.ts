import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { seededRandom } from '../../core/random.ts';
import { decodeAck, encodeBirth, encodeStatus } from '../../protocols/uplink/control.ts';
import type { Ack, Birth, SealedRecord } from '../../protocols/uplink/record.ts';
import { MESSAGE_BYTES_MAX, topicOf } from '../../protocols/uplink/topics.ts';
import { pointOf, SealingGateway } from '../../tests/sealed.ts';
import { InboxCore } from '../inbox/core.ts';
import { InboxReader } from '../inbox/reader.ts';
import { LOST_AFTER_MS } from './births.ts';
import {
  type CloneAlarm,
  CREDIT_BYTES_ALL,
  CREDIT_BYTES_MAX,
  IngestCore,
  type Outgoing,
  type RefusedMessage,
} from './core.ts';
import type { GatewayPresence } from './presence.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-ingest-'));
  folders.push(folder);
  return join(folder, 'inbox.sqlite');
}

class Cloud {
  readonly clock: SimClock;
  readonly path: string;
  readonly inbox: InboxCore;
  readonly core: IngestCore;
  readonly clones: CloneAlarm[] = [];
  readonly refused: RefusedMessage[] = [];
  readonly presences = new Map<string, GatewayPresence>();
  committed = 0;

  constructor(
    options: { path?: string; clock?: SimClock; bytesMax?: number; fileBytesMax?: number } = {},
  ) {
    const { path = newPath(), clock = new SimClock(), bytesMax = 1e9, fileBytesMax } = options;
    this.clock = clock;
    this.path = path;
    this.inbox = new InboxCore(seededRandom(7), {
      path,
      bytesMax,
      ...(fileBytesMax !== undefined && { fileBytesMax }),
    });
    this.core = new IngestCore(clock, this.inbox, {
      onCommitted: (row) => {
        this.committed = row;
      },
      onPresence: (changes) => {
        for (const change of changes) this.presences.set(change.gateway, change);
      },
      onClone: (alarm) => this.clones.push(alarm),
      onRefused: (refused) => this.refused.push(refused),
      onAnswer: () => {},
    });
  }

  receive(payload: Uint8Array, kind = 'live', gateway = 'gw-1', retained = false): void {
    this.core.receive({ topic: `lifeline/v1/east/${gateway}/${kind}`, payload, retained });
  }

  send(records: readonly SealedRecord[], kind = 'live', gateway = 'gw-1'): Ack | undefined {
    for (const { bytes } of records) this.receive(bytes, kind, gateway);
    return ackOf(this.core.commit(), gateway);
  }

  rows() {
    const reader = new InboxReader(this.path);
    const rows = reader.rowsAfter(0, 1e9).map((row) => reader.decode(row));
    reader.close();
    return rows;
  }
}

function ackOf(out: readonly Outgoing[], gateway = 'gw-1'): Ack | undefined {
  const found = out.find(({ topic }) => topic === topicOf('east', gateway, 'ack'));
  return found && decodeAck(found.payload);
}

const storedOf = (ack: Ack | undefined, epoch: string) =>
  ack?.epochs.filter((entry) => entry.epoch === epoch).flatMap(({ stored }) => stored);

test('a record is acked after its commit, once more when it comes again, and stored once', () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(1);
  const [page, manifest] = gateway.dictionaryRecords();
  const first = gateway.record();
  const ack = cloud.send([page!, manifest!, first]);
  expect(storedOf(ack, gateway.epoch)).toEqual([{ first: 1, last: 3 }]);
  expect(ack?.creditBytes).toBeGreaterThan(0);
  expect(storedOf(cloud.send([first]), gateway.epoch)).toEqual([{ first: 1, last: 3 }]);
  expect(cloud.committed).toBe(3);
  const rows = cloud.rows();
  expect(rows.map(({ row }) => [row.row, row.sequence])).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  expect(rows[1]?.manifest?.entries.map(({ series }) => series)).toEqual([1, 2]);
  expect([...(rows[2]?.readings?.values ?? [])]).toEqual([3, 3.1]);
  expect([...(rows[2]?.readings?.atMs ?? [])]).toEqual([
    Date.UTC(2026, 0, 1) + 3_000,
    Date.UTC(2026, 0, 1) + 3_000,
  ]);
});

test('nothing is said before the commit, and the commit is due within 10 ms or at 1 MB', () => {
  const cloud = new Cloud();
  expect(cloud.core.dueMs).toBeNull();
  const gateway = new SealingGateway(1);
  cloud.receive(gateway.record().bytes);
  expect(cloud.core.dueMs).toBe(10);
  for (let at = 0; at < 9; at++) cloud.receive(new Uint8Array(MESSAGE_BYTES_MAX));
  expect(cloud.core.dueMs).toBe(0);
});

test('records that name a missing dictionary are neither acked nor refused, and are stored once it comes', () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(2);
  const dictionary = gateway.dictionaryRecords();
  const records = [gateway.record(), gateway.record()];
  const asked = cloud.send(records);
  expect(asked?.needed).toEqual([gateway.dictionary.manifest]);
  expect(storedOf(asked, gateway.epoch)).toEqual([]);
  // Only the manifest comes: now its page is asked for.
  const again = cloud.send([dictionary[1]!]);
  expect(again?.needed).toEqual([gateway.dictionary.parts[0]?.hash]);
  expect(cloud.core.held.count).toBe(3);
  expect(storedOf(cloud.send([dictionary[0]!]), gateway.epoch)).toEqual([{ first: 1, last: 4 }]);
  expect(cloud.core.held).toEqual({ count: 0, bytes: 0 });
  expect(cloud.rows()).toHaveLength(4);
});

test('what waited for its dictionary stands at the time it was taken, and is live no more after 30 s', async () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(2);
  const dictionary = gateway.dictionaryRecords();
  cloud.send([gateway.record()]);
  await cloud.clock.advance(31_000);
  cloud.send([gateway.record()]);
  const atMs = cloud.clock.wallMs();
  cloud.send(dictionary, 'event');
  const taken = cloud.rows().filter(({ readings }) => readings);
  expect(taken.map(({ row }) => row.lane)).toEqual(['backfill', 'live']);
  expect(taken.every(({ row }) => row.receivedMs === atMs)).toBe(true);
});

test('a second gateway with the same dictionary gets numbers of its own', () => {
  const cloud = new Cloud();
  const [one, two] = [new SealingGateway(3), new SealingGateway(4)];
  cloud.send([...one.dictionaryRecords(), one.record()]);
  // Its parts are known by their hash already; its points are not.
  two.sequence = 2;
  cloud.send([two.record()], 'live', 'gw-2');
  const reader = new InboxReader(cloud.path);
  expect(reader.entries().map(({ series, gateway }) => [series, gateway])).toEqual([
    [1, 'gw-1'],
    [2, 'gw-1'],
    [3, 'gw-2'],
    [4, 'gw-2'],
  ]);
  reader.close();
});

test('a reading keeps the scale of its own manifest when the dictionary changes while records wait', () => {
  const cloud = new Cloud();
  const before = new SealingGateway(5, { points: [pointOf('pm-1', 'pressure')] });
  const after = new SealingGateway(5, {
    points: [pointOf('new', 'first'), pointOf('pm-1', 'pressure', { scale: 1 })],
  });
  const early = [...before.dictionaryRecords(), before.record({ readings: 1 })];
  after.sequence = before.sequence;
  const late = [...after.dictionaryRecords(), after.record({ readings: 2 })];
  cloud.send(late);
  cloud.send(early, 'backfill');
  const readings = cloud
    .rows()
    .flatMap(({ readings: it }) => (it ? [[...it.series], [...it.values]] : []));
  // Series 2 is pm-1/pressure: raw 60 at scale 1, and raw 30 at scale 0.1.
  expect(readings).toEqual([[1, 2], [6, 61], [2], [3]]);
  const reader = new InboxReader(cloud.path);
  expect(reader.entries(2, 2)[0]?.definition.scale).toBe(1); // The one sealed later, not come later.
  reader.close();
});

test('a poison record is refused by name, kept, counted as a gap, and the stream goes on', () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(6);
  cloud.send(gateway.dictionaryRecords());
  const poison = Uint8Array.from(gateway.record().bytes);
  poison[poison.length - 1]! ^= 0xff;
  const good = gateway.record();
  cloud.receive(poison);
  const ack = cloud.send([good]);
  expect(ack?.epochs[0]).toMatchObject({
    stored: [
      { first: 1, last: 2 },
      { first: 4, last: 4 },
    ],
    refused: [{ sequence: 3, reason: 'corrupt' }],
  });
  cloud.receive(poison);
  cloud.core.commit();
  const gaps = cloud.rows().flatMap((record) => record.gaps);
  expect(gaps).toMatchObject([{ cause: 'refused', readings: 2, records: 1 }]);
  expect(cloud.inbox.letters).toBe(1);
});

test('a dictionary part that came damaged is asked for again, and taken under its own name', () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(6);
  const [page, manifest] = gateway.dictionaryRecords();
  const poison = Uint8Array.from(manifest!.bytes);
  poison[poison.length - 1]! ^= 0xff;
  cloud.receive(poison);
  const ack = cloud.send([page!, gateway.record()]);
  expect(ack?.epochs[0]?.refused).toEqual([{ sequence: 2, reason: 'corrupt' }]);
  expect(ack?.needed).toEqual([gateway.dictionary.manifest]);
  expect(storedOf(cloud.send([manifest!]), gateway.epoch)).toEqual([{ first: 1, last: 3 }]);
  expect(cloud.rows().filter((record) => record.manifest)).toHaveLength(1);
  expect(cloud.inbox.letters).toBe(1);
});

test('a record with an alias beyond its manifest is refused, not stored to stop a consumer', () => {
  const cloud = new Cloud();
  const wide = new SealingGateway(7);
  const narrow = new SealingGateway(7, { points: [pointOf('pm-1', 'pressure')] });
  cloud.send(narrow.dictionaryRecords());
  const lying = Object.assign(new SealingGateway(7), {
    sequence: 2,
    dictionary: narrow.dictionary,
  });
  expect(wide.epoch).toBe(narrow.epoch);
  const ack = cloud.send([lying.record()]);
  expect(ack?.epochs[0]?.refused).toEqual([{ sequence: 3, reason: 'malformed' }]);
});

test('garbage, foreign topics and down kinds are counted and kept, and end nothing', () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(8);
  cloud.receive(new Uint8Array([1, 2, 3]));
  cloud.receive(new Uint8Array(0));
  cloud.receive(new Uint8Array([1]), 'ack');
  cloud.receive(new Uint8Array([255, 255, 255]), 'birth');
  cloud.core.receive({ topic: 'elsewhere/x', payload: new Uint8Array(9), retained: false });
  const ack = cloud.send(gateway.dictionaryRecords());
  expect(storedOf(ack, gateway.epoch)).toEqual([{ first: 1, last: 2 }]);
  expect(cloud.refused.map(({ reason }) => reason).sort()).toEqual([
    'foreign_topic',
    'malformed',
    'malformed',
    'wrong_way',
  ]);
  expect([cloud.inbox.letters, cloud.core.counts.empty]).toEqual([4, 1]);
  cloud.core.setGateways(new Map([['gw-1', 'west']]));
  cloud.send([gateway.record()]);
  expect(cloud.refused.at(-1)?.reason).toBe('unknown_gateway');
});

test('the same key with other bytes is a clone: refused, kept, raised, and never stored over the first', () => {
  const cloud = new Cloud();
  const [one, two] = [new SealingGateway(9), new SealingGateway(9)];
  cloud.send([...one.dictionaryRecords(), one.record()]);
  two.sequence = 2;
  const ack = cloud.send([two.record({ lastMonoMs: 99_000 })]);
  expect(ack?.epochs[0]).toMatchObject({
    stored: [{ first: 1, last: 2 }],
    refused: [{ sequence: 3, reason: 'clone' }],
  });
  expect(cloud.clones).toMatchObject([{ kind: 'same-key', gateway: 'gw-1', sequence: 3 }]);
  const rows = cloud.rows();
  expect(rows[2]?.readings?.monoMs[0]).toBe(3_000);
  expect(rows[3]?.gaps[0]?.cause).toBe('refused');
});

test('two epochs that live on beside each other are a clone; a restart is none', async () => {
  const cloud = new Cloud();
  const [one, two] = [new SealingGateway(10), new SealingGateway(11, { opening: 2 })];
  cloud.send(one.dictionaryRecords());
  const live = (gateway: SealingGateway) =>
    cloud.send([gateway.record({ lastMonoMs: cloud.clock.monoMs() })]);
  live(one);
  await cloud.clock.advance(5_000);
  const unacked = one.record({ lastMonoMs: cloud.clock.monoMs() });
  await cloud.clock.advance(2_000);
  live(two); // A restart: the other epoch begins, and what was not acked comes again.
  await cloud.clock.advance(5_000);
  cloud.send([unacked]);
  await cloud.clock.advance(100_000);
  live(two);
  expect(cloud.clones).toEqual([]);
  live(one);
  expect(cloud.clones).toMatchObject([{ kind: 'two-epochs', epoch: one.epoch }]);
});

test('live that is old by the monotonic clock is backfill, whatever the wall clocks say', async () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(12);
  cloud.send(gateway.dictionaryRecords());
  const old = gateway.record({ lastMonoMs: cloud.clock.monoMs() + 500_000 });
  await cloud.clock.advance(40_000);
  cloud.clock.stepWall(86_400_000);
  cloud.send([gateway.record({ lastMonoMs: cloud.clock.monoMs() + 500_000 })]);
  cloud.send([old]);
  const fresh = gateway.record({ lastMonoMs: cloud.clock.monoMs() + 500_000 });
  cloud.send([fresh]);
  cloud.send([gateway.record({ lastMonoMs: cloud.clock.monoMs() + 500_000 })], 'backfill');
  expect(cloud.rows().flatMap(({ row, readings }) => (readings ? [row.lane] : []))).toEqual([
    'live',
    'backfill',
    'live',
    'backfill',
  ]);
});

test('a gap record closes the sequences it gives up, also those of an earlier epoch', () => {
  const cloud = new Cloud();
  const [one, two] = [new SealingGateway(13), new SealingGateway(14, { opening: 2 })];
  cloud.send([...one.dictionaryRecords()]);
  one.sequence = 10;
  cloud.send([one.record()]);
  const gap = { firstAlias: 0, points: 1, fromMonoMs: 3_000, toMonoMs: 9_000, readings: 16 };
  const sequences = [{ first: 3, last: 10 }];
  const common = { cause: 'overflow', estimated: false, epoch: one.epoch, sequences } as const;
  const ack = cloud.send(
    [two.record({ lane: 'event', readings: 0, gaps: [{ ...gap, ...common }] })],
    'event',
  );
  expect(storedOf(ack, two.epoch)).toEqual([{ first: 1, last: 1 }]);
  expect(cloud.inbox.ledgerOf('gw-1', one.epoch)?.stored.toArray()).toEqual([
    { first: 1, last: 11 },
  ]);
  const decoded = cloud.rows().at(-1)?.gaps[0];
  expect(decoded).toMatchObject({ cause: 'overflow', series: [1], readings: 16 });
  expect(decoded?.fromMs).toBe(Date.UTC(2026, 0, 1) + 3_000); // The label of the epoch it speaks of.
});

test('after a birth the cloud asks for what the edge holds, and calls the rest lost once that has come', async () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(15);
  cloud.send(gateway.dictionaryRecords());
  gateway.sequence = 5;
  const [six, seven] = [gateway.record(), gateway.record()];
  const birth: Birth = {
    ...{ storeIdSeen: 'another', software: '1', configuration: 'c', manifest: '' },
    epochs: [{ epoch: gateway.epoch, held: [{ first: 6, last: 7 }], next: 8 }],
  };
  cloud.receive(encodeBirth(birth), 'birth');
  const ack = ackOf(cloud.core.commit());
  expect(ack?.epochs).toMatchObject([
    { stored: [{ first: 1, last: 2 }], wanted: [{ first: 6, last: 7 }] },
  ]);
  await cloud.clock.advance(LOST_AFTER_MS);
  const again = ackOf(cloud.core.tick());
  expect(again?.epochs[0]?.wanted).toEqual([{ first: 6, last: 7 }]); // Still held: nothing is lost yet.
  cloud.send([six, seven], 'backfill');
  cloud.core.tick();
  expect(cloud.rows().at(-1)?.gaps).toMatchObject([
    { cause: 'store_lost', estimated: true, records: 3 },
  ]);
  // A lost one that turns up after all is taken.
  gateway.sequence = 3;
  expect(storedOf(cloud.send([gateway.record()]), gateway.epoch)).toEqual([
    { first: 1, last: 2 },
    { first: 4, last: 4 },
    { first: 6, last: 7 },
  ]);
});

test('a lower connection number is old news; data says that a gateway is there', () => {
  const cloud = new Cloud();
  const status = (connection: number, online: boolean, retained = false) => {
    const payload = encodeStatus({ connection, online, clock: 'synchronised', paths: 1 });
    cloud.receive(payload, 'status', 'gw-1', retained);
    cloud.core.commit();
    return cloud.presences.get('gw-1')?.online;
  };
  expect(status(4, true)).toBe(true);
  expect(status(3, false)).toBe(true); // The will of the connection before.
  expect(status(4, false)).toBe(false);
  cloud.send([new SealingGateway(16).record()]);
  expect(cloud.presences.get('gw-1')?.online).toBe(true);
  cloud.inbox.close();
  const next = new Cloud({ path: cloud.path });
  next.receive(encodeStatus({ connection: 3, online: true, clock: 'unknown', paths: 1 }), 'status');
  next.core.commit();
  expect(next.core.counts.ignoredStatuses).toBe(1);
});

test('a gateway is online while either path is, and each path is known by itself', () => {
  const cloud = new Cloud();
  const tell = (kind: string, connection: number, online: boolean, paths = 2, broker = 0) => {
    const payload = encodeStatus({ connection, online, clock: 'synchronised', paths });
    const topic = `lifeline/v1/east/gw-1/${kind}`;
    cloud.core.receive({ topic, payload, retained: false }, broker);
    cloud.core.commit();
    return seen();
  };
  const seen = () => {
    const { online, paths = [] } = cloud.presences.get('gw-1') ?? {};
    return `${online} ${paths.map(({ state }) => state).join(' ')}`;
  };
  expect(tell('status', 7, true)).toBe('true up down'); // The second was never heard.
  expect(tell('status-2', 3, true, 2, 1)).toBe('true up up');
  expect(tell('status', 7, false)).toBe('true down up');
  expect(tell('status', 8, true)).toBe('true up up');
  expect(tell('status', 7, false)).toBe('true up up'); // The will of the connection before.
  cloud.core.broker(1, 'down');
  cloud.core.tick();
  expect(seen()).toBe('true up unknown');
  expect(tell('status', 8, false)).toBe('false down unknown');
  cloud.send([new SealingGateway(16).record()]);
  expect(seen()).toBe('true down unknown');
  cloud.core.broker(1, 'up');
  cloud.core.tick();
  expect(seen()).toBe('true down down');
  expect(tell('status-2', 4, true, 2, 1)).toBe('true down up');
  expect(tell('status', 9, true, 1)).toBe('true up'); // Its file has one path now.
});

test('rows are numbered above every cursor, also in a file that was made anew', () => {
  const path = newPath();
  const inbox = new InboxCore(seededRandom(1), { path, bytesMax: 1e9, rowsAbove: 700 });
  inbox.begin();
  inbox.commit();
  expect(inbox.lastRow).toBe(700);
  inbox.close();
  expect(new InboxCore(seededRandom(1), { path, bytesMax: 1e9 }).lastRow).toBe(700);
});

test('one gateway has the whole credit, many share a sum that is worked off before they ask again', () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(18);
  const alone = cloud.send([...gateway.dictionaryRecords(), gateway.record()]);
  expect(alone?.creditBytes).toBe(CREDIT_BYTES_MAX);
  const others = Array.from({ length: 19 }, (_, at) => `gw-${at + 2}`);
  for (const name of others) {
    const payload = encodeStatus({ connection: 1, online: true, clock: 'synchronised', paths: 1 });
    cloud.receive(payload, 'status', name);
  }
  cloud.core.commit();
  const { creditBytes = 0 } = cloud.send([gateway.record()]) ?? {};
  expect(creditBytes * 20).toBeLessThanOrEqual(CREDIT_BYTES_ALL);
  expect(creditBytes).toBeGreaterThanOrEqual(MESSAGE_BYTES_MAX);
});

test('a full inbox acks nothing new and gives no credit, and goes on when rows leave', () => {
  const cloud = new Cloud({ bytesMax: 3_000 });
  const gateway = new SealingGateway(17);
  cloud.send(gateway.dictionaryRecords());
  let ack: Ack | undefined;
  const sent: SealedRecord[] = [];
  while (cloud.core.state === 'working') {
    const record = gateway.record();
    sent.push(record);
    ack = cloud.send([record]);
  }
  expect(ack?.creditBytes).toBe(0);
  const more = gateway.record();
  const stored = storedOf(cloud.send([more]), gateway.epoch);
  expect(stored?.at(-1)?.last).toBe(more.sequence - 1);
  cloud.inbox.passed(cloud.inbox.lastRow);
  const resumed = ackOf(cloud.core.tick());
  expect(resumed?.creditBytes).toBeGreaterThan(0);
  expect(storedOf(cloud.send([more]), gateway.epoch)).toEqual([{ first: 1, last: more.sequence }]);
});

test('a full disk acks nothing, loses nothing acked, and the work resumes by itself', () => {
  const cloud = new Cloud({ fileBytesMax: 500_000 });
  const gateway = new SealingGateway(18);
  cloud.send(gateway.dictionaryRecords());
  let acked = 2;
  const big = () => gateway.record({ readings: 3_000 });
  let record = big();
  for (; cloud.core.state === 'working'; record = big()) {
    acked = storedOf(cloud.send([record]), gateway.epoch)?.at(-1)?.last ?? acked;
    if (cloud.core.state !== 'working') break;
  }
  expect(cloud.core.state).toBe('disk_full');
  expect(acked).toBe(record.sequence - 1);
  const refusedAck = cloud.send([record]);
  expect(refusedAck?.creditBytes).toBe(0);
  expect(storedOf(refusedAck, gateway.epoch)).toEqual([{ first: 1, last: acked }]);
  expect(cloud.rows()).toHaveLength(acked);
  // A commit of nothing still fits, and is no room: the state says so until there is some.
  cloud.core.tick();
  expect(cloud.core.state).toBe('disk_full');
  cloud.inbox.passed(cloud.inbox.lastRow);
  cloud.core.tick();
  expect(cloud.core.state).toBe('working');
  expect(storedOf(cloud.send([record]), gateway.epoch)).toEqual([
    { first: 1, last: record.sequence },
  ]);
});

test('whatever order, loss, repetition and kill: acked is stored, stored once, and as it was sent', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          { weight: 8, arbitrary: fc.nat({ max: 39 }) },
          { weight: 2, arbitrary: fc.constant('commit' as const) },
          { weight: 1, arbitrary: fc.constant('kill' as const) },
        ),
        { maxLength: 80 },
      ),
      (steps) => {
        const gateway = new SealingGateway(19);
        const records = [...gateway.dictionaryRecords()];
        while (records.length < 40) records.push(gateway.record());
        let cloud = new Cloud();
        const acked = new Set<number>();
        const commit = () => {
          for (const { first, last } of storedOf(ackOf(cloud.core.commit()), gateway.epoch) ?? []) {
            for (let at = first; at <= last; at++) acked.add(at);
          }
        };
        for (const step of steps) {
          if (step === 'commit') commit();
          else if (step === 'kill') {
            cloud.inbox.close(); // What was received and not committed is gone.
            cloud = new Cloud({ path: cloud.path });
          } else cloud.receive(records[step]!.bytes);
        }
        commit();
        const rows = cloud.rows();
        const sequences = rows.map(({ row }) => row.sequence);
        expect(new Set(sequences).size).toBe(sequences.length);
        for (const sequence of acked) expect(sequences).toContain(sequence);
        for (const { row, readings } of rows) {
          const sent = records[row.sequence - 1];
          expect(Buffer.compare(row.bytes, sent!.bytes)).toBe(0);
          if (readings) expect(readings.values[0]).toBe(row.sequence);
        }
        cloud.inbox.close();
      },
    ),
    { numRuns: 40 },
  );
});

test('what happened long ago is backfill, though it comes in the lane of events', async () => {
  const cloud = new Cloud();
  const gateway = new SealingGateway(1);
  cloud.send(gateway.dictionaryRecords(), 'event');
  cloud.send([gateway.record({ lastMonoMs: 100_000 })]);
  const late = gateway.record({ lane: 'event', lastMonoMs: 69_000 });
  cloud.send([gateway.record({ lane: 'event', lastMonoMs: 99_000 }), late], 'event');
  expect(cloud.rows().map(({ row }) => row.lane)).toEqual([
    ...['event', 'event'],
    ...['live', 'event', 'backfill'],
  ]);
});
