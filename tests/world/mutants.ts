// The product with one promise broken, by wiring around it: what the checkers must notice. Each mutant
// is a way such systems have really been built.
import type { AlarmConsumer } from '../../cloud/alarms/consumer.ts';
import type { AlarmTables } from '../../cloud/alarms/tables.ts';
import type { InboxCore } from '../../cloud/inbox/core.ts';
import type { DecodedRecord, Dictionary, SeriesEntry } from '../../cloud/inbox/decoded.ts';
import type { InboxReader } from '../../cloud/inbox/reader.ts';
import type { Quota } from '../../cloud/notify/channels/channel.ts';
import type { Notifier } from '../../cloud/notify/notifier.ts';
import type { Store } from '../../cloud/store/store.ts';
import type { Clock } from '../../core/clock.ts';
import { engineering } from '../../core/point.ts';
import type { Random } from '../../core/random.ts';
import type { Ledger } from '../../edge/commands/thread.ts';
import type { Command } from '../../protocols/uplink/control.ts';
import { openRecord } from '../../protocols/uplink/envelope.ts';
import type { WorldLedger } from './delivery.ts';
import type { Life } from './timeline.ts';

type Quotas = ReadonlyMap<string, readonly Quota[]>;
type FeedStore = Pick<Store, 'cursor' | 'apply'>;

/** Where a mutant may reach in; each gets the real part and gives what takes its place. */
export interface Mutant {
  readonly name: string;
  entropy(random: Random): Random;
  inbox<Inbox extends InboxCore>(inbox: Inbox, clock: Clock): Inbox;
  reader(reader: InboxReader): InboxReader;
  alarms(alarms: AlarmConsumer): AlarmConsumer;
  store(store: FeedStore, life: Life): FeedStore;
  /** A command as the cloud sends it, each time. */
  sent(command: Command): Command;
  /** The edge's, of one run. */
  ledger(ledger: Ledger): Ledger;
  /** What the pipeline takes from, of one run of the cloud. */
  queue(tables: AlarmTables): AlarmTables;
  notifier(notifier: Notifier): Notifier;
  deliveries(ledger: WorldLedger): WorldLedger;
  quotas(quotas: Quotas): Quotas;
  /** Whether confirmations are told to gateways, and whether those take them. */
  readonly tellsConfirm: boolean;
  readonly hearsConfirm: boolean;
}

export const healthy: Mutant = {
  name: 'healthy',
  entropy: (random) => random,
  inbox: (inbox) => inbox,
  reader: (reader) => reader,
  alarms: (alarms) => alarms,
  store: (store) => store,
  sent: (command) => command,
  ledger: (ledger) => ledger,
  queue: (tables) => tables,
  notifier: (notifier) => notifier,
  deliveries: (ledger) => ledger,
  quotas: (quotas) => quotas,
  tellsConfirm: true,
  hearsConfirm: true,
};

const COMMIT_LATE_MS = 400;

/** The ack leaves while the transaction is still open; it is committed with the next one. */
const ackBeforeCommit = (): Mutant => ({
  ...healthy,
  name: 'ack before commit',
  inbox: (inbox, clock) => {
    const begin = inbox.begin.bind(inbox);
    const commit = inbox.commit.bind(inbox);
    let sinceMs: number | null = null;
    inbox.begin = () => {
      if (sinceMs === null) begin();
    };
    inbox.commit = () => {
      sinceMs ??= clock.monoMs();
      if (clock.monoMs() - sinceMs < COMMIT_LATE_MS) return { lastRow: inbox.lastRow };
      sinceMs = null;
      return commit();
    };
    return inbox;
  },
});

/** The random bits of an epoch come from a serial number: a card that is put back repeats them. */
const epochReused = (): Mutant => ({
  ...healthy,
  name: 'epoch reused',
  entropy: (random) => ({
    next: () => random.next(),
    bytes: (length) => new Uint8Array(length).fill(7),
  }),
});

/** The cursor is saved first, the results after it. */
const cursorOutside = (): Mutant => {
  const cursors = new WeakMap<FeedStore, { row: number }>();
  return {
    ...healthy,
    name: 'cursor outside its transaction',
    store: (store, life) => {
      const saved = cursors.get(store) ?? { row: 0 };
      cursors.set(store, saved);
      return {
        cursor: async () => Math.max(saved.row, await store.cursor()),
        apply: (records, throughRow) => {
          saved.row = throughRow;
          life.pass('cloud between cursor and results');
          return store.apply(records, throughRow);
        },
      };
    },
  };
};

/** An alias is looked up in the newest list the gateway sent, whatever list the record names. */
const latestBirth = (): Mutant => ({
  ...healthy,
  name: 'alias taken from the latest birth',
  reader: (reader) => {
    const decode = reader.decode.bind(reader);
    const newest = new Map<string, readonly SeriesEntry[]>();
    reader.decode = (row) => {
      const record = decode(row);
      if (record.manifest) newest.set(row.gateway, record.manifest.entries);
      const entries = newest.get(row.gateway);
      const columns = row.note ? null : openRecord(row.bytes).body.readings;
      if (!entries || !record.readings || !columns) return record;
      const { count } = record.readings;
      const series = record.readings.series.slice();
      const values = record.readings.values.slice();
      for (let at = 0; at < count; at++) {
        const entry = entries[columns.alias[at]!];
        if (!entry) continue;
        series[at] = entry.series;
        values[at] = engineering(columns.numbers[at]!, entry.definition.scale, 0);
      }
      return { ...record, readings: { ...record.readings, series, values } };
    };
    return reader;
  },
});

/** Delays and order of the alarms go by the label of the wall clock. */
const wallWatermark = (): Mutant => {
  // As long as the clock is right, the label less what the epoch began with is the monotonic time.
  const begun = new Map<string, number>();
  const byWall = (record: DecodedRecord): DecodedRecord => {
    const { row, clock, readings, coverage } = record;
    if (!readings && coverage.length === 0) return record;
    const key = `${row.gateway} ${row.epoch}`;
    const offsetMs = begun.get(key) ?? clock.wallOffsetMs;
    begun.set(key, offsetMs);
    const aheadMs = clock.wallOffsetMs - offsetMs;
    return {
      ...record,
      readings: readings && { ...readings, monoMs: readings.monoMs.map((it) => it + aheadMs) },
      coverage: coverage.map((it) => ({
        ...it,
        fromMonoMs: it.fromMonoMs + aheadMs,
        toMonoMs: it.toMonoMs + aheadMs,
      })),
    };
  };
  return {
    ...healthy,
    name: 'wall-clock watermark',
    alarms: (alarms) => {
      const apply = alarms.apply.bind(alarms);
      alarms.apply = (records, nowMs) => apply(records.map(byWall), nowMs);
      return alarms;
    },
  };
};

/** What calls itself live is live, however old it is. */
const laneTrusted = (): Mutant => ({
  ...healthy,
  name: 'lane trusted blindly',
  inbox: (inbox) => {
    const put = inbox.put.bind(inbox);
    inbox.put = (record) => put({ ...record, lane: record.envelope.lane });
    return inbox;
  },
});

const PAGE_LATE_MS = 25_000;

/** A page is withheld for a while, against alarms that come and go. */
const pageWithheld = (): Mutant => ({
  ...healthy,
  name: 'page withheld',
  alarms: (alarms) => {
    const apply = alarms.apply.bind(alarms);
    const later = (entry: SeriesEntry): SeriesEntry => {
      const rules = entry.definition.rules.map((rule) => ({
        ...rule,
        onDelayMs: rule.onDelayMs + PAGE_LATE_MS,
      }));
      return { ...entry, definition: { ...entry.definition, rules } };
    };
    const slow = (dictionary: Dictionary): Dictionary => ({
      ...dictionary,
      entries: dictionary.entries.map(later),
    });
    alarms.apply = (records, nowMs) => {
      const slowed = records.map((record) => ({
        ...record,
        manifest: record.manifest && slow(record.manifest),
        ...(record.dictionary && { dictionary: slow(record.dictionary) }),
      }));
      return apply(slowed, nowMs);
    };
    return alarms;
  },
});

/** Labels are made with the clock of the epoch that a gateway had first. */
const labelOfFirstEpoch = (): Mutant => ({
  ...healthy,
  name: 'label taken from the wrong epoch',
  reader: (reader) => {
    const decode = reader.decode.bind(reader);
    const offsets = new Map<string, number>();
    reader.decode = (row) => {
      const record = decode(row);
      const offsetMs = offsets.get(row.gateway) ?? record.clock.wallOffsetMs;
      if (!row.note) offsets.set(row.gateway, offsetMs);
      if (!record.readings) return record;
      const atMs = record.readings.monoMs.map((monoMs) => monoMs + offsetMs);
      return { ...record, readings: { ...record.readings, atMs } };
    };
    return reader;
  },
});

/** What is taken from the queue leaves it before it is in the ledger. */
const pageLost = (): Mutant => ({
  ...healthy,
  name: 'page lost between queue and ledger',
  queue: (tables) => {
    const outgoing = tables.outgoing.bind(tables);
    tables.outgoing = (limit) => {
      const waiting = outgoing(limit);
      const last = waiting.at(-1);
      if (last) tables.dropOutgoing(last.seq);
      return waiting;
    };
    return tables;
  },
});

/** A try that nobody knows the end of is made again under a name of its own. */
const pageRenamed = (): Mutant => ({
  ...healthy,
  name: 'page sent again under a new id',
  notifier: (notifier) => ({
    send: ({ deliveries: [first, ...rest], links }, signal) => {
      const { id, attempts } = first;
      const named = attempts > 1 ? { ...first, id: `${id}-${attempts}` } : first;
      return notifier.send({ deliveries: [named, ...rest], links }, signal);
    },
  }),
});

/** Who answers ends what was sent to them, and nothing else. */
const chainGoesOn = (): Mutant => ({
  ...healthy,
  name: 'chain goes on after an answer',
  deliveries: (ledger) => {
    const calls = ledger.calls.bind(ledger);
    ledger.calls = (occurrence) => (ledger.isAnswering ? [] : calls(occurrence));
    return ledger;
  },
});

/** Everybody may use up what a provider takes. */
const noReserve = (): Mutant => ({
  ...healthy,
  name: 'quota without a reserve',
  quotas: (quotas) =>
    new Map([...quotas].map(([id, list]) => [id, list.map((it) => ({ ...it, reserve: 0 }))])),
});

const confirmKept = (): Mutant => ({
  ...healthy,
  name: 'confirmation not told to the site',
  tellsConfirm: false,
});

const confirmUnheard = (): Mutant => ({
  ...healthy,
  name: 'fallback fires after a confirmation',
  hearsConfirm: false,
});

/** Made anew for each world: some of them remember. */
export const mutants: readonly (() => Mutant)[] = [
  ackBeforeCommit,
  epochReused,
  cursorOutside,
  latestBirth,
  wallWatermark,
  laneTrusted,
  pageWithheld,
  labelOfFirstEpoch,
  pageLost,
  pageRenamed,
  chainGoesOn,
  noReserve,
  confirmKept,
  confirmUnheard,
];

/** What has no outcome yet is asked for anew: a lost reply is a second deed. */
const repeatUnderNewId = (): Mutant => {
  const times = new Map<string, number>();
  return {
    ...healthy,
    name: 'a repeat under a new id',
    sent: (command) => {
      const time = (times.get(command.id) ?? 0) + 1;
      times.set(command.id, time);
      return time === 1 ? command : { ...command, id: `${time}${command.id.slice(1)}` };
    },
  };
};

/** Time starts anew with each repeat. */
const repeatInNewTime = (): Mutant => ({
  ...healthy,
  name: 'a time to live that does not end',
  sent: (command) => ({ ...command, timeToLiveMs: 20 * command.timeToLiveMs }),
});

/** That it begins is on disk only with the outcome. */
const begunInMemory = (): Mutant => ({
  ...healthy,
  name: 'a beginning that is not on disk',
  ledger: (ledger) => ({
    ...ledger,
    put: (row, standing) =>
      row.state === 'started' ? Promise.resolve() : ledger.put(row, standing),
  }),
});

/** What came is not looked up: each copy is a command. */
const forgetful = (): Mutant => ({
  ...healthy,
  name: 'a ledger in which nothing is found',
  ledger: (ledger) => ({
    ...ledger,
    find: async (id) => ({ ...(await ledger.find(id)), row: null }),
  }),
});

/** Of worlds with commands. */
export const commandMutants: readonly (() => Mutant)[] = [
  repeatUnderNewId,
  repeatInNewTime,
  begunInMemory,
  forgetful,
];
