// The alarms alone, over a database file as the cloud has it (WAL, synchronous FULL), with incidents
// and annunciations following: rules that are filled in, records that are decoded already, and what
// is in the tables afterwards. Without broker, ingest, store and API.
import { DatabaseSync } from 'node:sqlite';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AlarmConsumer } from '../../cloud/alarms/consumer.ts';
import { EventStream } from '../../cloud/api/stream.ts';
import type { DecodedRecord } from '../../cloud/inbox/decoded.ts';
import { Storms } from '../../cloud/storms.ts';
import type { LimitRule } from '../../core/alarm/rule.ts';
import { Metrics } from '../../core/metrics.ts';
import { GOOD } from '../../core/quality.ts';
import { serve } from '../side.ts';

export interface AlarmsSettings {
  readonly file: string;
  readonly gateways: number;
  /** Points a gateway, each a series with one limit rule. */
  readonly points: number;
  /** Parts of the network that the gateways are in turn. */
  readonly places: number;
  /** Where the gateways were when another process ended. */
  readonly resumed?: Whereabouts;
}

export interface Whereabouts {
  readonly nowMs: number;
  /** Of each gateway's newest record. */
  readonly sequences: readonly number[];
}

export interface Timed {
  readonly wallS: number;
  readonly cpuS: number;
}

export interface Opened extends Timed {
  readonly bytes: number;
}

export interface Evaluated extends Timed {
  readonly evaluations: number;
}

export interface Taken extends Timed {
  readonly alarms: number;
  /** From the last record being there to its alarms being committed. */
  readonly lastMs: number;
  readonly worstMs: number;
}

export interface Counted {
  readonly alarms: number;
  readonly journalled: number;
  readonly members: number;
  readonly annunciated: number;
  readonly incidents: number;
  readonly floods: number;
}

export const LIMIT = 50;
const PERIOD_MS = 1_000;
const START_MS = 1_790_000_000_000;
const EPOCH = '1-00000000000000aa';
/** Every tenth record says what it covers, as an edge does. */
const COVERED_EVERY = 10;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

serve(async ({ file, gateways, points, places, resumed }: AlarmsSettings) => {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  let alarms: AlarmConsumer | null = null;
  const plant = new Plant(
    points,
    resumed ?? { nowMs: START_MS, sequences: Array(gateways).fill(0) },
  );
  const open = () => {
    alarms = new AlarmConsumer(database);
    const stream = new EventStream('bench');
    const utcOffsetMs = 8 * 3_600_000;
    new Storms(new Metrics(), { database, alarms, stream, desks: [], utcOffsetMs });
    plant.row = alarms.cursor;
    return alarms;
  };
  const opened = () => alarms ?? open();
  const count = (sql: string) => Number(database.prepare(sql).get()?.['n']);
  return {
    fill: () => fill(opened(), { gateways, points, places }),
    /** Reads everything back, as a start does; the bytes are what it takes in memory. */
    open: (): Opened => {
      collect();
      const before = process.memoryUsage().rss;
      const took = timed(open);
      collect();
      return { ...took, bytes: process.memoryUsage().rss - before };
    },
    /** One reading a series and round; `recordsAtOnce` records a transaction. */
    evaluate: ({ rounds, recordsAtOnce }: { rounds: number; recordsAtOnce: number }): Evaluated => {
      const own = opened();
      let [wallS, cpuS] = [0, 0];
      for (let round = 0; round < rounds; round++) {
        const records = plant.round(() => 20 + (round % 10));
        const took = timed(() => {
          for (let at = 0; at < records.length; at += recordsAtOnce) {
            own.apply(records.slice(at, at + recordsAtOnce), plant.nowMs);
          }
        });
        wallS += took.wallS;
        cpuS += took.cpuS;
      }
      return { evaluations: rounds * gateways * points, wallS, cpuS };
    },
    /** So many alarms, so many a transaction, at a pace or (0) as fast as it goes. */
    raise: async (asked: { alarms: number; atOnce: number; everyMs: number }): Promise<Taken> => {
      const own = opened();
      let [wallS, cpuS, lastMs, worstMs] = [0, 0, 0, 0];
      for (let from = 0; from < asked.alarms; from += asked.atOnce) {
        const records = plant.beyond(from, Math.min(asked.alarms, from + asked.atOnce));
        const took = timed(() => own.apply(records, plant.nowMs));
        lastMs = took.wallS * 1_000;
        worstMs = Math.max(worstMs, lastMs);
        wallS += took.wallS;
        cpuS += took.cpuS;
        const waitMs = asked.everyMs - lastMs;
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
      return { alarms: asked.alarms, wallS, cpuS, lastMs, worstMs };
    },
    count: (): Counted => ({
      alarms: count('SELECT count(*) AS n FROM alarms'),
      journalled: count(`SELECT count(*) AS n FROM alarm_journal WHERE kind = 'alarm-raised'`),
      members: count('SELECT count(*) AS n FROM alarm_incident_members'),
      annunciated: count('SELECT count(*) AS n FROM alarm_annunciations'),
      incidents: count('SELECT count(*) AS n FROM alarm_incidents WHERE is_merged = 0'),
      floods: count('SELECT count(*) AS n FROM alarm_floods'),
    }),
    where: (): Whereabouts => plant.where,
    end: () => database.close(),
  };
});

function timed(work: () => void): Timed {
  const cpu = process.cpuUsage();
  const wallMs = performance.now();
  work();
  const { user, system } = process.cpuUsage(cpu);
  return { wallS: (performance.now() - wallMs) / 1_000, cpuS: (user + system) / 1_000_000 };
}

// Straight into the tables: how rules come to be adopted is not what is measured.
function fill(alarms: AlarmConsumer, of: Omit<AlarmsSettings, 'file'>): void {
  const rule: LimitRule = {
    ...{ id: 'high', kind: 'limit', side: 'high', limit: LIMIT, deadband: 2, level: 2 },
    ...{ onDelayMs: 0, offDelayMs: 0, action: { en: 'Close the valve', zh: '关闭阀门' } },
    title: { en: 'Methane high', zh: '甲烷浓度过高' },
  };
  const own = { version: 1, author: 'gateway', reason: 'proposed', proposed: null, retired: false };
  alarms.tables.transact(() => {
    for (let gateway = 0; gateway < of.gateways; gateway++) {
      for (let point = 0; point < of.points; point++) {
        const series = gateway * of.points + point + 1;
        const part = `gas/part-${gateway % of.places}`;
        alarms.tables.putSeries({
          ...{ series, area: 'gas', gateway: nameOf(gateway), device: `d${point % 10}` },
          ...{ point: `p${point}`, name: { en: 'Methane', zh: '甲烷' }, unit: '%{LEL}' },
          ...{
            class: 'life-safety',
            scale: 1,
            offset: 0,
            periodMs: PERIOD_MS,
            asset: `${part}/well-${gateway}`,
          },
        });
        // Limits differ, so that no two documents are one.
        const limit = LIMIT + (series % 1_000) / 1_000;
        alarms.tables.putRule({ series, rule: { ...rule, limit }, ...own });
      }
    }
  });
}

const nameOf = (gateway: number) => `gw-${gateway}`;

/** Gateways that send: one record each a round, with a reading of every point. */
class Plant {
  row = 0;
  /** Wall time of what is sent. */
  nowMs: number;
  readonly #points: number;
  readonly #sequences: number[];
  #round = 0;

  constructor(points: number, { nowMs, sequences }: Whereabouts) {
    this.#points = points;
    this.nowMs = nowMs;
    this.#sequences = [...sequences];
  }

  get where(): Whereabouts {
    return { nowMs: this.nowMs, sequences: this.#sequences };
  }

  round(readingOf: (series: number) => number): DecodedRecord[] {
    this.#tick();
    const isCovered = this.#round % COVERED_EVERY === 0;
    return this.#sequences.map((_, gateway) => {
      const first = gateway * this.#points + 1;
      const numbers = Uint32Array.from({ length: this.#points }, (_, at) => first + at);
      return this.#record(gateway, numbers, Float64Array.from(numbers, readingOf), isCovered);
    });
  }

  /** Alarms number `from` to `until`, in turn over the gateways. */
  beyond(from: number, until: number): DecodedRecord[] {
    this.#tick();
    const gateways = this.#sequences.length;
    const byGateway = new Map<number, number[]>();
    for (let nth = from; nth < until; nth++) {
      const gateway = nth % gateways;
      const series = gateway * this.#points + Math.floor(nth / gateways) + 1;
      const known = byGateway.get(gateway);
      if (known) known.push(series);
      else byGateway.set(gateway, [series]);
    }
    return [...byGateway].map(([gateway, series]) =>
      this.#record(
        gateway,
        Uint32Array.from(series),
        new Float64Array(series.length).fill(90),
        false,
      ),
    );
  }

  #tick(): void {
    this.#round++;
    this.nowMs += PERIOD_MS / 10;
  }

  #record(
    gateway: number,
    series: Uint32Array,
    values: Float64Array,
    isCovered: boolean,
  ): DecodedRecord {
    const monoMs = this.nowMs - START_MS;
    const { length: count } = series;
    const sequence = ++this.#sequences[gateway]!;
    const place = { area: 'gas', gateway: nameOf(gateway), epoch: EPOCH, sequence };
    const span = { fromMonoMs: monoMs - PERIOD_MS, toMonoMs: monoMs, atMs: this.nowMs };
    const covered = { series: [...series], ...span, taken: count, unchanged: 0, failed: 0 };
    return {
      row: { ...place, row: ++this.row, lane: 'live', receivedMs: this.nowMs, bytes: NO_BYTES },
      clock: { wallOffsetMs: START_MS, state: 'synchronised', errorMs: 10 },
      isState: false,
      readings: {
        ...{ count, series, values, special: new Map(), quality: new Uint8Array(count).fill(GOOD) },
        monoMs: new Float64Array(count).fill(monoMs),
        atMs: new Float64Array(count).fill(this.nowMs),
      },
      coverage: isCovered ? [covered] : [],
      ...{ gaps: [], clockSteps: [], manifest: null },
    };
  }
}

const NO_BYTES = new Uint8Array();
