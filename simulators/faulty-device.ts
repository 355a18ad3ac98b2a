// A simulated device with something wrong inside it: sensors that stick or spike, a clock that
// starts again after a loss of power. What it shows is wrong and looks right; its line is fine.
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import { pickInteger } from '../core/random.ts';
import type { ModbusPoint } from '../device-profiles/profile.ts';
import { modbusPoints } from '../device-profiles/profile.ts';
import type { Table } from '../protocols/modbus/address.ts';
import type { SimulatedDevice, SimulatedValue } from './device.ts';
import type { DeviceFault, SimulatedFault } from './faults.ts';
import type { RegisterBank } from './modbus-answer.ts';

/** Where the clocks of controllers begin when their battery was empty. */
const CLOCK_BEGINS_MS = Date.UTC(2000, 0, 1);

export class FaultyDevice implements RegisterBank {
  readonly device: SimulatedDevice;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #clockPoints: readonly string[];
  readonly #numbers: readonly ModbusPoint[];
  #spikesEvery = 0;
  #frozen: readonly string[] = [];
  #resetMonoMs: number | null = null;

  constructor(clock: Clock, random: Random, device: SimulatedDevice) {
    this.#clock = clock;
    this.#random = random;
    this.device = device;
    const points = modbusPoints(device.profile);
    this.#clockPoints = points
      .filter(({ address }) => address.type === 'packed-bcd-time')
      .map(({ id }) => id);
    this.#numbers = points.filter(
      ({ states, definition }) =>
        states.size === 0 && definition.type !== 'boolean' && definition.type !== 'text',
    );
  }

  /** Throws Fault `sim_point_unknown` when one of them is about a point it has not. */
  check(faults: readonly SimulatedFault[]): void {
    for (const fault of faults) {
      if (fault.kind === 'frozen' && fault.point !== undefined) this.device.get(fault.point);
    }
  }

  /** Which of its faults show from now on. */
  show(faults: readonly DeviceFault[]): void {
    this.#spikesEvery = faults.find((fault) => fault.kind === 'spikes')?.reads ?? 0;
    const all = this.device.profile.points.map(({ id }) => id);
    const frozen = faults.flatMap((fault) =>
      fault.kind === 'frozen' ? (fault.point === undefined ? all : [fault.point]) : [],
    );
    if (frozen.join() !== this.#frozen.join()) {
      this.device.thaw();
      this.device.freeze(frozen);
      this.#frozen = frozen;
    }
    if (!faults.some(({ kind }) => kind === 'clock-reset')) this.#resetMonoMs = null;
    else this.#resetMonoMs ??= this.#clock.monoMs();
  }

  get served(): number {
    return this.device.served;
  }

  read(table: Table, address: number, count: number): Uint16Array | number {
    this.#runClock();
    const isSpike = this.#spikesEvery > 0 && this.#random.next() * this.#spikesEvery < 1;
    const inside = (point: ModbusPoint) =>
      point.address.table === table &&
      point.address.address >= address &&
      point.address.address + point.address.width <= address + count;
    const near = isSpike ? this.#numbers.filter(inside) : [];
    if (near.length === 0) return this.device.read(table, address, count);
    const point = near[pickInteger(this.#random, 0, near.length - 1)]!;
    const restore = this.device.keep(point.id);
    this.device.set(point.id, spikeOf(point, this.device.get(point.id).value));
    const answer = this.device.read(table, address, count);
    restore();
    return answer;
  }

  write(table: Table, address: number, values: Uint16Array): number {
    return this.device.write(table, address, values);
  }

  /** Its clock goes by the wall, or since the reset from the beginning of 2000. */
  #runClock(): void {
    if (this.#clockPoints.length === 0) return;
    const resetMs = this.#resetMonoMs;
    const nowMs =
      resetMs === null ? this.#clock.wallMs() : CLOCK_BEGINS_MS + (this.#clock.monoMs() - resetMs);
    const text = new Date(nowMs).toISOString().slice(0, 19);
    for (const id of this.#clockPoints) this.device.set(id, text);
  }
}

/** The far end of the range; without a range ten times the value and something. */
function spikeOf({ definition }: ModbusPoint, shown: unknown): SimulatedValue {
  const value = Number(shown ?? 0);
  if (!definition.range) return value * 10 + 1_000;
  const [min, max] = definition.range;
  return value - min < max - value ? max : min;
}
