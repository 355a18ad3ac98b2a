// What really happened, written down at the borders of the nodes by somebody who is not part of
// them: each record as its outbox was given it, what was on disk when, what the cloud's inbox has,
// what the desk was told. The checkers compare the two ends with it.
import type { Delivery } from '../../cloud/notify/notifier.ts';
import { engineering } from '../../core/point.ts';
import { isBad } from '../../core/quality.ts';
import type { Entry } from '../../edge/outbox/batch.ts';
import { openRecord, readEnvelope } from '../../protocols/uplink/envelope.ts';
import type { Epoch, Gap } from '../../protocols/uplink/record.ts';
import type { SiteWord } from './fallback.ts';
import type { GatewaySetting, PlantPoint, PointSetting, Span } from './plant.ts';
import { pointsOf, told } from './plant.ts';

/**
 * The one that stays is believed 30 s after the other was last heard, which may be a delay of 8 s
 * after its end; what it reported meanwhile shows with the next change, which a value that stands
 * still for 15 s has within 20 s.
 */
const TWIN_AFTER_MS = 60_000;

export interface WitnessedReading {
  readonly setting: PointSetting;
  readonly monoMs: number;
  /** Null where the reading is bad. */
  readonly raw: number | null;
}

export interface WitnessedRecord {
  readonly sequence: number;
  /** True time at which it was first seen at a border, no earlier than it was sealed. */
  readonly seenMs: number;
  readonly taken: number;
  readonly unchanged: number;
  readonly readings: readonly WitnessedReading[];
  readonly gaps: readonly Gap[];
  /** Coverage with failed polls in it. */
  readonly failures: readonly {
    readonly device: string;
    readonly fromMs: number;
    readonly toMs: number;
  }[];
  readonly isState: boolean;
  /** What a device remembered: stored, and outside order and account as state is. */
  readonly isFill: boolean;
  /** It brings a part of a dictionary. */
  readonly isPart: boolean;
  /** What its clock said when it was sealed. */
  readonly clock: { readonly offsetMs: number; readonly isUnknown: boolean };
  /** Monotonic times at which its epoch learned the time, as it tells. */
  readonly learnedMonoMs: readonly number[];
}

/** Of the collector, in readings, at the end of a life or at the last look. */
export interface PollerCounts {
  readonly due: number;
  readonly taken: number;
  readonly missed: number;
}

export class EpochFacts {
  readonly gateway: string;
  /** The machine it ran on: a twin is another machine of the same name. */
  readonly box: string;
  readonly epoch: Epoch;
  /** True time at which its monotonic time began. */
  readonly openedMs: number;
  readonly settings: readonly PointSetting[];
  readonly setting: GatewaySetting;
  /** Everything its outbox was ever given, by sequence. */
  readonly sealed = new Map<number, WitnessedRecord>();
  /** Sequences that were on its card. */
  readonly committed = new Set<number>();
  /** Sequences whose records were damaged before anybody sent or kept them. */
  readonly poisoned = new Set<number>();
  /** Sequences whose records the present inbox of the cloud has taken. */
  readonly stored = new Set<number>();
  /** When the present inbox took each of them. */
  readonly cameMs = new Map<number, number>();
  /** Labels its clock has given: wall minus monotonic time. */
  readonly offsets = new Set<number>();
  lastCommitMs: number;
  /** When the present inbox of the cloud took its first record. */
  heardMs: number | null = null;
  endMs: number | null = null;
  /** When it was told to end in order: from then on nothing more is due. */
  stoppedMs: number | null = null;
  end: 'clean' | 'killed' | null = null;
  counts: PollerCounts = { due: 0, taken: 0, missed: 0 };
  /** What was on its card only is gone with the card. */
  isCardLost = false;

  constructor(
    gateway: string,
    box: string,
    epoch: Epoch,
    openedMs: number,
    setting: GatewaySetting,
  ) {
    this.gateway = gateway;
    this.box = box;
    this.epoch = epoch;
    this.openedMs = openedMs;
    this.lastCommitMs = openedMs;
    this.setting = setting;
    this.settings = pointsOf(setting);
  }
}

/** A page as the desk got it, the first time it came. */
export interface Page {
  readonly id: string;
  readonly receiver: string;
  readonly firstMs: number;
  count: number;
  confirmedMs: number | null;
}

export interface Raised {
  readonly occurrence: string;
  readonly key: string;
  /** By a cloud that had lost its store, from the first it heard of the gateway again. */
  readonly isFirstHeard: boolean;
  readonly atMs: number;
  /**
   * Of the newest reading of its point that the alarms had: when it was true, and whether beyond.
   */
  readonly newest: { readonly atMs: number; readonly isBeyond: boolean } | null;
}

export class Witness {
  readonly epochs = new Map<Epoch, EpochFacts>();
  readonly pages = new Map<string, Page>();
  /** By id of a notification: when the cloud had it on disk that somebody has it. */
  readonly handled = new Map<string, number>();
  /** What gateways with a local fallback did, and heard. */
  readonly siteWords: SiteWord[] = [];
  /** By machine: when its output was driven. */
  readonly driven: { readonly box: string; readonly atMs: number }[] = [];
  /** Troubles of a gateway's own disk, by gateway. */
  readonly edgeFaults: { readonly who: string; readonly toMs: number }[] = [];
  /** What was sent to receivers, each time, with the worst level in it. */
  readonly messages: {
    readonly receiver: string;
    readonly atMs: number;
    readonly level: number;
  }[] = [];
  /** The clock of the cloud was set in between: what it remembers of times is not true. */
  isCloudClockSet = false;
  /** Machines that were given an older card. */
  readonly oldCards = new Set<string>();
  readonly raised: Raised[] = [];
  readonly problems: string[] = [];
  /** By point: the newest value that was shown as current, by the tick in it. */
  readonly shown = new Map<string, number>();
  /** By gateway: when another machine of its name was switched on. */
  readonly twins = new Map<string, Span>();
  /** When something was wrong, whoever it concerned. */
  readonly faults: Span[] = [];
  clones = 0;
  wipes = 0;
  readonly trace: string[] = [];
  readonly #isVerbose: boolean;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number, isVerbose: boolean) {
    this.#nowMs = nowMs;
    this.#isVerbose = isVerbose;
  }

  say(who: string, what: string): void {
    if (!this.#isVerbose) return;
    const seconds = (this.#nowMs() / 1000).toFixed(3).padStart(9);
    this.trace.push(`${seconds} ${who.padEnd(8)} ${what}`);
  }

  /** Whether two machines had the name of a gateway in a time, or shortly before it. */
  hadTwin(gateway: string, fromMs: number, toMs = fromMs): boolean {
    const span = this.twins.get(gateway);
    return span !== undefined && toMs >= span.fromMs && fromMs <= span.toMs + TWIN_AFTER_MS;
  }

  /** A change of a delivery that is on disk. */
  delivered({ id, state }: Delivery): void {
    if (state === 'confirmed' || state === 'acted') this.taken(id);
  }

  taken(id: string): void {
    if (!this.handled.has(id)) this.handled.set(id, this.#nowMs());
  }

  faulty(forMs: number): void {
    this.faults.push({ fromMs: this.#nowMs(), toMs: this.#nowMs() + forMs });
  }

  problem(checker: string, what: string): void {
    this.problems.push(`${checker}: ${what}`);
  }

  epochOpened(facts: EpochFacts): void {
    if (this.epochs.has(facts.epoch)) {
      this.problem('epoch opened once', `${facts.gateway} opened ${facts.epoch} again`);
      return;
    }
    this.epochs.set(facts.epoch, facts);
  }

  /** A record on its way to the disk or to the broker; null when it was seen before. */
  sealed(facts: EpochFacts, bytes: Uint8Array): WitnessedRecord | null {
    const reading = readEnvelope(bytes);
    if (!reading.ok || reading.envelope.epoch !== facts.epoch) return null;
    const { sequence, taken, unchanged } = reading.envelope;
    if (facts.sealed.has(sequence)) return null;
    const {
      clock,
      clockSteps,
      isState,
      isFill = false,
      gaps,
      coverage,
      readings: columns,
      dictionary,
    } = openRecord(bytes).body;
    facts.offsets.add(clock.wallOffsetMs);
    const readings: WitnessedReading[] = [];
    for (let at = 0; at < (columns?.count ?? 0); at++) {
      const { alias, monoMs, quality, numbers } = columns!;
      const setting = facts.settings[alias[at]!]!;
      const raw = isBad(quality[at]!) ? null : numbers[at]!;
      readings.push({ setting, monoMs: monoMs[at]!, raw });
    }
    const failures = coverage
      .filter(({ failed }) => failed > 0)
      .map(({ firstAlias, fromMonoMs, toMonoMs }) => ({
        device: facts.settings[firstAlias]!.point.device,
        fromMs: facts.openedMs + fromMonoMs,
        toMs: facts.openedMs + toMonoMs,
      }));
    const counts = { sequence, taken, unchanged };
    const isPart = dictionary !== null;
    const stamp = { offsetMs: clock.wallOffsetMs, isUnknown: clock.state === 'unknown' };
    const learnedMonoMs = clockSteps
      .filter(({ state }) => state !== 'unknown')
      .map(({ monoMs }) => monoMs);
    const kind = { isState, isFill, isPart };
    const told = { readings, gaps, failures, ...kind, clock: stamp, learnedMonoMs };
    const record = { ...counts, seenMs: this.#nowMs(), ...told };
    facts.sealed.set(sequence, record);
    return record;
  }

  committed(facts: EpochFacts, entries: readonly Entry[]): void {
    for (const { record } of entries) facts.committed.add(record.sequence);
    facts.lastCommitMs = this.#nowMs();
  }

  /** The cloud's inbox has it on disk. */
  stored(epoch: Epoch, sequence: number): void {
    const facts = this.epochs.get(epoch);
    if (!facts) return;
    facts.stored.add(sequence);
    if (!facts.cameMs.has(sequence)) facts.cameMs.set(sequence, this.#nowMs());
    facts.heardMs ??= this.#nowMs();
  }

  storeWiped(): void {
    this.wipes++;
    this.handled.clear();
    for (const facts of this.epochs.values()) {
      facts.stored.clear();
      facts.cameMs.clear();
      facts.heardMs = null;
    }
    this.shown.clear();
  }
}

/** The raw value behind a value in engineering units, by whichever scale gives the point's code. */
export function rawBehind(
  point: PlantPoint,
  value: number,
  scales: readonly number[],
): number | null {
  for (const scale of scales) {
    const raw = Math.round(value / scale);
    if (told(raw).code === point.code && engineering(raw, scale, 0) === value) return raw;
  }
  return null;
}
