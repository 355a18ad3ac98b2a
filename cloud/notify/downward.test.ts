import { DatabaseSync } from 'node:sqlite';
import { beforeEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { decodeConfirm } from '../../protocols/uplink/control.ts';
import { type Alarm, UNMARKED } from '../alarms/alarm.ts';
import { AlarmTables } from '../alarms/tables.ts';
import type { GatewayPresence } from '../ingest/ingest.ts';
import { transact } from '../statements.ts';
import { sampleAlarm } from './channels/channel.contract.ts';
import { Downward, OPEN_MAX, TURN_MAX } from './downward.ts';

let clock: SimClock;
let database: DatabaseSync;
let tables: AlarmTables;
let downward: Downward;
/** Second, topic, occurrence and by whom, of each message. */
let sent: string[];

beforeEach(() => {
  clock = new SimClock();
  database = new DatabaseSync(':memory:');
  tables = new AlarmTables(database);
  start();
});

function start(): void {
  sent = [];
  const startMs = clock.monoMs();
  downward = new Downward(clock, silentLog, new Metrics(), {
    database,
    alarms: { get: (id) => tables.get(id), list: (filter) => tables.list(filter ?? {}) },
    ingest: {
      publish: async (topic, payload, { qos, retain }) => {
        expect([qos, retain]).toEqual([1, false]);
        const { occurrence, by } = decodeConfirm(payload);
        sent.push(`${(clock.monoMs() - startMs) / 1000} ${topic} ${occurrence} ${by}`);
        return true;
      },
    },
  });
}

function insert(occurrence: string, changes: Partial<Alarm> = {}): void {
  const { number: _, state: __, revision: ___, ...alarm } = sampleAlarm;
  const acknowledged = { acknowledgedMs: null, acknowledgedBy: null };
  tables.insert({ ...alarm, ...UNMARKED, kind: 'limit', occurrence, ...acknowledged, ...changes });
}

const handled = (occurrence: string, by = 'zhang') =>
  transact(database, () =>
    downward.handled({ occurrence, by, atMs: clock.wallMs(), how: 'answer' }),
  );

const presence = (online: boolean, connection: number, gateway = 'gas-1'): GatewayPresence => ({
  ...{ gateway, area: 'gas', online, connection, lastHeardMs: 1, clock: 'synchronised' },
  ...{ software: '', configuration: '', manifest: '' },
  paths: [
    { state: online ? 'up' : 'down', sinceMs: 0, heardMs: 0, connection, broker: 0 } as const,
  ],
});

async function pass(seconds: number): Promise<void> {
  for (let at = 0; at < seconds; at++) {
    await clock.advance(1_000);
    downward.turn();
  }
}

test('who has an alarm is told to its gateway at once and three times more, and no further', async () => {
  insert('a');
  downward.presence(presence(true, 1));
  handled('a');
  await pass(300);
  const line = (second: number) => `${second} lifeline/v1/gas/gas-1/confirm a zhang`;
  expect(sent).toEqual([0, 5, 15, 45].map(line));
});

test('each connect of the gateway, and of the cloud to the broker, begins anew; a broken line gets nothing', async () => {
  insert('a');
  handled('a');
  await pass(100);
  expect(sent).toEqual([]);
  downward.presence(presence(true, 1));
  await pass(20);
  downward.presence(presence(false, 1));
  await pass(100);
  expect(sent).toHaveLength(3);
  downward.presence(presence(true, 2));
  expect(sent).toHaveLength(4);
  // Heard again of the same connection.
  downward.presence(presence(true, 2));
  expect(sent).toHaveLength(4);
  await pass(60);
  expect(sent).toHaveLength(7);
  downward.brokerUp();
  expect(sent).toHaveLength(8);
});

test('a restart of the cloud begins anew, and finds what was acknowledged before it could be noted', async () => {
  insert('a');
  insert('b', { acknowledgedMs: 5, acknowledgedBy: 'li' });
  insert('c');
  handled('a');
  start();
  downward.presence(presence(true, 1));
  expect(sent.map((line) => line.split(' ').slice(2).join(' ')).sort()).toEqual([
    'a zhang',
    'b li',
  ]);
});

test('what was undone with its transaction is told to nobody', async () => {
  insert('a');
  downward.presence(presence(true, 1));
  const undone = () =>
    transact(database, () => {
      downward.handled({ occurrence: 'a', by: 'zhang', atMs: 0, how: 'desk' });
      throw new RangeError('full');
    });
  expect(undone).toThrow('full');
  await pass(60);
  expect(sent).toEqual([]);
});

test('what is over is told no more and leaves the table; the first who had it stays', async () => {
  insert('a');
  handled('a');
  handled('a', 'li');
  const alarm = tables.get('a')!;
  downward.presence(presence(true, 1));
  expect(sent).toEqual(['0 lifeline/v1/gas/gas-1/confirm a zhang']);
  tables.update(alarm, { clearedMs: 9, acknowledgedMs: 9, acknowledgedBy: 'li' });
  await pass(61);
  expect(sent).toHaveLength(1);
  expect(database.prepare('SELECT count(*) AS n FROM notify_downward').get()).toEqual({ n: 0 });
});

test('a test of the path, a silent gateway and an alarm that is not there are told to nobody', async () => {
  insert('test', { purpose: 'path-test' });
  insert('silent', { kind: 'gateway' });
  downward.presence(presence(true, 1));
  for (const name of ['test', 'silent', 'none']) handled(name);
  await pass(5);
  expect(sent).toEqual([]);
});

test('a turn sends so many and the next the rest, the newest first', async () => {
  for (let at = 0; at <= TURN_MAX; at++) {
    insert(`a${at}`);
    handled(`a${at}`);
    await clock.advance(1);
  }
  await clock.advance(0);
  downward.presence(presence(true, 1));
  expect(sent).toHaveLength(TURN_MAX);
  expect(sent[0]).toContain(` a${TURN_MAX} `);
  expect(OPEN_MAX).toBeGreaterThan(TURN_MAX);
  downward.turn();
  expect(sent).toHaveLength(TURN_MAX + 1);
});
