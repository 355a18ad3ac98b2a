// The demo city: three sites, each a Modbus TCP gateway with devices of real models behind it,
// whose sensors show what the plant does. The station that pumps the water speaks OPC UA; whoever
// opens a server for it shows `stationValues` there and hands its orders back. A scenario says what
// happens when; it begins anew each SCENARIO_MS.
import type { Random } from '../core/random.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import { SimulatedDevice } from './device.ts';
import type { DeviceOrder } from './opcua-device.ts';
import { Bridge } from './plant/bridge.ts';
import { GasCellars } from './plant/gas-cellar.ts';
import { PumpStation } from './plant/pump-station.ts';
import type { WaterNode, WaterPipe, WaterState } from './plant/water-network.ts';
import { WaterNetwork, waterPumps } from './plant/water-network.ts';

export const sites = ['gas', 'water', 'bridge'] as const;
export type Site = (typeof sites)[number];

export interface CityDevice {
  readonly site: Site;
  readonly id: string;
  readonly unit: number;
  readonly profile: string;
  readonly device: SimulatedDevice;
}

export const cityEvents = ['burst', 'gas-leak', 'settlement'] as const;
export type CityEvent = (typeof cityEvents)[number];

/** What happens, from when to when, in milliseconds since the scenario began. */
const scenario: Readonly<Record<CityEvent, { readonly fromMs: number; readonly toMs: number }>> = {
  burst: { fromMs: 15_000, toMs: 120_000 },
  'gas-leak': { fromMs: 28_000, toMs: 75_000 },
  settlement: { fromMs: 34_000, toMs: 180_000 },
};
const SCENARIO_MS = 900_000;

const wells = ['well-06', 'well-07', 'well-08'] as const;
const gauges: readonly WaterNode[] = ['market', 'hospital', 'school', 'harbour'];
const meters: readonly WaterPipe[] = ['main-1', 'branch'];
export const STATION_PROFILE = 'generic/pump-station';
/** The station says that its sump is low from here on, and again that it is not. */
const SUMP_LOW_M = 1.2;
const SUMP_RIGHT_M = 1.4;
const bearings = ['bearing-west', 'bearing-east'] as const;

export class City {
  readonly devices: readonly CityDevice[];
  readonly #random: Random;
  readonly #water: WaterNetwork;
  readonly #station = new PumpStation();
  #stationValues: Readonly<Record<string, number | boolean>> = {};
  #isSumpLow = false;
  readonly #cellars = new GasCellars({ spaces: wells.length, vent: 0.004, soil: 0.012 });
  readonly #bridge = new Bridge({ spanM: 40, stiffness: 2e10, frequencyHz: 2.5, damping: 0.03 });
  readonly #byId: ReadonlyMap<string, SimulatedDevice>;
  #active: ReadonlySet<CityEvent> = new Set();
  #lastMs = 0;
  #nextLorryMs = 2_000;
  #volumeM3 = 48_210;
  #energyKwh = 9_120.5;

  private constructor(random: Random, water: WaterNetwork) {
    this.#random = random;
    this.#water = water;
    const make = (site: Site, id: string, unit: number, profile: string): CityDevice => ({
      site,
      id,
      unit,
      profile,
      device: new SimulatedDevice(loadProfile(profile)),
    });
    this.devices = [
      ...wells.map((id, at) => make('gas', id, at + 1, 'honeywell/sensepoint-xcd')),
      ...gauges.map((id, at) => make('water', `pressure-${id}`, at + 1, 'keller/series-30')),
      ...meters.map((id, at) => make('water', `flow-${id}`, at + 11, 'tuf/tuf-2000m')),
      make('water', 'pump-power', 21, 'eastron/sdm630'),
      ...bearings.map((id, at) => make('bridge', id, at + 1, 'witmotion/wt901c485')),
    ];
    this.#byId = new Map(this.devices.map(({ id, device }) => [id, device]));
    this.#constants();
  }

  static async open(random: Random): Promise<City> {
    return new City(random, await WaterNetwork.open());
  }

  /** Moves the plant to `sinceMs` after the start; returns what began or ended now. */
  advance(sinceMs: number, hour: number): { began: CityEvent[]; ended: CityEvent[] } {
    const atMs = sinceMs % SCENARIO_MS;
    const due = new Set(
      cityEvents.filter((event) => scenario[event].fromMs <= atMs && atMs < scenario[event].toMs),
    );
    const began = [...due].filter((event) => !this.#active.has(event));
    const ended = [...this.#active].filter((event) => !due.has(event));
    this.#active = due;
    for (const event of began) this.#happen(event, true);
    for (const event of ended) this.#happen(event, false);
    const seconds = (sinceMs - this.#lastMs) / 1000;
    this.#lastMs = sinceMs;
    this.#showWater(hour, seconds);
    this.#showGas(seconds);
    this.#showBridge(sinceMs);
    return { began, ended };
  }

  /** By point of the profile of the station. */
  get stationValues(): Readonly<Record<string, number | boolean>> {
    return this.#stationValues;
  }

  /** What was commanded of the station. */
  order({ point, value }: DeviceOrder): void {
    const pump = waterPumps.find((name) => point.startsWith(name));
    if (!pump) return;
    if (point.endsWith('-speed')) this.#station.setSpeed(pump, Number(value));
    else if (value) this.#station.start(pump);
    else this.#station.stop(pump);
  }

  /** Point-reads that the devices of a site have answered. */
  served(site: Site): number {
    return this.devices
      .filter((device) => device.site === site)
      .reduce((sum, { device }) => sum + device.served, 0);
  }

  close(): void {
    this.#water.close();
  }

  #happen(event: CityEvent, begins: boolean): void {
    if (event === 'burst') this.#water.burst(begins ? { node: 'harbour', coefficient: 12 } : null);
    if (event === 'gas-leak') this.#cellars.leak(begins ? { space: 1, lelPerSecond: 5 } : null);
    if (event === 'settlement') this.#bridge.settle(begins ? 0.34 : 0);
  }

  // What does not change while the city runs.
  #constants(): void {
    for (const id of wells) {
      this.#set(id, { mode: 1, temperature: 17, 'fault-code': 0 });
      this.#set(id, { warning: false, fault: false });
    }
    for (const [at, id] of gauges.entries()) {
      this.#set(`pressure-${id}`, { temperature: 11.5, 'serial-number': 40_211 + at });
    }
    for (const id of meters) {
      this.#set(`flow-${id}`, { 'temperature-supply': 11.8, 'temperature-return': 11.8 });
      this.#set(`flow-${id}`, { 'no-signal': false, 'empty-pipe': false, 'hardware-fault': false });
    }
    this.#set('pump-power', { 'energy-export': 0, frequency: 50 });
    for (const id of bearings) this.#set(id, { heading: 12, temperature: 19 });
  }

  #showWater(hour: number, seconds: number): void {
    for (const pump of waterPumps) this.#water.run(pump, this.#station.speed(pump));
    const water = this.#water.solve(hour);
    const { pressureBar, flowM3h } = water;
    this.#station.advance(seconds, water);
    for (const node of gauges) {
      this.#set(`pressure-${node}`, { pressure: pressureBar[node] + this.#noise(0.004) });
    }
    for (const pipe of meters) {
      const flow = flowM3h[pipe] + this.#noise(0.2);
      if (pipe === 'main-1') this.#volumeM3 += (flow * seconds) / 3600;
      this.#set(`flow-${pipe}`, {
        flow,
        velocity: flow / 3600 / (Math.PI * 0.0875 ** 2),
        'total-forward': Math.floor(this.#volumeM3),
        'signal-quality': 88 + Math.round(this.#noise(2)),
      });
    }
    this.#showStation(water);
    this.#showPower(seconds);
  }

  #showStation(water: WaterState): void {
    const { pumps, suctionBar, dischargeBar, sumpM } = this.#station.shown(water);
    this.#isSumpLow = sumpM < (this.#isSumpLow ? SUMP_RIGHT_M : SUMP_LOW_M);
    const values: Record<string, number | boolean> = {
      'suction-pressure': suctionBar + this.#noise(0.002),
      'discharge-pressure': dischargeBar + this.#noise(0.004),
      'sump-level': sumpM + this.#noise(0.003),
      'sump-low': this.#isSumpLow,
    };
    for (const pump of waterPumps) {
      const { running, percent, watts } = pumps[pump];
      values[`${pump}-running`] = running;
      values[`${pump}-speed`] = percent;
      values[`${pump}-power`] = (watts + this.#noise(running ? 15 : 0.5)) / 1_000;
    }
    this.#stationValues = values;
  }

  // What both pumps and their drives take is on one meter.
  #showPower(seconds: number): void {
    const kilowatts = waterPumps.map((pump) => Number(this.#stationValues[`${pump}-power`]));
    const watts = 1_000 * kilowatts.reduce((sum, each) => sum + each, 0);
    this.#energyKwh += (watts * seconds) / 3.6e6;
    const volts = [229.6, 230.4, 230.1];
    const power = {
      power: watts,
      'energy-import': this.#energyKwh,
      'energy-total': this.#energyKwh,
    };
    this.#set('pump-power', power);
    for (const [at, volt] of volts.entries()) {
      const voltage = volt + this.#noise(0.3);
      this.#set('pump-power', {
        [`voltage-${at + 1}`]: voltage,
        [`current-${at + 1}`]: watts / 3 / voltage / 0.94,
        [`power-${at + 1}`]: watts / 3,
        [`power-factor-${at + 1}`]: 0.94,
      });
    }
  }

  #showGas(seconds: number): void {
    this.#cellars.advance(seconds);
    for (const [at, id] of wells.entries()) {
      const gas = this.#cellars.concentrations[at]! + this.#noise(0.15);
      this.#set(id, { gas, 'alarm-1': gas >= 25, 'alarm-2': gas >= 50 });
    }
  }

  #showBridge(sinceMs: number): void {
    const second = sinceMs / 1000;
    if (sinceMs >= this.#nextLorryMs) {
      const massT = 12 + 28 * this.#random.next();
      this.#bridge.enter({ enteredS: second, massT, speedMs: 14 });
      this.#nextLorryMs = sinceMs + 4_000 + 9_000 * this.#random.next();
    }
    const { tiltDeg, accelerationG } = this.#bridge.at(second);
    for (const [at, id] of bearings.entries()) {
      this.#set(id, {
        'angle-x': tiltDeg[at]! + this.#noise(0.002),
        'angle-y': this.#noise(0.002),
        'acceleration-x': this.#noise(0.002),
        'acceleration-y': this.#noise(0.002),
        'acceleration-z': 1 + accelerationG + this.#noise(0.002),
      });
    }
  }

  // Uniform in [-width, width].
  #noise(width: number): number {
    return (2 * this.#random.next() - 1) * width;
  }

  #set(device: string, values: Readonly<Record<string, number | boolean>>): void {
    const simulated = this.#byId.get(device);
    for (const [point, value] of Object.entries(values)) simulated?.set(point, value);
  }
}
