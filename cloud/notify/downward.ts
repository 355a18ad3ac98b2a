// That somebody has an alarm, told to the gateway that raised it, so that its local fallback rests.
//
// Promises. Whoever took an alarm is recorded in the transaction that says so, and told from there:
// 0, 5, 15 and 45 s after it while the gateway stays connected, and from the beginning again when
// it connects anew, when the cloud comes to the broker again and when the cloud itself starts, for
// as long as the alarm is open. Nothing comes back: the edge takes an occurrence that it does not
// know, or knows to be confirmed, for nothing new. To a gateway that is not there nothing is sent.
//
// What it does not promise: that the word comes in time. Then the fallback acts, as it is to.
//
// Beyond OPEN_MAX nothing further is recorded, which is counted; TURN_MAX go at a turn, the newest
// first: theirs are the limits at the edge that still run.
import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import { encodeConfirm } from '../../protocols/uplink/control.ts';
import { kinds, topicOf } from '../../protocols/uplink/topics.ts';
import { type Alarm, isOpen, isPathTest } from '../alarms/alarm.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import { isFull } from '../inbox/file.ts';
import type { GatewayPresence, Ingest } from '../ingest/ingest.ts';
import { connectionsOf } from '../ingest/presence.ts';
import { Statements, transact } from '../statements.ts';
import type { Handled } from './answers.ts';

/** After the first of a connection: what a broker or a link loses on the way is sent again. */
export const AGAIN_MS = [5_000, 15_000, 45_000] as const;
/** 10,000 rows of 200 bytes are 2 MB. */
export const OPEN_MAX = 10_000;
/** A message is some 100 bytes, a turn a second: 20 KB/s to all gateways together. */
export const TURN_MAX = 200;
/** What is over leaves the table so often. */
const SWEEP_MS = 60_000;
const PAGE = 1_000;

export interface DownwardOptions {
  readonly database: DatabaseSync;
  readonly alarms: Pick<AlarmConsumer, 'get' | 'list'>;
  readonly ingest: Pick<Ingest, 'publish'>;
}

interface Told extends Pick<Alarm, 'occurrence' | 'area' | 'gateway'> {
  readonly by: string;
  readonly atMs: number;
  /** In this connection. */
  times: number;
  firstMonoMs: number;
  /** Null: nothing more in this connection. */
  dueMonoMs: number | null;
}

export class Downward {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: DownwardOptions;
  readonly #statements: Statements;
  readonly #count: (what: 'sent' | 'left_out') => void;
  readonly #presence = new Map<string, GatewayPresence>();
  /** The newest last. */
  readonly #told = new Map<string, Told>();
  /** Recorded in a transaction of which nobody knows yet whether it stands. */
  readonly #fresh = new Set<string>();
  #rows = 0;
  #isCalled = false;
  #sweptMonoMs: number;

  constructor(clock: Clock, log: Log, metrics: Metrics, options: DownwardOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.#statements = new Statements(options.database);
    options.database.exec(`CREATE TABLE IF NOT EXISTS notify_downward (
      occurrence TEXT PRIMARY KEY, area TEXT NOT NULL, gateway TEXT NOT NULL, by TEXT NOT NULL,
      at_ms INTEGER NOT NULL
    ) STRICT`);
    const help = 'Confirmations to gateways: messages sent, alarms left out';
    this.#count = (what) => metrics.counter('notify_downward_total', help, { what }).add();
    const open = 'Open alarms whose gateway is told that somebody has them';
    metrics.observe('notify_downward_open', open, {}, () => this.#told.size);
    this.#sweptMonoMs = clock.monoMs();
    for (const row of this.#statements.all('SELECT * FROM notify_downward ORDER BY at_ms')) {
      this.#take(row);
    }
    this.#rows = this.#told.size;
    this.#onDisk(() => transact(options.database, () => this.#catchUp()));
  }

  /** Somebody has it: part of the caller's transaction, sent after it. */
  handled({ occurrence, by, atMs }: Handled): void {
    const alarm = this.#options.alarms.get(occurrence);
    if (!alarm || !isOfEdge(alarm)) return;
    this.#add(alarm, by, atMs);
    if (this.#isCalled) return;
    this.#isCalled = true;
    queueMicrotask(() => {
      this.#isCalled = false;
      this.#takeFresh();
    });
  }

  /** Once a second: what is due is sent. */
  turn(): void {
    const nowMs = this.#clock.monoMs();
    if (nowMs - this.#sweptMonoMs >= SWEEP_MS) this.#sweep(nowMs);
    this.#takeFresh();
    let left = TURN_MAX;
    for (const told of [...this.#told.values()].reverse()) {
      if (left === 0) return;
      if (this.#sendDue(told, nowMs)) left--;
    }
  }

  // What is new goes at once; more of it than goes at a turn waits for that.
  #takeFresh(): void {
    if (this.#options.database.isTransaction) return;
    const nowMs = this.#clock.monoMs();
    let left = TURN_MAX;
    for (const occurrence of this.#fresh) {
      if (left === 0) return;
      this.#fresh.delete(occurrence);
      const sql = 'SELECT * FROM notify_downward WHERE occurrence = ?';
      const row = this.#statements.one(sql, occurrence);
      if (!row) this.#rows--;
      else if (this.#sendDue(this.#take(row), nowMs)) left--;
    }
  }

  #sendDue(told: Told, nowMs: number): boolean {
    if (told.dueMonoMs === null || told.dueMonoMs > nowMs) return false;
    if (this.#presence.get(told.gateway)?.online !== true) return false;
    if (this.#isOver(told.occurrence)) {
      this.#told.delete(told.occurrence);
      return false;
    }
    this.#send(told, nowMs);
    return true;
  }

  /** A gateway came, went, or has connected anew. */
  presence(now: GatewayPresence): void {
    const before = this.#presence.get(now.gateway);
    this.#presence.set(now.gateway, now);
    if (!now.online) return;
    if (before?.online && connectionsOf(before) === connectionsOf(now)) return;
    this.#again((gateway) => gateway === now.gateway);
  }

  /** The cloud is at the broker again, which may have lost what was sent. */
  brokerUp(): void {
    this.#again(() => true);
  }

  #again(isMeant: (gateway: string) => boolean): void {
    const nowMs = this.#clock.monoMs();
    for (const told of this.#told.values()) {
      if (isMeant(told.gateway)) Object.assign(told, { times: 0, dueMonoMs: nowMs });
    }
    this.turn();
  }

  #send(told: Told, nowMs: number): void {
    const { area, gateway, occurrence, by, atMs, times } = told;
    if (times === 0) told.firstMonoMs = nowMs;
    const afterMs = AGAIN_MS[times];
    told.dueMonoMs = afterMs === undefined ? null : told.firstMonoMs + afterMs;
    told.times++;
    const { qos, retain } = kinds.confirm;
    const payload = encodeConfirm({ occurrence, by, atMs });
    void this.#options.ingest.publish(topicOf(area, gateway, 'confirm'), payload, { qos, retain });
    this.#count('sent');
  }

  // The first who took it stays.
  #add({ occurrence, area, gateway }: Alarm, by: string, atMs: number): void {
    if (this.#rows >= OPEN_MAX) {
      this.#count('left_out');
      this.#log.warn('downward_full', { occurrence, gateway });
      return;
    }
    const sql = 'INSERT OR IGNORE INTO notify_downward VALUES (?, ?, ?, ?, ?)';
    const added = this.#statements.run(sql, occurrence, area, gateway, by, Math.round(atMs));
    if (Number(added.changes) === 0) return;
    this.#rows++;
    this.#fresh.add(occurrence);
  }

  #take(row: Record<string, unknown>): Told {
    const nowMs = this.#clock.monoMs();
    const told: Told = {
      ...{ occurrence: String(row['occurrence']), area: String(row['area']) },
      ...{ gateway: String(row['gateway']), by: String(row['by']), atMs: Number(row['at_ms']) },
      ...{ times: 0, firstMonoMs: nowMs, dueMonoMs: nowMs },
    };
    this.#told.set(told.occurrence, told);
    return told;
  }

  // Acknowledged, and the cloud ended before it could be recorded here.
  #catchUp(): void {
    const { alarms } = this.#options;
    for (let before: number | undefined; ; ) {
      const page = alarms.list({ state: 'open', limit: PAGE, ...(before && { before }) });
      for (const alarm of page) {
        const { acknowledgedMs, acknowledgedBy } = alarm;
        if (acknowledgedMs === null || !isOfEdge(alarm)) continue;
        this.#add(alarm, acknowledgedBy ?? '', acknowledgedMs);
      }
      before = page.at(-1)?.number;
      if (page.length < PAGE) return;
    }
  }

  #sweep(nowMs: number): void {
    this.#sweptMonoMs = nowMs;
    this.#onDisk(() => {
      const rows = this.#statements.all('SELECT occurrence FROM notify_downward');
      for (const { occurrence } of rows) {
        if (!this.#isOver(String(occurrence))) continue;
        this.#statements.run(
          'DELETE FROM notify_downward WHERE occurrence = ?',
          String(occurrence),
        );
        this.#told.delete(String(occurrence));
        this.#rows--;
      }
    });
  }

  #isOver(occurrence: string): boolean {
    const alarm = this.#options.alarms.get(occurrence);
    return !alarm || !isOpen(alarm);
  }

  // A disk without room keeps rows that are over for longer, and is asked again.
  #onDisk(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }
}

// A gateway that is silent hears nothing, and a test of the path is nobody's to have.
function isOfEdge(alarm: Alarm): boolean {
  return alarm.kind !== 'gateway' && !isPathTest(alarm) && isOpen(alarm);
}
