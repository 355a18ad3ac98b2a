// The station that feeds a water network out of a sump: two pumps with speed drives, of which one
// is enough. Head and flow are the network's; a drive takes a while from one speed to another.
import type { WaterPump, WaterState } from './water-network.ts';
import { waterPumps } from './water-network.ts';

/** A drive's ramp, of rated speed a second: 4 s from rest. */
const RAMP = 0.25;
/** Below it a pump has not the head of the network, and the drive does not turn it. */
export const SPEED_PERCENT_MIN = 80;
const EFFICIENCY = 0.72;
/** What a drive takes while its pump stands. */
const IDLE_WATTS = 45;
const SUMP_M2 = 40;
const SUMP_FULL_M = 3.2;
/** The works let in what is drawn at this level, and more or less below or above it. */
const SUMP_USUAL_M = 2.8;
const INFLOW_USUAL_M3H = 285;
const INFLOW_M3H_A_METRE = 150;
/** The pumps stand this much below the floor of the sump. */
const PUMP_DEPTH_M = 1.2;
const BAR_A_METRE = 0.0980665;

interface Pump {
  wanted: boolean;
  percent: number;
  /** Of rated speed, where the ramp is now. */
  speed: number;
}

export interface PumpShown {
  readonly running: boolean;
  /** Speed wanted, percent of rated. */
  readonly percent: number;
  readonly watts: number;
}

export interface StationShown {
  readonly pumps: Readonly<Record<WaterPump, PumpShown>>;
  readonly suctionBar: number;
  readonly dischargeBar: number;
  readonly sumpM: number;
}

export class PumpStation {
  readonly #pumps: Readonly<Record<WaterPump, Pump>> = {
    'pump-1': { wanted: true, percent: 100, speed: 1 },
    'pump-2': { wanted: false, percent: 100, speed: 0 },
  };
  #sumpM = SUMP_USUAL_M;

  start(pump: WaterPump): void {
    this.#pumps[pump].wanted = true;
  }

  stop(pump: WaterPump): void {
    this.#pumps[pump].wanted = false;
  }

  /** Percent of rated speed; a drive holds what is beyond its limits at them. */
  setSpeed(pump: WaterPump, percent: number): void {
    this.#pumps[pump].percent = Math.min(100, Math.max(SPEED_PERCENT_MIN, percent));
  }

  /** Of rated speed, for the network; 0 while the pump stands or has not the head yet. */
  speed(pump: WaterPump): number {
    const { speed } = this.#pumps[pump];
    return speed * 100 < SPEED_PERCENT_MIN ? 0 : speed;
  }

  /** Moves drives and sump on by so many seconds. */
  advance(seconds: number, { pumpM3h }: Pick<WaterState, 'pumpM3h'>): void {
    for (const pump of Object.values(this.#pumps)) {
      const target = pump.wanted ? pump.percent / 100 : 0;
      const step = RAMP * seconds;
      pump.speed += Math.min(step, Math.max(-step, target - pump.speed));
    }
    const drawn = waterPumps.reduce((sum, pump) => sum + pumpM3h[pump], 0);
    const inflow = INFLOW_USUAL_M3H + INFLOW_M3H_A_METRE * (SUMP_USUAL_M - this.#sumpM);
    const level = this.#sumpM + ((inflow - drawn) * seconds) / 3600 / SUMP_M2;
    this.#sumpM = Math.min(SUMP_FULL_M, Math.max(0, level));
  }

  shown({ pressureBar, pumpM3h }: WaterState): StationShown {
    const suctionBar = (this.#sumpM + PUMP_DEPTH_M) * BAR_A_METRE;
    const dischargeBar = pressureBar.station;
    const shown = (name: WaterPump): PumpShown => {
      const { speed, percent } = this.#pumps[name];
      const flow = pumpM3h[name] / 3600;
      const hydraulic = Math.max(0, dischargeBar - suctionBar) * 1e5 * flow;
      return { running: speed > 0, percent, watts: IDLE_WATTS + hydraulic / EFFICIENCY };
    };
    const pumps = { 'pump-1': shown('pump-1'), 'pump-2': shown('pump-2') };
    return { pumps, suctionBar, dischargeBar, sumpM: this.#sumpM };
  }
}
