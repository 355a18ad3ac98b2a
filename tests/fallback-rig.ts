// The local fallback of a gateway on a simulated clock: the real door with a real ledger, a device
// that counts what it is told, a gas detector whose readings are sealed each second, and words that
// are durable with the commit of a record. It can be stopped dead and started again.
import { high } from '../cloud/alarms/made-records.ts';
import type { LimitRule } from '../core/alarm/rule.ts';
import type { CommandOffer } from '../core/command.ts';
import { silentLog } from '../core/log.ts';
import type { PointDefinition } from '../core/point.ts';
import { GOOD, qualityCode } from '../core/quality.ts';
import { FALLBACK_ISSUER } from '../edge/commands/decide.ts';
import type { FallbackConfig } from '../edge/config/fallback.ts';
import type { CloudWay } from '../edge/fallback/cloud-way.ts';
import { Fallbacks } from '../edge/fallback/fallbacks.ts';
import { CommandRig, points as fanPoints, pointOf } from './command-rig.ts';

/** A detector: methane in %LEL. */
const detector = (point: string, rules: readonly LimitRule[]): PointDefinition =>
  pointOf(point, [], { device: 'gas', class: 'life-safety', rules });

export const rule = high({ id: 'high', level: 1, limit: 20, deadband: 5 });
export const gasPoints: readonly PointDefinition[] = [
  detector('ch4', [rule]),
  detector('ch4-b', [rule, high({ ...rule, id: 'high-high', side: 'high-high', limit: 50 })]),
];

export const fallback = (more: Partial<FallbackConfig> = {}): FallbackConfig => ({
  id: 'fan-on-gas',
  when: { levels: [1, 2], devices: null, points: null, rules: null },
  confirmWithinMs: 90_000,
  cloudAway: 'wait',
  output: { device: 'fan', point: 'speed', command: 'set', value: 100 },
  release: { on: ['confirmed', 'cleared'], afterMs: null, command: 'set', value: 0 },
  ...more,
});

export class FallbackRig {
  readonly rig = new CommandRig();
  configs: readonly FallbackConfig[] = [fallback()];
  cloud: CloudWay = { isUp: true, openRecords: 0, ackedMonoMs: null };
  /** Commits of the outbox do not come to their end. */
  isDiskSlow = false;
  fallbacks!: Fallbacks;
  /** Of the two detectors; null: it does not answer. */
  readonly values: (number | null)[] = [5, 5];
  /** Every name an alarm was raised under. */
  readonly raised = new Set<string>();
  #durable = new Map<string, string>();
  #pending = new Map<string, string>();
  #told: (number | null | undefined)[] = [];
  readonly #points = [...gasPoints, ...fanPoints];

  /** What the offers of the fan are for this test. */
  offers: Readonly<Record<string, readonly CommandOffer[]>> = {};

  async boot(): Promise<this> {
    const { rig } = this;
    this.#pending = new Map();
    this.#told = [];
    rig.onSettled = () => {};
    await rig.restart();
    const { door, times, openedMonoMs, epoch } = rig;
    const { life } = rig;
    this.fallbacks = new Fallbacks(rig.clock, silentLog, rig.metrics, {
      ...{ gateway: 'gw-1', epoch, openedMonoMs, configs: this.configs, points: this.#points },
      words: {
        word: (name) => this.#durable.get(name),
        setWord: (name, text) => void (life.isAlive && this.#pending.set(name, text)),
      },
      door: {
        command: (about) => ({
          ...{ ...about, issuer: FALLBACK_ISSUER, second: '', epoch },
          ...{ sequence: times.last, timeToLiveMs: 60_000 },
        }),
        against: (command) => door.against(command, 'fallback'),
        isReached: () => rig.device.mood !== 'down',
        give: (command) => door.give(command, 'fallback'),
        recorded: (id) => door.recorded(id),
        recent: (count) => door.recent(count),
        newest: (point) => rig.newest.get(point),
      },
      cloud: () => this.cloud,
    });
    const { fallbacks } = this;
    rig.onSettled = (...settled) => {
      if (life.isAlive) fallbacks.settled(...settled);
    };
    rig.seal();
    this.fallbacks.useRules(this.#points);
    await this.fallbacks.start();
    return this;
  }

  /** What was not committed is lost. */
  kill(): void {
    this.fallbacks.close();
    this.#pending = new Map();
    this.rig.kill();
  }

  close(): void {
    this.fallbacks.close();
    this.rig.close();
  }

  /** One poll of the detectors, sealed and committed at once. */
  poll(): void {
    const { clock, openedMonoMs, life } = this.rig;
    if (!life.isAlive) return;
    const monoMs = Math.round(clock.monoMs() - openedMonoMs);
    const told = [0, 1].filter((at) => this.#told[at] !== this.values[at]);
    for (const at of told) this.#told[at] = this.values[at];
    const readings = {
      count: told.length,
      alias: Uint32Array.from(told),
      monoMs: Float64Array.from(told, () => monoMs),
      quality: Uint8Array.from(told, (at) =>
        this.values[at] === null ? qualityCode('bad', 'timeout') : GOOD,
      ),
      numbers: Float64Array.from(told, (at) => this.values[at] ?? Number.NaN),
      special: new Map(
        told.flatMap((at, place) => (this.values[at] === null ? [[place, null]] : [])),
      ),
    };
    const covered = { firstAlias: 0, points: 2, fromMonoMs: monoMs, toMonoMs: monoMs };
    const counts = { taken: 2, unchanged: 2 - told.length, failed: 0 };
    const wallOffsetMs = Math.round(clock.wallMs() - monoMs);
    this.fallbacks.sealing(
      told.length > 0 ? readings : null,
      [{ ...covered, ...counts }],
      wallOffsetMs,
    );
    for (const { alarms } of this.fallbacks.health)
      for (const { occurrence } of alarms) this.raised.add(occurrence);
    this.rig.seal();
    this.commit();
    for (const at of [0, 1]) {
      const value = this.values[at] ?? null;
      const about = { value, quality: GOOD, atMonoMs: clock.monoMs() };
      this.rig.newest.set(`gas/${gasPoints[at]!.point}`, about);
    }
    if (this.rig.device.mood !== 'down' && this.rig.device.mood !== 'unread') this.#showFan();
  }

  #showFan(): void {
    const { device, clock, newest } = this.rig;
    for (const [address, value] of device.values) {
      newest.set(`fan/${address}`, { value, quality: GOOD, atMonoMs: clock.monoMs() });
    }
  }

  commit(): void {
    if (this.isDiskSlow || !this.rig.life.survives('before commit')) return;
    for (const [name, text] of this.#pending) this.#durable.set(name, text);
    this.#pending = new Map();
    this.rig.life.survives('after commit');
  }

  /** Polls each second. */
  async run(seconds: number): Promise<void> {
    for (let at = 0; at < seconds && this.rig.life.isAlive; at++) {
      this.poll();
      await this.rig.clock.advance(1_000);
    }
  }

  confirm(occurrence: string, by = 'li'): void {
    this.fallbacks.confirm({ occurrence, by, atMs: 0 });
  }

  /** What was written to the fan, with the second of the test. */
  get writes(): readonly string[] {
    return this.rig.device.writes.map(({ value, atMs }) => `${Math.floor(atMs / 1000)}s ${value}`);
  }

  get state() {
    const { state, output, alarms } = this.fallbacks.health[0]!;
    return { state, on: output.on, alarms: alarms.map((alarm) => alarm.state) };
  }

  get occurrence(): string {
    return this.fallbacks.health.flatMap(({ alarms }) => alarms)[0]?.occurrence ?? '';
  }
}
