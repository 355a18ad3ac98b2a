// What the local fallback does at its outputs: one attempt to drive or to release at a time, each a
// command of the door under an id of its own, so that none is made twice, also not by a next run.
import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { durationText } from '../../core/duration.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { PointDefinition } from '../../core/point.ts';
import { GOOD } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import { type Bilingual, bilingual } from '../../core/text/text.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import { FALLBACK_ALARMS_MAX, type LocalFallback } from '../../protocols/uplink/fallback-wire.ts';
import type { FallbackDoor } from '../commands/commands.ts';
import { offerOf, shows } from '../commands/decide.ts';
import type { FallbackConfig, OutputCommand } from '../config/fallback.ts';
import { type Case, keyOfOutput, limitMonoMs, mayBeDone, type Output, releaseOf } from './case.ts';

/** What is only held up is looked at again after this. */
export const LOOK_MS = 1_000;
/** What a command did that nobody knows the end of, its point shows by then. */
export const SETTLE_MS = 5_000;
const RETRY_MAX_MS = 60_000;

export interface DeedParts {
  readonly door: FallbackDoor;
  readonly points: readonly PointDefinition[];
}

export class Deeds {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #parts: DeedParts;

  constructor(clock: Clock, metrics: Metrics, parts: DeedParts) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#parts = parts;
  }

  /**
   * One attempt to drive the output for a case. Null while it is held up: the first attempt is made
   * all the same, so that the cloud hears of it, and what holds it then is waited for.
   */
  async drive(it: Case, output: Output, config: FallbackConfig): Promise<Reply | null> {
    const { occurrence, device, point, rule } = it;
    const id = idOf('fallback', [it.fallback, occurrence, it.attempts]);
    const alarms = [{ occurrence, device, point, rule }];
    const isEarly = this.#clock.monoMs() < limitMonoMs(it, config);
    const limit = durationText(config.confirmWithinMs);
    const why = isEarly
      ? bilingual('fallback-why-cloud-away')
      : bilingual('fallback-why-unconfirmed', { limit });
    const fallback: LocalFallback = { id: it.fallback, act: 'fire', alarms };
    const command = this.#command(id, config.output, why, fallback);
    it.heldBy = it.attempts > 0 ? this.#heldBy(command) : null;
    if (it.heldBy !== null) {
      it.retryMonoMs = this.#clock.monoMs() + LOOK_MS;
      return null;
    }
    const reply = await this.#give(command, output);
    const { outcome, reason, detail } = reply;
    const nowMonoMs = this.#clock.monoMs();
    it.said = { outcome, reason, detail };
    if (mayBeDone(it.said)) {
      const { command: name, value } = config.output;
      output.isOn = outcome === 'done' ? 'yes' : 'maybe';
      Object.assign(output, { firedBy: id, fallback: it.fallback, command: name, value });
      Object.assign(output, { attempts: 0, release: releaseOf(config.release) });
      output.isDrivenHere = true;
      output.sinceMonoMs = nowMonoMs;
      const others = output.alarms.filter(({ occurrence }) => occurrence !== it.occurrence);
      output.alarms = [...others, ...alarms].slice(-FALLBACK_ALARMS_MAX);
    }
    if (outcome === 'done' || outcome === 'uncertain') {
      it.phase = 'driven';
      it.drivenMonoMs = nowMonoMs;
      it.drivenMs = this.#clock.wallMs();
    } else {
      it.attempts++;
      it.retryMonoMs = nowMonoMs + retryMs(reply, it.attempts);
    }
    this.#count('fire', outcome);
    return reply;
  }

  /** One attempt to release it; null while it is held up. */
  async release(
    output: Output,
    release: NonNullable<Output['release']>,
    why: Bilingual,
  ): Promise<Reply | null> {
    const id = idOf('release', [output.firedBy, output.attempts]);
    const { alarms } = output;
    const fallback: LocalFallback = { id: output.fallback, act: 'release', alarms };
    const command = this.#command(id, { ...output, ...release }, why, fallback);
    output.heldBy = output.attempts > 0 ? this.#heldBy(command) : null;
    if (output.heldBy !== null) {
      output.retryMonoMs = this.#clock.monoMs() + LOOK_MS;
      return null;
    }
    const reply = await this.#give(command, output);
    const { outcome } = reply;
    const nowMonoMs = this.#clock.monoMs();
    if (outcome === 'done') off(output, nowMonoMs);
    else {
      if (outcome === 'uncertain') output.isOn = 'maybe';
      output.sinceMonoMs = nowMonoMs;
      output.attempts++;
      output.retryMonoMs = nowMonoMs + retryMs(reply, output.attempts);
    }
    this.#count('release', outcome);
    return reply;
  }

  /** Of an output nobody knows the state of: what its point shows, once it can show it. */
  shownOf(output: Output): 'on' | 'off' | null {
    const settledMonoMs = output.sinceMonoMs + SETTLE_MS;
    const shown = this.#parts.door.newest(keyOfOutput(output));
    if (!shown || shown.quality !== GOOD || shown.atMonoMs < settledMonoMs) return null;
    return shows(shown.value, this.#written(output), 0) ? 'on' : 'off';
  }

  /** The recorded outcome, where an earlier run has given it. */
  async #give(command: Command, output: Output): Promise<Reply> {
    output.isBusy = true;
    try {
      const { door } = this.#parts;
      return (await door.recorded(command.id)) ?? (await door.give(command));
    } finally {
      output.isBusy = false;
    }
  }

  #heldBy(command: Command): string | null {
    const { door } = this.#parts;
    const against = door.against(command);
    if (against) return [against.reason, against.detail].filter(Boolean).join(' ');
    return door.isReached(command.device) ? null : 'no_connection';
  }

  #command(
    id: string,
    { device, point, command, value }: OutputCommand,
    { en, zh }: Bilingual,
    fallback: LocalFallback,
  ): Command {
    const why = `${en} / ${zh}`;
    return this.#parts.door.command({ id, device, point, command, value, why, fallback });
  }

  #written({ device, point, command, value }: OutputCommand): Value {
    const found = this.#parts.points.find((one) => one.device === device && one.point === point);
    return value ?? (found && offerOf(found, command)?.fixed) ?? null;
  }

  #count(act: LocalFallback['act'], outcome: Reply['outcome']): void {
    const help = 'Commands of the local fallback by what became of them';
    this.#metrics.counter('edge_fallback_commands_total', help, { act, outcome }).add();
  }
}

/** It is known to be released, or a person has it. */
export function off(output: Output, nowMonoMs: number): void {
  Object.assign(output, { isOn: 'no', alarms: [], attempts: 0, heldBy: null });
  output.sinceMonoMs = nowMonoMs;
}

/** What earlier runs drove and nobody has ended, by output; replies in the order they came. */
export function leftOn(recent: readonly Reply[]): ReadonlyMap<string, Reply> {
  const last = new Map<string, Reply>();
  for (const reply of recent) {
    const { issued, outcome, reason, detail } = reply;
    if (!issued) continue;
    const isFire = issued.fallback?.act === 'fire';
    if (isFire && mayBeDone({ outcome, reason, detail })) last.set(keyOfOutput(issued), reply);
    else if (outcome === 'done') last.delete(keyOfOutput(issued));
  }
  return last;
}

/** The same after a crash: an attempt that was begun is found in the ledger, and is none again. */
function idOf(kind: 'fallback' | 'release', parts: readonly (string | number)[]): string {
  const hash = createHash('sha256').update(parts.join('\n')).digest('hex');
  return `${kind}-${hash.slice(0, 32)}`;
}

/** What is only held up is looked at each second; what a device refuses, more and more seldom. */
function retryMs({ outcome, reason }: Reply, attempts: number): number {
  if (outcome === 'uncertain') return SETTLE_MS + LOOK_MS;
  const isDevice = reason === 'device_refused' || reason === 'read_back_differs';
  return isDevice ? Math.min(RETRY_MAX_MS, LOOK_MS * 2 ** Math.min(attempts, 16)) : LOOK_MS;
}
