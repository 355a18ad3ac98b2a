// A simulated RS-485 line: one pair of wires, half duplex, on which anybody may talk at any time.
// Masters and stations attach a transceiver; what one sends the others hear when its characters
// would have arrived, decoded by their own speed, parity and polarity.
//
// Promises
// - A character takes its bits over the baud rate. None is heard before its stop bit has passed;
//   how much later than computed a frame was complete is measured (`timingErrorMs`).
// - All decisions are taken in computed time, in order: a timer that comes late delays what is
//   handed over, and never what happens on the line after it.
// - On equal settings, alone on the pair, bytes are handed on as they are. In every other case the
//   levels on the pair are sampled by each receiver (simulators/uart.ts): collisions, other speeds,
//   a swapped pair and noise have no rules of their own. Where drivers fight, a space wins: what
//   they really do depends on cable and chip.
// - A driver that sends does not hear itself, unless its adapter echoes.
// - The same calls at the same times give the same bytes: no randomness is in here.
//
// Limits: a transceiver holds SEND_BYTES_MAX characters that are not on the wire yet and refuses
// more, as the kernel's buffer of a port does.
import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import { bilingual } from '../core/text/text.ts';
import type { LineSettings } from '../protocols/line-settings.ts';
import { paceOf } from '../protocols/line-settings.ts';
import type { Damage } from './transceiver.ts';
import { LineMaster, SAME_MS, Transceiver } from './transceiver.ts';
import { bitMs, characterBits, characterMs } from './uart.ts';

/**
 * Long frames are handed over in parts that are this long on the line, the last half as long more.
 */
const PART_MS = 10;
/** Levels are kept this long: two characters of 12 bits at 300 baud. */
const KEPT_MS = 100;
/** Timing errors of the last so many frames are kept. */
const TIMED_FRAMES_MAX = 4_096;

export interface TimingError {
  readonly frames: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

interface Run {
  readonly from: Transceiver | null;
  /** A break has no bytes; noise is on the pair only while nobody drives it. */
  readonly kind: 'characters' | 'break' | 'noise';
  readonly bytes: Uint8Array;
  readonly startMs: number;
  readonly endMs: number;
  readonly settings: LineSettings;
  readonly isInverted: boolean;
  /** Character -> bits that are turned round. */
  readonly damaged: ReadonlyMap<number, number>;
  /** Characters that everybody has been told of. */
  heard: number;
}

interface LineEvent {
  readonly atMs: number;
  readonly act: () => void;
  /** Nothing depends on when a part in the middle of a frame is handed over. */
  readonly isPart: boolean;
}

export interface MasterOptions {
  /** Those of the line when left out. */
  readonly settings?: LineSettings;
}

export class SimLine {
  readonly settings: LineSettings;
  /** Times that a sender began while another was sending. */
  collisions = 0;
  /** Frames, or what somebody took for one, since the beginning. */
  frames = 0;
  readonly #clock: Clock;
  readonly #parts: Clock;
  readonly #ends = new Set<Transceiver>();
  readonly #masters = new Set<LineMaster>();
  #runs: Run[] = [];
  #events: LineEvent[] = [];
  #nowMs: number | null = null;
  #armedMs = Number.NaN;
  #disarm = () => {};
  readonly #timingErrors = new Float64Array(TIMED_FRAMES_MAX);

  /**
   * `parts` waits for the parts of long frames: a clock that is precise at a cost need not be
   * bothered with them.
   */
  constructor(clock: Clock, settings: LineSettings, parts: Clock = clock) {
    this.#clock = clock;
    this.#parts = parts;
    this.settings = settings;
  }

  /** On the monotonic clock: computed time inside an event of the line. */
  get nowMs(): number {
    return this.#nowMs ?? this.#clock.monoMs();
  }

  /** How much later than computed frames were complete at their receivers; of the last 4,096. */
  get timingErrorMs(): TimingError {
    const count = Math.min(this.frames, TIMED_FRAMES_MAX);
    const sorted = this.#timingErrors.slice(0, count).sort();
    const at = (share: number) => sorted[Math.min(count - 1, Math.floor(share * count))] ?? 0;
    return { frames: this.frames, p50: at(0.5), p99: at(0.99), max: at(1) };
  }

  /** Until when somebody drives the pair, as far as is known now. */
  get busyUntilMs(): number {
    return this.#runs.reduce((latest, { endMs }) => Math.max(latest, endMs), 0);
  }

  attach(settings: LineSettings = this.settings): Transceiver {
    const end: Transceiver = new Transceiver(settings, this.nowMs, {
      send: (bytes, atMs, damage) => this.#send(end, bytes, atMs, damage),
      sendBreak: (ms) => this.#sendBreak(end, ms),
      detach: () => this.#detach(end),
      nowMs: () => this.nowMs,
      change: (change) => this.#change(end, change),
    });
    this.#ends.add(end);
    return end;
  }

  attachMaster({ settings = this.settings }: MasterOptions = {}): LineMaster {
    const master = new LineMaster(this.attach(settings));
    this.#masters.add(master);
    return master;
  }

  /** Nothing is heard any more; masters are told that their link is lost. */
  close(): void {
    this.#disarm();
    this.#events = [];
    this.#runs = [];
    for (const master of this.#masters) {
      master.end(new Fault('link_lost', 'later', bilingual('sim-line-closed')));
    }
    this.#ends.clear();
  }

  /** Calls `act` at a computed time, in order with what happens on the line; returns a cancel. */
  at(atMs: number, act: () => void): () => void {
    return this.#plan({ atMs, act, isPart: false });
  }

  #plan(event: LineEvent): () => void {
    const { atMs } = event;
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.atMs <= atMs) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
    this.#arm();
    return () => {
      const place = this.#events.indexOf(event);
      if (place >= 0) this.#events.splice(place, 1);
    };
  }

  /** Characters nobody sent: what receivers see on a pair that nothing holds at a level. */
  addNoise(bytes: Uint8Array): void {
    const startMs = this.nowMs;
    const endMs = startMs + bytes.length * characterMs(this.settings);
    this.#begin({ from: null, kind: 'noise', bytes, startMs, endMs, settings: this.settings });
  }

  #detach(end: Transceiver): void {
    this.#ends.delete(end);
    for (const master of this.#masters) {
      if (master.transceiver === end) this.#masters.delete(master);
    }
  }

  #send(from: Transceiver, bytes: Uint8Array, atMs: number, damage: Damage): void {
    this.#catchUp();
    const { settings } = from;
    const startMs = Math.max(atMs, from.busyUntilMs);
    const endMs = startMs + bytes.length * characterMs(settings);
    const copy = bytes.slice();
    this.#begin({ from, kind: 'characters', bytes: copy, startMs, endMs, settings }, damage);
  }

  #sendBreak(from: Transceiver, ms: number): void {
    this.#catchUp();
    const { settings } = from;
    const startMs = Math.max(this.nowMs, from.busyUntilMs);
    const bytes = new Uint8Array(0);
    this.#begin({ from, kind: 'break', bytes, startMs, endMs: startMs + ms, settings });
  }

  #begin(
    begun: Pick<Run, 'from' | 'kind' | 'bytes' | 'startMs' | 'endMs' | 'settings'>,
    { bits = [] }: Damage = {},
  ): void {
    const perCharacter = paceOf(begun.settings).bitsPerCharacter;
    const damaged = new Map<number, number>();
    for (const bit of bits) {
      const character = Math.floor(bit / perCharacter);
      damaged.set(character, (damaged.get(character) ?? 0) ^ (1 << (bit % perCharacter)));
    }
    const run: Run = { ...begun, isInverted: begun.from?.isInverted ?? false, damaged, heard: 0 };
    if (run.kind !== 'noise') {
      begun.from?.drivesUntil(run.endMs);
      const fights = (other: Run) => other.from !== run.from && overlaps(other, run);
      if (this.#runs.some((other) => other.kind !== 'noise' && fights(other))) this.collisions++;
    }
    const keptFromMs = this.nowMs - KEPT_MS;
    this.#runs = this.#runs.filter(({ endMs }) => endMs >= keptFromMs);
    this.#runs.push(run);
    this.#planPart(run);
  }

  /** The next time at which a part of a run is handed over. */
  #planPart(run: Run): void {
    const each = characterMs(run.settings);
    const more = Math.max(1, Math.floor(PART_MS / each));
    const characters = run.bytes.length;
    // What would be left is handed over with its end: no part comes shortly before it.
    const isLast = run.heard + 1.5 * more >= characters;
    const next = isLast ? characters : run.heard + more;
    const atMs = isLast ? run.endMs : run.startMs + next * each;
    const act = () => {
      if (run.heard < next || characters === 0) this.#hand(run, next, atMs);
      if (isLast) this.#complete(run);
      else this.#planPart(run);
    };
    this.#plan({ atMs, act, isPart: !isLast });
  }

  /**
   * Hands over what is complete by now, not only by the next part; true when somebody besides `end`
   * is in the middle of something.
   */
  settle(end: Transceiver): boolean {
    const { nowMs } = this;
    let isBusy = false;
    for (const run of this.#runs) {
      if (run.startMs >= nowMs - SAME_MS || run.heard >= run.bytes.length) continue;
      const each = characterMs(run.settings);
      const done = Math.floor((nowMs - run.startMs + SAME_MS) / each);
      const next = Math.min(run.bytes.length, done);
      if (next > run.heard) this.#hand(run, next, run.startMs + next * each);
      if (run.from !== end && next < run.bytes.length) isBusy = true;
    }
    return isBusy;
  }

  #complete(run: Run): void {
    if (run.kind === 'noise') return;
    this.#timingErrors[this.frames % TIMED_FRAMES_MAX] = this.#clock.monoMs() - run.endMs;
    this.frames++;
  }

  #hand(run: Run, next: number, toMs: number): void {
    const each = characterMs(run.settings);
    const fromMs = run.startMs + run.heard * each;
    const isAlone = !this.#runs.some(
      (other) => other !== run && other.kind !== 'noise' && during(other, fromMs, toMs),
    );
    let isWhole = isAlone && run.kind === 'characters' && !run.isInverted;
    if (run.damaged.size > 0) {
      for (let at = run.heard; at < next; at++) if (run.damaged.has(at)) isWhole = false;
    }
    const bytes = run.bytes.subarray(run.heard, next);
    run.heard = next;
    for (const end of this.#ends) {
      const isOwn = end === run.from && !end.hearsItself;
      if (isOwn && isWhole && end.receiver.isFreeAt(fromMs)) {
        end.receiver.skipTo(toMs);
      } else if (isWhole && end.hearsCleanly(run.settings, fromMs)) {
        end.receiver.skipTo(toMs);
        end.heard(bytes, fromMs, toMs);
      } else this.#sample(end, toMs);
    }
  }

  /** What was heard before is of the old kind, what comes of the new one, the idle pair too. */
  #change(end: Transceiver, change: () => void): void {
    this.#catchUp();
    const { nowMs } = this;
    this.#sample(end, nowMs);
    change();
    const lookMs = nowMs + 2 * characterMs(end.settings);
    this.at(lookMs, () => this.#sample(end, lookMs));
  }

  #sample(end: Transceiver, toMs: number): void {
    const wire = {
      levelAt: (ms: number) => this.#levelAt(end, ms),
      steadyUntil: (ms: number) => this.#steadyUntil(end, ms),
    };
    end.receiver.advance(toMs, wire, (byte, fromMs, atMs) => {
      end.heard(Uint8Array.of(byte), fromMs, atMs);
    });
    const { dueMs } = end.receiver;
    if (dueMs !== null) this.at(dueMs, () => this.#sample(end, dueMs));
  }

  #levelAt(end: Transceiver, ms: number): 0 | 1 {
    let level: 0 | 1 = 1;
    let stray: 0 | 1 = 1;
    let isDriven = false;
    for (const run of this.#runs) {
      if (ms < run.startMs || ms >= run.endMs) continue;
      if (run.from === end && !end.hearsItself) return 1; // A receiver that is switched off.
      if (run.kind === 'noise') stray = runLevel(run, ms);
      else {
        isDriven = true;
        level = level === 1 && runLevel(run, ms) === 1 ? 1 : 0;
      }
    }
    const found = isDriven ? level : stray;
    return end.isInverted ? (found === 1 ? 0 : 1) : found;
  }

  #steadyUntil(end: Transceiver, ms: number): number {
    let untilMs = Number.POSITIVE_INFINITY;
    for (const run of this.#runs) {
      if (ms < run.startMs) untilMs = Math.min(untilMs, run.startMs);
      else if (ms < run.endMs) {
        if (run.from !== end || end.hearsItself) return ms;
        untilMs = Math.min(untilMs, run.endMs);
      }
    }
    return untilMs;
  }

  #catchUp(): void {
    if (this.#nowMs !== null) return;
    try {
      for (;;) {
        const [next] = this.#events;
        if (!next || next.atMs > this.#clock.monoMs() + SAME_MS) break;
        this.#events.shift();
        this.#nowMs = next.atMs;
        next.act();
      }
    } finally {
      this.#nowMs = null;
    }
    this.#arm();
  }

  #arm(): void {
    if (this.#nowMs !== null) return; // Armed when all that is due has been done.
    const [next] = this.#events;
    if (next?.atMs === this.#armedMs) return;
    this.#disarm();
    this.#disarm = () => {};
    this.#armedMs = next?.atMs ?? Number.NaN;
    if (!next) return;
    const clock = next.isPart ? this.#parts : this.#clock;
    this.#disarm = clock.after(next.atMs - this.#clock.monoMs(), () => {
      this.#armedMs = Number.NaN;
      this.#catchUp();
    });
  }
}

function overlaps(a: Run, b: Run): boolean {
  return during(a, b.startMs, b.endMs);
}

function during({ startMs, endMs }: Run, fromMs: number, toMs: number): boolean {
  return startMs < toMs - SAME_MS && endMs > fromMs + SAME_MS;
}

function runLevel(run: Run, ms: number): 0 | 1 {
  if (run.kind === 'break') return run.isInverted ? 1 : 0;
  const each = characterMs(run.settings);
  const character = Math.min(run.bytes.length - 1, Math.floor((ms - run.startMs) / each));
  const intoMs = ms - run.startMs - character * each;
  const bits =
    characterBits(run.bytes[character]!, run.settings) ^ (run.damaged.get(character) ?? 0);
  const bit = (bits >> Math.max(0, Math.floor(intoMs / bitMs(run.settings)))) & 1;
  return run.isInverted === (bit === 1) ? 0 : 1;
}
