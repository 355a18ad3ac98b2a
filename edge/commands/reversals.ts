// Effects that stand on condition that the cloud is heard: a fan started by hand runs on only while
// somebody can stop it from afar. When the cloud was not heard for as long as the offer says, the
// value it names is written, once, through the same door, and told like any command.
//
// - The time counts from the command or from the last word of the cloud, whichever is later; after
//   a restart from the start, since no clock is known across it.
// - A later command to the point stands in its place, or ends it (door.ts).
// - What an interlock forbids, or a device does not answer to, is waited for: it is said once,
//   shown on the status page, and done as soon as it may be. Site safety goes before.
// - A reversal that the device refuses, or that does not show, is tried again with a back-off: each
//   try is a command of its own with its own outcome. One that is uncertain is over: it may have
//   been done, and is never done twice.
import { createHash } from 'node:crypto';
import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import type { CommandReason } from '../../core/command.ts';
import type { Log } from '../../core/log.ts';
import type { PointDefinition } from '../../core/point.ts';
import type { Random } from '../../core/random.ts';
import type { Value } from '../../core/reading.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import type { Refusal } from './decide.ts';
import { offerOf } from './decide.ts';
import type { Standing } from './ledger.ts';

/** How late a reversal may be beside what holds it up. */
export const LOOK_MS = 1_000;
export const RETRY_BACKOFF = { firstMs: 10_000, maxMs: 600_000, jitter: 0.2 } as const;

export interface ReversalParts {
  readonly points: readonly PointDefinition[];
  /** Of the last word of the cloud, by Clock.monoMs(); null: none in this run. */
  heardMonoMs(): number | null;
  /** A command of this gateway, now. */
  command(about: Pick<Command, 'id' | 'device' | 'point' | 'command' | 'value' | 'why'>): Command;
  against(command: Command): Refusal | null;
  isReached(device: string): boolean;
  give(command: Command): Promise<Reply>;
  keep(standing: Standing): Promise<void>;
}

interface Pending {
  standing: Standing;
  readonly sinceMonoMs: number;
  retryMonoMs: number;
  /** Why it is not done although it is due; null before, and while it is under way. */
  heldBy: { readonly reason: CommandReason; readonly detail: string } | null;
  isUnderWay: boolean;
}

export interface PendingReversal {
  readonly point: string;
  /** Of the command whose effect is reversed. */
  readonly id: string;
  readonly value: Value;
  /** Until it is due as things are; 0 when it is. */
  readonly inMs: number;
  readonly heldBy: string | null;
  readonly attempts: number;
}

export class Reversals {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #parts: ReversalParts;
  readonly #pending = new Map<string, Pending>();
  readonly #startedMonoMs: number;
  #cancelTimer: (() => void) | null = null;
  #isClosed = false;

  constructor(clock: Clock, random: Random, log: Log, parts: ReversalParts) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#parts = parts;
    this.#startedMonoMs = clock.monoMs();
  }

  get pending(): readonly PendingReversal[] {
    return [...this.#pending].map(([point, { standing, sinceMonoMs, heldBy }]) => {
      const { id, attempts } = standing;
      const revert = this.#revertOf(standing);
      const dueMonoMs = this.#fromMonoMs(sinceMonoMs) + (revert?.afterMs ?? 0);
      const inMs = Math.max(0, Math.round(dueMonoMs - this.#clock.monoMs()));
      const held = heldBy && [heldBy.reason, heldBy.detail].filter(Boolean).join(' ');
      return { point, id, value: revert?.value ?? null, inMs, heldBy: held, attempts };
    });
  }

  /** An effect stands from now on, or none does. */
  stands(key: string, standing: Standing | null): void {
    if (!standing || !this.#revertOf(standing)) {
      this.#pending.delete(key);
      return;
    }
    const now = this.#clock.monoMs();
    const fresh = { standing, sinceMonoMs: now, retryMonoMs: now, heldBy: null };
    this.#pending.set(key, { ...fresh, isUnderWay: false });
    this.#arm();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #revertOf({ device, point, command }: Standing) {
    const found = this.#parts.points.find((one) => one.device === device && one.point === point);
    return found && offerOf(found, command)?.revert;
  }

  #fromMonoMs(sinceMonoMs: number): number {
    return Math.max(sinceMonoMs, this.#parts.heardMonoMs() ?? this.#startedMonoMs);
  }

  #arm(): void {
    if (this.#cancelTimer || this.#isClosed || this.#pending.size === 0) return;
    this.#cancelTimer = this.#clock.after(LOOK_MS, () => {
      this.#cancelTimer = null;
      for (const [key, pending] of this.#pending) this.#look(key, pending);
      this.#arm();
    });
  }

  #look(key: string, pending: Pending): void {
    const { standing, sinceMonoMs, retryMonoMs, isUnderWay } = pending;
    const revert = this.#revertOf(standing);
    const now = this.#clock.monoMs();
    if (!revert || isUnderWay || now < retryMonoMs) return;
    if (now < this.#fromMonoMs(sinceMonoMs) + revert.afterMs) {
      pending.heldBy = null;
      return;
    }
    const { device, point, command, id, attempts } = standing;
    const why = id;
    const about = { device, point, command, value: revert.value, why };
    const reversal = this.#parts.command({ ...about, id: idOf(standing, attempts) });
    const against = this.#parts.against(reversal);
    const unreached = { reason: 'no_connection', detail: '' } as const;
    const heldBy = against ?? (this.#parts.isReached(device) ? null : unreached);
    if (heldBy) {
      if (pending.heldBy?.reason !== heldBy.reason) {
        const { reason, detail } = heldBy;
        this.#log.warn('command_reversal_held', { point: key, id, reason, detail });
      }
      pending.heldBy = heldBy;
      return;
    }
    pending.heldBy = null;
    pending.isUnderWay = true;
    this.#log.warn('command_reversal', { point: key, id, value: `${revert.value}` });
    void this.#parts.give(reversal).then((reply) => this.#tried(key, pending, reply));
  }

  #tried(key: string, pending: Pending, { outcome }: Reply): void {
    pending.isUnderWay = false;
    // What took its place meanwhile is looked at by itself.
    if (this.#pending.get(key) !== pending) return;
    if (outcome === 'done' || outcome === 'uncertain') {
      this.#pending.delete(key);
      return;
    }
    const attempts = pending.standing.attempts + 1;
    pending.standing = { ...pending.standing, attempts };
    pending.retryMonoMs = this.#clock.monoMs() + backoffMs(this.#random, attempts, RETRY_BACKOFF);
    void this.#parts.keep(pending.standing);
  }
}

/** The same after a crash: a try that was begun is found in the ledger, and is none again. */
function idOf({ id }: Standing, attempts: number): string {
  const hash = createHash('sha256').update(`${attempts}\n${id}`).digest('hex');
  return `revert-${hash.slice(0, 32)}`;
}
