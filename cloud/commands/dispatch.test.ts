import { DatabaseSync } from 'node:sqlite';
import { beforeEach, expect, test } from 'vitest';
import type { Log } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { seededRandom } from '../../core/random.ts';
import type { Reply } from '../../protocols/uplink/control.ts';
import { decodeCommand, encodeReply } from '../../protocols/uplink/control.ts';
import { CommandedPlant, EPOCH, li, wish } from '../../tests/commanded-plant.ts';
import { EventStream } from '../api/stream.ts';
import type { GatewayPresence } from '../ingest/ingest.ts';
import { Dispatch } from './dispatch.ts';

let plant: CommandedPlant;
let dispatch: Dispatch;
let metrics: Metrics;
/** Topic and id of each message to the broker. */
let sent: string[];
let logged: string[];
/** Lines of the live stream, of everything and of well 2 alone. */
let whole: string[];
let scoped: string[];

beforeEach(() => {
  plant = new CommandedPlant(new DatabaseSync(':memory:'));
  plant.record();
  [sent, logged, whole, scoped] = [[], [], [], []];
  metrics = new Metrics();
  const note = (event: string) => {
    logged.push(event);
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const stream = new EventStream('s1');
  for (const [scope, lines] of [
    ['', whole],
    ['gas/well-2', scoped],
  ] as const) {
    const write = (text: string) => {
      lines.push(...text.split('\n').filter((line) => line.startsWith('event: command')));
    };
    const reader = { topics: new Set(['commands'] as const), scope, write, end: () => {} };
    stream.add({ ...reader, pendingBytes: () => 0 }, null);
  }
  const random = seededRandom(3);
  const { clock, alarms } = plant;
  dispatch = new Dispatch(clock, random, log, metrics, {
    ...{ alarms, stream, pointsOf: (gateway) => plant.points[gateway] ?? [] },
    registry: {
      database: plant.database,
      gateways: () => [{ id: 'gw-1', area: 'gas', createdMs: 0 }],
    },
    ingest: {
      publish: async (topic, payload, { qos, retain }) => {
        expect([qos, retain]).toEqual([1, false]);
        sent.push(`${topic} ${decodeCommand(payload).id.slice(0, 2)}`);
        return true;
      },
    },
  });
});

/** A number a path: of the connections it had. */
const presence = (online: boolean, ...connections: readonly number[]): GatewayPresence => ({
  ...{ gateway: 'gw-1', area: 'gas', online, lastHeardMs: 1, clock: 'synchronised' },
  ...{ software: '', configuration: '', manifest: '', connection: connections[0] ?? 0 },
  paths: connections.map((connection) => ({
    ...{ state: online ? 'up' : 'down', sinceMs: 0, heardMs: 0, connection, broker: 0 },
  })),
});

function ask(id: string): void {
  dispatch.commands.ask(wish({ id: id.repeat(16) }), li, 'x', plant.nowMs);
  dispatch.told();
}

function reply(id: string, changes: Partial<Reply> = {}): void {
  const said = { outcome: 'done', reason: 'none', detail: '', readBack: null } as const;
  const place = { epoch: EPOCH, monoMs: 5, issued: null };
  const payload = encodeReply({ id: id.repeat(16), ...said, ...place, ...changes });
  dispatch.answer({ kind: 'reply', area: 'gas', gateway: 'gw-1', payload });
}

test('a command goes to the topic of its gateway at once, and again when the gateway connects anew', () => {
  expect(() => ask('aa')).toThrow('gw-1 is not connected');
  dispatch.presence(presence(true, 4));
  ask('aa');
  dispatch.told();
  expect(sent).toEqual(['lifeline/v1/gas/gw-1/command aa']);
  dispatch.presence(presence(true, 4)); // Heard again, the same connection.
  expect(sent).toHaveLength(1);
  dispatch.presence(presence(true, 5));
  expect(sent).toHaveLength(2);
  dispatch.presence(presence(false, 5));
  dispatch.brokerUp();
  expect(sent).toHaveLength(2);
  dispatch.presence(presence(true, 5));
  expect(sent).toHaveLength(3);
  dispatch.presence(presence(true, 5, 1)); // By its second path.
  expect(sent).toHaveLength(4);
  reply('aa');
  dispatch.presence(presence(true, 6));
  dispatch.brokerUp();
  expect(sent).toHaveLength(4);
});

test('whoever follows sees each step of what lies in the scope, and nothing else', () => {
  dispatch.presence(presence(true, 1));
  ask('aa');
  reply('aa');
  reply('aa', { outcome: 'failed', reason: 'device_refused' });
  expect(whole).toEqual([
    ...['event: command.asked', 'event: command.issued', 'event: command.settled'],
    'event: command.late',
  ]);
  expect(scoped).toEqual([]);
});

test('replies are counted by what they are; one that nobody can read ends nothing', () => {
  dispatch.presence(presence(true, 1));
  ask('aa');
  reply('aa');
  reply('aa');
  reply('bb');
  const payload = Uint8Array.of(255, 255, 255);
  dispatch.answer({ kind: 'reply', area: 'gas', gateway: 'gw-1', payload });
  const text = metrics.render();
  expect(text).toMatch(/command_replies_total\{kind="settled"\} 1/);
  expect(text).toMatch(/command_replies_total\{kind="duplicate"\} 1/);
  expect(text).toMatch(/command_replies_total\{kind="stranger"\} 1/);
  expect(text).toMatch(/commands_settled_total\{outcome="done"\} 1/);
  expect(text).toMatch(/commands_open 0/);
  expect(logged).toEqual(['command_stranger', 'command_reply_refused']);
});

test('a disk without room takes no reply: the command is asked again, and answered', () => {
  dispatch.presence(presence(true, 1));
  const ids = Array.from({ length: 16 }, (_, at) => (0x10 + at).toString(16));
  for (const id of ids) ask(id);
  const { page_count: pages } = plant.database.prepare('PRAGMA page_count').get()!;
  plant.database.exec(`PRAGMA max_page_count = ${pages}`);
  for (const id of ids) reply(id, { detail: 'x'.repeat(900) });
  expect(logged).toContain('command_reply_refused');
  const open = dispatch.commands.issued().length;
  expect(open).toBeGreaterThan(0);
  plant.database.exec(`PRAGMA max_page_count = ${Number(pages) + 1_000}`);
  dispatch.brokerUp();
  expect(sent).toHaveLength(ids.length + open);
  for (const id of ids) reply(id, { detail: 'x'.repeat(900) });
  for (const id of ids) {
    const kinds = plant.kinds(id.repeat(16));
    expect(kinds).toEqual(['command-asked', 'command-issued', 'command-outcome']);
  }
});
