// The alarms' loop: follows the inbox, and makes of each batch what people see. One batch is
// decoded, evaluated and journalled in one transaction with the cursor; then shown (current values,
// live stream); then notify is woken; then the inbox is told that the rows may leave. A crash
// between any two repeats work and changes nothing.
//
// A disk without room for the alarms ends nothing: what the batch did is undone, the rows wait in
// the inbox, and it is tried again each second; so is what is due by the clock, and what the broker
// said of a gateway.
import type { Clock } from '../core/clock.ts';
import type { Counter, Metrics } from '../core/metrics.ts';
import { decodeConfigurationState } from '../protocols/uplink/control.ts';
import { originAt } from '../protocols/uplink/origins.ts';
import { isPathTest } from './alarms/alarm.ts';
import type { AlarmConsumer, DesiredOf } from './alarms/consumer.ts';
import type { AlarmEvent } from './alarms/occurrences.ts';
import type { PathState } from './alarms/path-watch.ts';
import { alarmObject } from './api/alarm-routes.ts';
import { valueObject } from './api/routes.ts';
import type { EventStream } from './api/stream.ts';
import type { Current } from './current.ts';
import type { DecodedReadings, DecodedRecord, SeriesEntry } from './inbox/decoded.ts';
import { isFull } from './inbox/file.ts';
import type { InboxReader } from './inbox/reader.ts';

/**
 * At 3 B a reading some 20,000 readings, which take about 50 ms: so long the API, the timers and
 * the deliveries of notify wait at most, also while a backlog comes in.
 */
const BATCH_BYTES_MAX = 64 * 1024;

/** A full disk is asked again after this long. */
const FULL_RETRY_MS = 1_000;

/** Dictionaries remembered as met; beyond it they are looked through once more. */
const MET_MAX = 10_000;

export type FollowState = 'ok' | 'disk_full';

export interface FollowOptions {
  readonly reader: InboxReader;
  readonly alarms: AlarmConsumer;
  readonly current: Current;
  readonly series: Map<number, SeriesEntry>;
  readonly stream: EventStream;
  /** The alarms have their results of everything up to this row on disk. */
  readonly onPassed: (row: number) => void;
  /** Notifications may be waiting. */
  readonly onAlarms: () => void;
  /** Gateways are to go by other rules. */
  readonly onDesired: (list: readonly DesiredOf[]) => void;
  /** After the alarms' events are on the stream: what their followers have to tell. */
  readonly onTold?: () => void;
}

interface HeardPresence {
  readonly online: boolean;
  readonly sinceMs: number;
  readonly paths: readonly PathState[];
}

export class Follower {
  readonly #clock: Clock;
  readonly #options: FollowOptions;
  readonly #records: Counter;
  readonly #readings: Counter;
  #known = 0;
  /** What the broker said of gateways and the alarms have not taken. */
  readonly #unheard = new Map<string, HeardPresence>();
  readonly #stopping = new AbortController();
  readonly #full = new Set<string>();
  /** Gateways and the dictionaries that records of them went by. */
  readonly #met = new Set<string>();
  #isRunning = false;
  #running: Promise<void> = Promise.resolve();

  constructor(clock: Clock, metrics: Metrics, options: FollowOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#records = metrics.counter('alarms_records_total', 'Records the alarms have evaluated');
    this.#readings = metrics.counter('alarms_readings_total', 'Readings the alarms have evaluated');
    metrics.observe('alarms_lag_rows', 'Inbox rows not yet evaluated', {}, () =>
      Math.max(0, this.#known - options.alarms.cursor),
    );
  }

  /**
   * Rows up to this one can be read. Returns at once; `idle` resolves when all of them are done.
   */
  committed(lastRow: number): void {
    this.#known = Math.max(this.#known, lastRow);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  idle(): Promise<void> {
    return this.#running;
  }

  /** Of the disk that the alarms are on. */
  get state(): FollowState {
    return this.#full.size > 0 ? 'disk_full' : 'ok';
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      let records = 0;
      const isDone = this.#onDisk('rows', () => {
        records = this.step();
      });
      if (isDone ? records === 0 : signal.aborted) return;
      // Between batches the API, timers and confirmations have their turn.
      await this.#clock.sleep(isDone ? 0 : FULL_RETRY_MS, signal);
    }
  }

  /** False when the disk had no room: then nothing was done. */
  #onDisk(what: 'rows' | 'clock' | 'presence', work: () => void): boolean {
    try {
      work();
      this.#full.delete(what);
      return true;
    } catch (error) {
      if (!isFull(error)) throw error;
      this.#full.add(what);
      return false;
    }
  }

  /** Once a second: what is due by the clock, and what a full disk kept back. */
  tick(nowMs: number): void {
    this.#hear();
    const { alarms, onDesired } = this.#options;
    this.#onDisk('clock', () => {
      this.#told(alarms.tick(nowMs));
      onDesired(alarms.takeDesired(nowMs));
    });
    this.#options.onTold?.();
  }

  /** A gateway says by which rules it goes; a disk without room hears it with the next connect. */
  reported(gateway: string, payload: Uint8Array, nowMs: number): void {
    const state = decodeConfigurationState(payload);
    this.#onDisk('clock', () => this.#told(this.#options.alarms.reported(gateway, state, nowMs)));
  }

  /** What the broker knows of a gateway's connection, each time it changes. */
  presence(
    gateway: string,
    online: boolean,
    sinceMs: number,
    paths: readonly PathState[] = [],
  ): void {
    this.#unheard.set(gateway, { online, sinceMs, paths });
    this.#hear();
  }

  #hear(): void {
    const { alarms } = this.#options;
    for (const [gateway, { online, sinceMs, paths }] of this.#unheard) {
      const take = () => this.#told(alarms.presence(gateway, online, sinceMs, paths));
      if (!this.#onDisk('presence', take)) return;
      this.#unheard.delete(gateway);
    }
  }

  #told(events: readonly AlarmEvent[]): void {
    if (events.length === 0) return;
    this.tell(events);
    this.#options.onAlarms();
  }

  /** Waits for room no more; what is left waits in the inbox. */
  stop(): void {
    this.#stopping.abort();
  }

  /**
   * After a start: the store, from which the current values were restored, may be behind the
   * alarms. What it had not at `storeRow` is shown again, or a value would go back to an older one.
   */
  restore(storeRow: number): void {
    const { reader, alarms, current } = this.#options;
    for (let last = storeRow; last < alarms.cursor; ) {
      const rows = reader
        .rowsAfter(last, BATCH_BYTES_MAX)
        .filter(({ row }) => row <= alarms.cursor);
      const end = rows.at(-1);
      if (!end) return;
      for (const row of rows) {
        current.apply(reader.decode(row), (epoch) => alarms.orderOf(row.gateway, epoch));
      }
      last = end.row;
    }
  }

  /** One batch; returns how many records it had. */
  step(): number {
    const { reader, alarms, current, onPassed } = this.#options;
    const rows = reader.rowsAfter(alarms.cursor, BATCH_BYTES_MAX);
    if (rows.length === 0) return 0;
    const records = rows.map((row) => reader.decode(row));
    const events = alarms.apply(records, this.#clock.wallMs());
    for (const record of records) {
      this.#define(record);
      current.apply(record, (epoch) => alarms.orderOf(record.row.gateway, epoch));
      this.#records.add();
      if (record.isFill || !record.readings) continue;
      this.#readings.add(record.readings.count);
      if (!record.isState) this.#publish(record, record.readings);
    }
    this.#told(events);
    onPassed(alarms.cursor);
    return rows.length;
  }

  // By the record that brings a dictionary; where none did, by the first that goes by it.
  #define({ row, manifest, dictionary }: DecodedRecord): void {
    const { series } = this.#options;
    for (const entry of manifest?.entries ?? []) series.set(entry.series, entry);
    const key = `${row.gateway} ${dictionary?.hash}`;
    if (!dictionary || this.#met.has(key)) return;
    if (this.#met.size >= MET_MAX) this.#met.clear();
    this.#met.add(key);
    for (const entry of dictionary.entries) {
      if (!series.has(entry.series)) series.set(entry.series, entry);
    }
  }

  /** Alarm events, however they came about, on the live stream. */
  tell(events: readonly AlarmEvent[]): void {
    for (const { kind, alarm } of events) {
      if (isPathTest(alarm)) continue; // Nobody is to look at it; the supervision tells of it.
      this.#options.stream.publish({
        topic: 'alarms',
        name: `alarm.${kind}`,
        data: JSON.stringify(alarmObject(alarm)),
        assets: [alarm.asset],
      });
    }
    this.#options.onTold?.();
  }

  // One event a record and asset, so that a scoped reader gets what it may see and nothing else;
  // none for an asset nobody looks at: making it costs more than evaluating its alarms.
  #publish({ row }: DecodedRecord, readings: DecodedReadings): void {
    const { stream } = this.#options;
    const byAsset = new Map<string | null, object[] | null>();
    for (let at = 0; at < readings.count; at++) {
      const entry = this.#options.series.get(readings.series[at]!);
      if (!entry) continue;
      const { asset } = entry.definition;
      let list = byAsset.get(asset);
      if (list === undefined) {
        list = stream.wantsReadings(asset) ? [] : null;
        byAsset.set(asset, list);
      }
      if (list === null) continue;
      const value = readings.special.has(at) ? readings.special.get(at)! : readings.values[at]!;
      const origin = originAt(readings.origins, at);
      const reading = { atMs: readings.atMs[at]!, value, quality: readings.quality[at]!, origin };
      list.push({ series: entry.series, ...valueObject(entry, reading) });
    }
    for (const [asset, list] of byAsset) {
      if (list === null) {
        stream.leaveOut(asset);
        continue;
      }
      stream.publish({
        topic: 'readings',
        name: 'readings',
        data: JSON.stringify({ gateway: row.gateway, lane: row.lane, readings: list }),
        assets: [asset],
      });
    }
  }
}
