// A simulated line with its devices and what is wrong with them: stations from banks or profiles,
// faults that come and go by plan, everything drawn from one seed. Who attaches a master gets the
// end of the line that the faults say: with an echo, with swapped wires.
//
// Each fault of each unit draws from a row of its own, so that adding one changes nothing about the
// others.
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import { pickInteger, seededRandom } from '../core/random.ts';
import type { LineSettings } from '../protocols/line-settings.ts';
import type { Table } from '../protocols/modbus/address.ts';
import { encodeAsciiFrame } from '../protocols/modbus/ascii-frames.ts';
import { encodeRequest } from '../protocols/modbus/codec.ts';
import { encodeRtuFrame } from '../protocols/modbus/rtu-frames.ts';
import { SimulatedDevice } from './device.ts';
import type { LineFault, SimulatedFault } from './faults.ts';
import { concerns, isAnswerFault, isDeviceFault, isLineFault, playFaults } from './faults.ts';
import { FaultyDevice } from './faulty-device.ts';
import type { MasterOptions } from './line.ts';
import { SimLine } from './line.ts';
import type { RegisterBank } from './modbus-answer.ts';
import type { Framing } from './station.ts';
import { Station } from './station.ts';
import type { LineMaster } from './transceiver.ts';
import { characterMs } from './uart.ts';

/** What a second device at an address needs longer at most, in characters: sometimes they meet. */
const TWIN_JITTER_CHARACTERS = 24;
/** Stray characters at a time on a pair without bias. */
const STRAY_MAX = 3;
const SECOND_MASTER_REGISTERS = 10;

export interface BusStation {
  readonly unit: number;
  readonly bank: RegisterBank;
  readonly turnaroundMs: number;
}

export interface BusOptions {
  readonly settings: LineSettings;
  readonly framing?: Framing;
  readonly stations: readonly BusStation[];
  readonly seed: number;
  readonly faults?: readonly SimulatedFault[];
  /** For waits that need not be precise. */
  readonly parts?: Clock;
}

export class SimBus implements Disposable {
  readonly line: SimLine;
  readonly stations: readonly Station[];
  /** What each station answers from, with what is wrong inside its device; by unit. */
  readonly banks: ReadonlyMap<number, RegisterBank>;
  readonly #clock: Clock;
  readonly #options: BusOptions;
  readonly #devices: readonly { readonly unit: number; readonly device: FaultyDevice }[];
  readonly #twins = new Map<number, Station>();
  readonly #masters = new Set<LineMaster>();
  #masterIsSwapped = false;
  #masterEchoes = false;
  #stopFaults = () => {};
  #stopStrays = () => {};
  #stopSecondMaster = () => {};

  constructor(clock: Clock, options: BusOptions) {
    this.#clock = clock;
    this.#options = options;
    this.line = new SimLine(clock, options.settings, options.parts);
    this.#devices = options.stations.flatMap(({ unit, bank }) => {
      if (!(bank instanceof SimulatedDevice)) return [];
      return [{ unit, device: new FaultyDevice(clock, this.#random('device', unit), bank) }];
    });
    this.banks = new Map<number, RegisterBank>([
      ...options.stations.map(({ unit, bank }) => [unit, bank] as const),
      ...this.#devices.map(({ unit, device }) => [unit, device] as const),
    ]);
    this.stations = options.stations.map(({ unit, turnaroundMs }) =>
      this.#station(unit, this.banks.get(unit)!, turnaroundMs, 'answers', 0),
    );
    this.faults = options.faults ?? [];
  }

  /**
   * Settable at any time: their plan begins then. Throws Fault `sim_point_unknown` for a sensor
   * that a device has not.
   */
  set faults(faults: readonly SimulatedFault[]) {
    for (const { unit, device } of this.#devices) {
      device.check(faults.filter((fault) => concerns(fault, unit)));
    }
    this.#stopFaults();
    this.#stopFaults = playFaults(this.#clock, faults, (now) => this.#show(now));
  }

  /** Answers sent by all stations. */
  get served(): number {
    return this.stations.reduce((sum, station) => sum + station.served, 0);
  }

  attachMaster(options: MasterOptions = {}): LineMaster {
    const master = this.line.attachMaster(options);
    for (const other of this.#masters) if (!other.isOpen) this.#masters.delete(other);
    this.#masters.add(master);
    this.#wire(master);
    return master;
  }

  [Symbol.dispose](): void {
    this.#stopFaults();
    this.#stopStrays();
    this.#stopSecondMaster();
    this.line.close();
  }

  #random(what: string, unit: number): Random {
    let seed = this.#options.seed;
    for (const character of `${what}/${unit}`) {
      seed = (Math.imul(seed, 31) + character.charCodeAt(0)) >>> 0;
    }
    return seededRandom(seed);
  }

  #station(
    unit: number,
    bank: RegisterBank,
    turnaroundMs: number,
    role: string,
    jitterMs: number,
  ): Station {
    const { framing = 'rtu' } = this.#options;
    const random = this.#random(role, unit);
    return new Station(this.line, { unit, bank, turnaroundMs, framing, random, jitterMs });
  }

  #wire({ transceiver }: LineMaster): void {
    transceiver.hearsItself = this.#masterEchoes;
    transceiver.isInverted = this.#masterIsSwapped;
  }

  #show(now: readonly SimulatedFault[]): void {
    for (const station of this.stations) {
      station.faults = now.filter(isAnswerFault).filter((fault) => concerns(fault, station.unit));
    }
    for (const { unit, device } of this.#devices) {
      device.show(now.filter(isDeviceFault).filter((fault) => concerns(fault, unit)));
    }
    const faults = now.filter(isLineFault);
    this.#showAtStations(faults);
    this.#masterEchoes = faults.some(({ kind }) => kind === 'echo');
    this.#masterIsSwapped = faults.some(({ kind, units }) => kind === 'swapped-pair' && !units);
    for (const master of this.#masters) this.#wire(master);
    this.#stopStrays();
    this.#stopSecondMaster();
    this.#stopStrays = () => {};
    this.#stopSecondMaster = () => {};
    for (const fault of faults) {
      if (fault.kind === 'missing-bias') this.#strays(fault.meanMs);
      if (fault.kind === 'second-master') this.#secondMaster(fault);
    }
  }

  #showAtStations(faults: readonly LineFault[]): void {
    for (const station of this.stations) {
      const own = faults.filter((fault) => concerns(fault, station.unit));
      const wrong = own.find((fault) => fault.kind === 'wrong-settings');
      const settings = wrong?.settings ?? this.#options.settings;
      if (settings !== station.transceiver.settings) station.transceiver.settings = settings;
      station.transceiver.isInverted = own.some(
        ({ kind, units }) => kind === 'swapped-pair' && units,
      );
      const twin = this.#twins.get(station.unit);
      const hasTwin = own.some(({ kind }) => kind === 'duplicate-address');
      if (hasTwin && !twin) this.#addTwin(station.unit);
      if (!hasTwin && twin) {
        twin.detach();
        this.#twins.delete(station.unit);
      }
    }
  }

  /** Another device of the same kind with the same address: it measures something else. */
  #addTwin(unit: number): void {
    const { bank, turnaroundMs } = this.#options.stations.find((own) => own.unit === unit)!;
    const jitterMs = TWIN_JITTER_CHARACTERS * characterMs(this.#options.settings);
    this.#twins.set(unit, this.#station(unit, otherBank(bank), turnaroundMs, 'twin', jitterMs));
  }

  #strays(meanMs: number): void {
    const random = this.#random('bias', 0);
    const next = () => {
      const waitMs = Math.max(0.5, -Math.log(1 - random.next()) * meanMs);
      this.#stopStrays = this.line.at(this.line.nowMs + waitMs, () => {
        const bytes = random.bytes(pickInteger(random, 1, STRAY_MAX));
        if (this.line.busyUntilMs <= this.line.nowMs) this.line.addNoise(bytes);
        next();
      });
    };
    next();
  }

  /** Somebody who polls the same line and waits for nobody. */
  #secondMaster({ periodMs, units }: Extract<LineFault, { kind: 'second-master' }>): void {
    const random = this.#random('master', 0);
    const other = this.line.attach();
    const asked = units ?? this.stations.map(({ unit }) => unit);
    const request = encodeRequest({ function: 3, address: 0, count: SECOND_MASTER_REGISTERS });
    let cancel = () => {};
    const poll = () => {
      const unit = asked[pickInteger(random, 0, asked.length - 1)] ?? 1;
      const encode = this.#options.framing === 'ascii' ? encodeAsciiFrame : encodeRtuFrame;
      other.send(encode(unit, request));
      wait();
    };
    const wait = () => {
      const afterMs = periodMs * (0.8 + 0.4 * random.next());
      cancel = this.line.at(this.line.nowMs + afterMs, poll);
    };
    wait();
    this.#stopSecondMaster = () => {
      cancel();
      other.detach();
    };
  }
}

function otherBank(bank: RegisterBank): RegisterBank {
  return {
    read: (table: Table, address: number, count: number) => {
      const answer = bank.read(table, address, count);
      if (typeof answer === 'number') return answer;
      const isBit = table === 'coil' || table === 'discrete';
      return answer.map((value) => (isBit ? 1 - value : (value + 0x0101) & 0xffff));
    },
    write: (table, address, values) => bank.write(table, address, values),
  };
}
