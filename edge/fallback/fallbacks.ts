// The local fallback: when nobody confirms an alarm in time, the gateway drives an output by
// itself.
//
// Promises
// - An alarm that is meant, is not confirmed within its limit and is not over drives its output,
//   whoever else can be reached. The limit counts from the raise, by the monotonic clock, and goes
//   on over a restart by the wall clock as far as that can be believed.
// - Not twice for one alarm: each attempt is a command of the door with an id made from fallback,
//   occurrence and number, durable before its first byte leaves. Another attempt follows only what
//   surely came to nothing, or what the output itself shows not to be so.
// - An output is on as long as any alarm needs it, and what was left on is known and released:
// after
//   a kill at any moment from what is kept, and from the ledger of commands.
// - A raise is kept in the commit of the record that brought it.
//
// Interlocks of the site go before: what they hold is tried again each second, once said to the
// cloud. A person who commands the output has it from then on.
//
// Work is done when a rule changes its verdict and, while any alarm waits or an output is driven,
// each second; else nothing runs here but the look of evaluation.ts at what a record covers.

import { isUnder } from '../../core/alarm/rule.ts';
import type { Clock } from '../../core/clock.ts';
import { durationText } from '../../core/duration.ts';
import { foreign, type Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { PointDefinition } from '../../core/point.ts';
import { type Bilingual, bilingual } from '../../core/text/text.ts';
import type { Command, Confirm, Reply } from '../../protocols/uplink/control.ts';
import type { Coverage, Epoch, ReadingColumns } from '../../protocols/uplink/record.ts';
import type { FallbackDoor } from '../commands/commands.ts';
import type { Asking } from '../commands/decide.ts';
import { type FallbackConfig, isMeant } from '../config/fallback.ts';
import type { Words } from '../rules.ts';
import {
  type Case,
  type KeptFallbacks,
  keptCase,
  keptOutput,
  keyOfOutput,
  limitMonoMs,
  newCase,
  newOutput,
  type Output,
  readKept,
  releaseOf,
  revivedCase,
  revivedOutput,
  whyDone,
  whyDue,
} from './case.ts';
import { type CloudWay, isCloudAway, START_WAIT_MS } from './cloud-way.ts';
import { Deeds, LOOK_MS, leftOn, off } from './deeds.ts';
import { type Found, LocalEvaluation } from './evaluation.ts';
import { type FallbackHealth, healthOf } from './health.ts';

const WORD = 'fallback';
/** How long a wait has lasted is kept so often, for a wall clock that says nothing. */
const KEEP_EVERY_MS = 10_000;
/** Confirmations of alarms that are not known here, or not yet. */
const EARLY_MAX = 64;
/** Of alarms that are over and drive an output until they are confirmed, the oldest go first. */
export const CASES_MAX = 256;
const LEDGER_LOOK = 256;

export interface FallbackParts {
  readonly gateway: string;
  readonly epoch: Epoch;
  /** Clock.monoMs() at which the times of the epoch begin. */
  readonly openedMonoMs: number;
  readonly configs: readonly FallbackConfig[];
  /** With what may be commanded of them. */
  readonly points: readonly PointDefinition[];
  readonly words: Words;
  readonly door: FallbackDoor;
  cloud(): CloudWay;
}

export class Fallbacks {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #parts: FallbackParts;
  readonly #evaluation: LocalEvaluation;
  readonly #deeds: Deeds;
  #points: readonly PointDefinition[];
  #cases: Case[];
  readonly #outputs = new Map<string, Output>();
  readonly #early = new Map<string, string>();
  readonly #startedMonoMs: number;
  #upMonoMs: number;
  #kept: KeptFallbacks['evaluation'];
  #keptMonoMs: number;
  /** What was kept last, but for how long anything has lasted. */
  #essence: string;
  /** The ledger was looked through: what earlier runs did is known. */
  #isReady = false;
  #isClosed = false;
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock, log: Log, metrics: Metrics, parts: FallbackParts) {
    this.#clock = clock;
    this.#log = log;
    this.#metrics = metrics;
    this.#parts = parts;
    this.#points = parts.points;
    this.#startedMonoMs = clock.monoMs();
    this.#upMonoMs = this.#startedMonoMs;
    const { gateway, epoch, configs, words } = parts;
    const kept = readKept(words.word(WORD));
    this.#kept = kept?.evaluation ?? {};
    const now = { nowMonoMs: clock.monoMs(), wallMs: clock.wallMs() };
    this.#cases = (kept?.cases ?? []).map((it) => revivedCase(it, now));
    for (const config of configs) this.#outputs.set(keyOfOutput(config.output), newOutput(config));
    for (const output of kept?.outputs ?? []) {
      if (output.isOn !== 'no') this.#outputs.set(keyOfOutput(output), revivedOutput(output));
    }
    this.#evaluation = new LocalEvaluation({
      ...{ gateway, epoch, kept: this.#kept },
      isMeant: (point, rule) => configs.some((config) => isMeant(config, point, rule)),
    });
    this.#deeds = new Deeds(clock, metrics, parts);
    this.#keptMonoMs = this.#startedMonoMs;
    this.#essence = this.#essenceNow();
    if (this.isUsed) this.#observe();
  }

  /** False where the site has none, and none was left on. */
  get isUsed(): boolean {
    return this.#outputs.size > 0;
  }

  /** With the rules in force, by alias. */
  useRules(points: readonly PointDefinition[]): void {
    this.#points = points;
    const { openedMonoMs } = this.#parts;
    const offsetMs = this.#clock.wallMs() - (this.#clock.monoMs() - openedMonoMs);
    this.#found(this.#evaluation.useRules(points, Math.round(offsetMs)));
  }

  /** What is about to be sealed: of Sealer. */
  sealing(
    readings: ReadingColumns | null,
    coverage: readonly Coverage[],
    wallOffsetMs: number,
  ): void {
    this.#found(this.#evaluation.take(readings, coverage, wallOffsetMs));
  }

  /** Once the door is open. Resolves when what earlier runs did is known. */
  async start(): Promise<void> {
    const current = new Set(this.#evaluation.watches.map(({ verdict }) => verdict.occurrence));
    for (const it of this.#cases) it.isOver ||= !current.has(it.occurrence);
    if (this.isUsed) this.#adopt(await this.#parts.door.recent(LEDGER_LOOK));
    this.#isReady = true;
    this.#turn();
  }

  /** Outputs that an earlier run drove and could not keep any more that it did. */
  #adopt(recent: readonly Reply[]): void {
    for (const [key, { issued, outcome }] of leftOn(recent)) {
      const output = this.#outputs.get(key);
      if (!output || !issued?.fallback || output.isOn !== 'no') continue;
      this.#log.warn('fallback_found_on', { point: key, by: foreign(issued.id) });
      output.isOn = outcome === 'done' ? 'yes' : 'maybe';
      output.firedBy = issued.id;
      output.alarms = [...issued.fallback.alarms];
      output.sinceMonoMs = this.#clock.monoMs();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (this.#cases.length > 0) this.#keep();
  }

  /** A path to the cloud came up. */
  connected(): void {
    this.#upMonoMs = this.#clock.monoMs();
  }

  /** Somebody has the alarm. */
  confirm({ occurrence, by }: Confirm): void {
    const name = this.#evaluation.named(occurrence) ?? occurrence;
    const meant = this.#cases.filter((it) => it.occurrence === name);
    if (meant.length === 0) {
      this.#early.set(name, by);
      const [oldest] = this.#early.keys();
      if (this.#early.size > EARLY_MAX && oldest !== undefined) this.#early.delete(oldest);
      return;
    }
    // Of what the cloud hides under it nobody is asked: who has the one has the other.
    const under = this.#cases.filter((it) => !it.isOver && this.#isUnder(it, meant[0]!));
    for (const it of [...meant, ...under]) {
      if (it.confirmedBy !== null) continue;
      it.confirmedBy = by;
      this.#tell('info', 'fallback_confirmed', it, { by: foreign(by) });
    }
    this.#turn();
  }

  /** A command to one of the outputs has its outcome: whoever gave it has the output now. */
  settled(command: Command, { outcome }: Reply, asking: Asking): void {
    const output = this.#outputs.get(keyOfOutput(command));
    if (asking === 'fallback' || outcome !== 'done' || !output || output.isOn === 'no') return;
    this.#log.info('fallback_taken_over', {
      ...{ point: keyOfOutput(command), by: foreign(command.issuer) },
    });
    off(output, this.#clock.monoMs());
    for (const it of this.#casesOf(output)) if (it.phase === 'driven') it.phase = 'stopped';
    this.#turn();
  }

  get health(): readonly FallbackHealth[] {
    const nowMonoMs = this.#clock.monoMs();
    const { configs, door } = this.#parts;
    return configs.map((config) => {
      const rules = this.#evaluation.watches.filter(({ device, point, rule }) => {
        const definition = this.#definition(device, point);
        return definition !== undefined && isMeant(config, definition, rule);
      }).length;
      const cases = this.#cases.filter(({ fallback }) => fallback === config.id);
      const output = this.#outputs.get(keyOfOutput(config.output))!;
      const shown = door.newest(keyOfOutput(output));
      return healthOf(config, { rules, cases, output, shown, nowMonoMs });
    });
  }

  // --- What the rules say ---

  #found(found: readonly Found[]): void {
    for (const one of found) {
      if (one.transition.kind === 'begins') this.#raised(one);
      else {
        const { occurrence } = one.transition;
        for (const it of this.#cases) if (it.occurrence === occurrence) it.isOver = true;
      }
    }
    const kept = this.#evaluation.takeKept();
    if (kept) this.#kept = kept;
    if (found.length > 0) this.#turn();
    else if (kept) this.#keep();
  }

  #raised({ device, point, rule, transition }: Found): void {
    const definition = this.#definition(device, point);
    if (!definition) return;
    const { occurrence } = transition;
    const raisedMonoMs = transition.monoMs + this.#parts.openedMonoMs;
    const raisedMs = this.#clock.wallMs() - (this.#clock.monoMs() - raisedMonoMs);
    const alarm = { occurrence, device, point, rule: rule.id };
    for (const config of this.#parts.configs) {
      if (!isMeant(config, definition, rule)) continue;
      const it = newCase(config.id, alarm, { raisedMs: Math.round(raisedMs), raisedMonoMs });
      const worse = this.#cases.find(
        (other) => !other.isOver && other.confirmedBy !== null && this.#isUnder(it, other),
      );
      it.confirmedBy = this.#early.get(occurrence) ?? worse?.confirmedBy ?? null;
      if (this.#cases.length >= CASES_MAX) this.#dropOldest();
      this.#cases.push(it);
      this.#tell('info', 'fallback_waiting', it, { limitMs: config.confirmWithinMs });
    }
  }

  /** Below it only alarms that are on: as many as there are rules. */
  #dropOldest(): void {
    const at = this.#cases.findIndex(({ isOver }) => isOver);
    if (at < 0) return;
    const [dropped] = this.#cases.splice(at, 1);
    this.#tell('warn', 'fallback_case_dropped', dropped!);
  }

  // --- What is to be done ---

  #turn(): void {
    if (!this.#isReady || this.#isClosed) {
      if (!this.#isClosed) this.#keep();
      return;
    }
    const nowMonoMs = this.#clock.monoMs();
    const since = { startedMonoMs: this.#startedMonoMs, upMonoMs: this.#upMonoMs };
    const known = { nowMonoMs, isCloudAway: isCloudAway(this.#parts.cloud(), since, nowMonoMs) };
    for (const it of this.#cases) {
      const config = this.#configOf(it);
      const output = this.#outputOf(it);
      const why = config && whyDue(it, config, known);
      if (why) {
        it.phase = 'due';
        this.#tell('warn', 'fallback_due', it, { why });
      } else if (it.phase === 'waiting' && it.confirmedBy !== null) it.phase = 'stopped';
      else if (it.phase === 'due' && it.confirmedBy !== null && !output?.isBusy)
        it.phase = 'stopped';
      else if (it.phase === 'driven') {
        const release = config ? config.release : lastRelease(output);
        if (whyDone(it, release, nowMonoMs)) it.phase = 'stopped';
      }
    }
    this.#cases = this.#cases.filter((it) => {
      return (
        !it.isOver || it.phase === 'driven' || (it.phase === 'due' && this.#outputOf(it)?.isBusy)
      );
    });
    for (const output of this.#outputs.values()) this.#turnOutput(output, nowMonoMs);
    this.#keep();
    this.#arm();
  }

  #turnOutput(output: Output, nowMonoMs: number): void {
    if (output.isBusy) return;
    if (output.isOn === 'maybe') this.#look(output);
    const cases = this.#casesOf(output);
    const due = cases.filter(({ phase }) => phase === 'due');
    const next = due.find(({ retryMonoMs }) => retryMonoMs <= nowMonoMs);
    if (next) {
      void this.#drive(next, output);
      return;
    }
    const isNeeded = due.length > 0 || cases.some(({ phase }) => phase === 'driven');
    if (isNeeded || output.isOn === 'no' || !this.#releaseOf(output)) return;
    const isSoon = !output.isDrivenHere && nowMonoMs < this.#startedMonoMs + START_WAIT_MS;
    if (!isSoon && output.retryMonoMs <= nowMonoMs) void this.#release(output);
  }

  /** What nobody knows the end of, the point itself shows. */
  #look(output: Output): void {
    const shown = this.#deeds.shownOf(output);
    if (shown === null) return;
    output.isOn = shown === 'on' ? 'yes' : 'no';
    if (shown === 'on') return;
    for (const it of this.#casesOf(output)) {
      if (it.phase !== 'driven') continue;
      it.phase = 'due';
      it.attempts++;
    }
  }

  async #drive(it: Case, output: Output): Promise<void> {
    const config = this.#configOf(it);
    const reply = config && (await this.#deeds.drive(it, output, config));
    if (!reply) return;
    const { outcome, reason } = reply;
    const level = outcome === 'done' ? 'warn' : 'error';
    this.#tell(level, 'fallback_fired', it, { output: keyOfOutput(output), outcome, reason });
    this.#turn();
  }

  async #release(output: Output): Promise<void> {
    const release = this.#releaseOf(output);
    const why = this.#whyReleased(output);
    const reply = release && (await this.#deeds.release(output, release, why));
    if (!reply) return;
    const { outcome, reason } = reply;
    const about = { point: keyOfOutput(output), outcome, reason, why: why.en };
    this.#log[outcome === 'done' ? 'info' : 'error']('fallback_released', about);
    this.#turn();
  }

  // --- Around ---

  #configOf({ fallback }: Pick<Case, 'fallback'>): FallbackConfig | undefined {
    return this.#parts.configs.find(({ id }) => id === fallback);
  }

  #outputOf(it: Pick<Case, 'fallback'>): Output | undefined {
    const config = this.#configOf(it);
    if (config) return this.#outputs.get(keyOfOutput(config.output));
    return [...this.#outputs.values()].find(({ fallback }) => fallback === it.fallback);
  }

  #casesOf(output: Output): Case[] {
    return this.#cases.filter((it) => this.#outputOf(it) === output);
  }

  #releaseOf(output: Output): Output['release'] {
    const config = this.#configOf(output);
    return config ? releaseOf(config.release) : output.release;
  }

  #whyReleased(output: Output): Bilingual {
    const config = this.#configOf(output);
    const names = output.alarms.map(({ occurrence }) => occurrence);
    const known = this.#cases.filter(({ occurrence }) => names.includes(occurrence));
    if (known.some(({ confirmedBy }) => confirmedBy !== null)) {
      return bilingual('fallback-why-confirmed');
    }
    const afterMs = config?.release?.afterMs ?? null;
    return known.length > 0 && afterMs !== null
      ? bilingual('fallback-why-after', { after: durationText(afterMs) })
      : bilingual('fallback-why-cleared');
  }

  #isUnder(it: Case, worse: Case): boolean {
    if (it.device !== worse.device || it.point !== worse.point) return false;
    const rules = this.#definition(it.device, it.point)?.rules ?? [];
    const [lesser, greater] = [it, worse].map((each) => rules.find(({ id }) => id === each.rule));
    return lesser !== undefined && greater !== undefined && isUnder(lesser, greater);
  }

  #definition(device: string, point: string): PointDefinition | undefined {
    return this.#points.find((one) => one.device === device && one.point === point);
  }

  /** When something is other than it was kept, and now and then while something lasts. */
  #keep(): void {
    const nowMonoMs = this.#clock.monoMs();
    const essence = this.#essenceNow();
    const isLasting = this.#cases.some(({ phase }) => phase === 'waiting' || phase === 'driven');
    const isOld = isLasting && nowMonoMs - this.#keptMonoMs >= KEEP_EVERY_MS;
    if (essence === this.#essence && !isOld) return;
    this.#essence = essence;
    this.#keptMonoMs = nowMonoMs;
    this.#parts.words.setWord(WORD, JSON.stringify(this.#keptAt(nowMonoMs)));
  }

  #essenceNow(): string {
    const { cases, ...rest } = this.#keptAt(0);
    const timeless = cases.map((it) => ({ ...it, waitedMs: 0, drivenForMs: 0 }));
    return JSON.stringify({ ...rest, cases: timeless });
  }

  #keptAt(nowMonoMs: number): KeptFallbacks {
    return {
      version: 1,
      evaluation: this.#kept,
      cases: this.#cases.map((it) => keptCase(it, nowMonoMs)),
      outputs: [...this.#outputs.values()].map(keptOutput),
    };
  }

  #arm(): void {
    const isIdle =
      this.#cases.every(({ phase }) => phase === 'stopped') &&
      [...this.#outputs.values()].every(({ isOn, isBusy }) => isOn === 'no' && !isBusy);
    if (this.#cancelTimer || this.#isClosed || isIdle) return;
    let waitMs = LOOK_MS;
    for (const it of this.#cases) {
      const config = this.#configOf(it);
      if (it.phase !== 'waiting' || !config) continue;
      waitMs = Math.min(waitMs, limitMonoMs(it, config) - this.#clock.monoMs());
    }
    this.#cancelTimer = this.#clock.after(Math.max(0, waitMs), () => {
      this.#cancelTimer = null;
      this.#turn();
    });
  }

  #tell(
    level: 'info' | 'warn' | 'error',
    event: string,
    { fallback, occurrence, device, point, rule }: Case,
    more: Parameters<Log['info']>[1] = {},
  ): void {
    this.#log[level](event, { fallback, occurrence, point: `${device}/${point}`, rule, ...more });
  }

  #observe(): void {
    const gauge = (name: string, help: string, read: () => number) =>
      this.#metrics.observe(`edge_fallback_${name}`, help, {}, read);
    const inPhase = (phase: Case['phase']) => () =>
      this.#cases.filter((it) => it.phase === phase).length;
    gauge('waiting', 'Alarms whose confirmation is waited for', inPhase('waiting'));
    gauge('due', 'Alarms whose output is to be driven and is not', inPhase('due'));
    gauge('rules', 'Rules evaluated here', () => this.#evaluation.watches.length);
    gauge('outputs_on', 'Outputs driven by the local fallback', () => {
      return [...this.#outputs.values()].filter(({ isOn }) => isOn !== 'no').length;
    });
  }
}

function lastRelease(output: Output | undefined): FallbackConfig['release'] {
  return output?.release
    ? { ...output.release, on: ['confirmed', 'cleared'], afterMs: null }
    : null;
}
