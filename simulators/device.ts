// A device made from its profile: the registers a real one would show, set in engineering units.
// What the gateway reads from it goes through the same addresses and codes as on a real bus, so a
// profile that is wrong shows itself here first.
//
// It counts what it gave out: `served` is the account of readings kept on the far side of the wire,
// by somebody who knows nothing of the gateway's counters.
import { assert, Fault } from '../core/fault.ts';
import { engineering } from '../core/point.ts';
import type { Reason } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import { bilingual } from '../core/text/text.ts';
import type { Aside } from '../device-profiles/auxiliary.ts';
import { settingsExpected, showing } from '../device-profiles/auxiliary.ts';
import { rawToWrite } from '../device-profiles/commands.ts';
import type {
  ModbusPoint,
  Profile,
  ProfileCommand,
  ProfilePoint,
} from '../device-profiles/profile.ts';
import { modbusPoints } from '../device-profiles/profile.ts';
import type { Shown } from '../device-profiles/vectors.ts';
import { asideOf, shownBy } from '../device-profiles/vectors.ts';
import type { ModbusAddress, Table } from '../protocols/modbus/address.ts';
import { tables } from '../protocols/modbus/address.ts';
import { ILLEGAL_ADDRESS } from '../protocols/modbus/codec.ts';
import { decodeValue, writeValue } from '../protocols/modbus/value.ts';
import type { RegisterBank } from './modbus-answer.ts';

/** An engineering value, or the code with which the device says that it has none. */
export type SimulatedValue = NonNullable<Value> | { readonly invalid: Reason };

export interface SimulatedDeviceOptions {
  /** Exception 2 for every register the profile does not name; otherwise these read as 0. */
  readonly strict: boolean;
}

interface TableBank {
  readonly words: Uint16Array;
  /** 1 where the profile names the register. */
  readonly named: Uint8Array;
  readonly points: readonly ModbusAddress[];
}

export class SimulatedDevice implements RegisterBank {
  readonly profile: Profile;
  /** Point-reads: for each read request, the points of the profile it covers from end to end. */
  served = 0;
  readonly #strict: boolean;
  readonly #banks: ReadonlyMap<Table, TableBank>;
  readonly #points: ReadonlyMap<string, ModbusPoint>;
  readonly #obeyed: readonly Obeyed[];
  #frozen: ReadonlySet<string> = new Set();
  readonly #held = new Map<string, SimulatedValue>();

  /** Every point starts at 0, or at the value nearest to it that its range or states allow. */
  constructor(profile: Profile, { strict }: SimulatedDeviceOptions = { strict: false }) {
    this.profile = profile;
    this.#strict = strict;
    assert(profile.protocol === 'modbus', 'registers are what a device of Modbus has');
    const own = modbusPoints(profile);
    this.#points = new Map(own.map((point) => [point.id, point]));
    const known = profile.identify.filter((entry) => entry.kind === 'register');
    const points = own.map(({ address }) => address);
    this.#obeyed = own.flatMap((point) => obeyedBy(point));
    const told = this.#obeyed.map(({ address }) => address);
    const all = [...points, ...known.map(({ address }) => address), ...asideIn(profile), ...told];
    this.#banks = new Map(tables.map((table) => [table, tableBank(table, points, all)]));
    for (const { address, equals } of known) this.#write(address, equals);
    for (const { auxiliary } of profile.points) {
      for (const { address, raw } of auxiliary ? settingsExpected(auxiliary) : []) {
        this.#write(address, raw);
      }
    }
    for (const point of profile.points) {
      const initial = initialOf(point, profile.points);
      if (initial !== null) this.set(point.id, initial);
    }
  }

  /**
   * Shows a value from the next read on. Whole-number registers round and saturate as converters
   * do. Throws Fault `sim_point_unknown`, `sim_value_unfit` (text for a number, NaN for whole
   * numbers) or `sim_no_such_code` (the device has no code that says so).
   */
  set(pointId: string, value: SimulatedValue): void {
    const point = this.#point(pointId);
    const shown = this.#showing(point, value);
    if (this.#frozen.has(pointId)) this.#held.set(pointId, value);
    else this.#write(shown.address, shown.raw);
  }

  /** What a reader of the point sees now. */
  get(pointId: string): Shown {
    const point = this.#point(pointId);
    return shownBy(point, this.#words(point.address), this.#aside(point));
  }

  /** What stands beside the point now: mode, unit, scale, word order. */
  #aside(point: ModbusPoint): Aside {
    return asideOf(point, { firstMissing: () => null, words: (address) => this.#words(address) });
  }

  #words({ table, address, width }: ModbusAddress): Uint16Array {
    return this.#banks.get(table)!.words.subarray(address, address + width);
  }

  #showing(point: ModbusPoint, value: SimulatedValue): { address: ModbusAddress; raw: Value } {
    const raw = rawFor(point, value);
    const { address, auxiliary } = point;
    if (!auxiliary || typeof value !== 'number') return { address, raw };
    return showing(point, auxiliary, value, this.#aside(point));
  }

  /** A sensor that sticks: these points keep showing what they show, whatever is set. */
  freeze(pointIds: Iterable<string> = this.#points.keys()): void {
    const frozen = new Set(pointIds);
    for (const id of frozen) this.#point(id);
    this.#frozen = new Set([...this.#frozen, ...frozen]);
  }

  /** Moves again, with what was set meanwhile. */
  thaw(): void {
    this.#frozen = new Set();
    for (const [id, value] of this.#held) this.set(id, value);
    this.#held.clear();
  }

  /** Remembers what the registers of a point hold; the returned function puts it back. */
  keep(pointId: string): () => void {
    const { table, address, width } = this.#point(pointId).address;
    const { words } = this.#banks.get(table)!;
    const kept = words.slice(address, address + width);
    return () => words.set(kept, address);
  }

  read(table: Table, address: number, count: number): Uint16Array | number {
    const { words, named, points } = this.#banks.get(table)!;
    const end = address + count;
    if (this.#strict) {
      for (let at = address; at < end; at++) if (named[at] !== 1) return ILLEGAL_ADDRESS;
    }
    for (const point of points) {
      if (point.address >= address && point.address + point.width <= end) this.served++;
    }
    const answer = new Uint16Array(count);
    answer.set(words.subarray(address, end));
    return answer;
  }

  /**
   * Takes what is written to registers the profile names; the others are read-only to everybody.
   * What a command of the profile writes elsewhere is obeyed: its point shows the value.
   */
  write(table: Table, address: number, values: Uint16Array): number {
    const { words, named } = this.#banks.get(table)!;
    for (let at = address; at < address + values.length; at++) {
      if (named[at] !== 1) return ILLEGAL_ADDRESS;
    }
    words.set(values, address);
    for (const command of this.#obeyed) {
      const { address: at } = command;
      const isInside = at.address >= address && at.address + at.width <= address + values.length;
      if (at.table !== table || !isInside) continue;
      const value = meantBy(command, decodeValue(at, this.#words(at)) ?? null);
      if (value !== null) this.set(command.point, value);
    }
    return 0;
  }

  #point(id: string): ModbusPoint {
    const point = this.#points.get(id);
    if (point) return point;
    const detail = bilingual('sim-no-point', { profile: this.profile.id, id });
    throw new Fault('sim_point_unknown', 'never', detail);
  }

  #write(address: ModbusAddress, raw: Value): void {
    const { words } = this.#banks.get(address.table)!;
    if (address.table === 'coil' || address.table === 'discrete') {
      words[address.address] = raw ? 1 : 0;
    } else writeValue(address, raw, words, address.address);
  }
}

/** A command that writes elsewhere than where its point is read. */
interface Obeyed {
  readonly point: string;
  readonly address: ModbusAddress;
  readonly how: ProfileCommand;
}

function obeyedBy({ id, address: own, commands = [] }: ModbusPoint): Obeyed[] {
  return commands.flatMap((how) => {
    const address = how.address as ModbusAddress; // A profile for Modbus calls nothing.
    const isOwn = address.table === own.table && address.address === own.address;
    return isOwn ? [] : [{ point: id, address, how }];
  });
}

/** What the point shows when the device was told `raw` so; null when that is no such command. */
function meantBy({ how }: Obeyed, raw: Value): SimulatedValue | null {
  const { offer, words, scale, offset } = how;
  for (const [value, word] of words ?? []) if (Number(word) === Number(raw)) return value;
  if (words || raw === null) return null;
  if (offer.fixed !== null) return rawToWrite(how, offer.fixed) === raw ? offer.fixed : null;
  return typeof raw === 'number' ? engineering(raw, scale, offset) : raw;
}

/** Registers beside the points, and those that triggers touch. */
function asideIn({ points, triggers }: Profile): ModbusAddress[] {
  const steps = triggers.flatMap(({ start, stop }) => (stop ? [start, stop] : [start]));
  const beside = points.flatMap(({ auxiliary }) => {
    const { unit, scale, order } = auxiliary ?? {};
    return [unit, scale, order].flatMap((register) => register?.address ?? []);
  });
  const touched = steps.map(({ table, address, ...step }): ModbusAddress => {
    const width = step.kind === 'write' ? step.values.length : step.count;
    const plain = { type: 'uint16', order: 'ABCD', packing: 'H', bit: null, bits: null } as const;
    return { table, address, width, ...plain };
  });
  return [...beside, ...touched];
}

function tableBank(
  table: Table,
  points: readonly ModbusAddress[],
  all: readonly ModbusAddress[],
): TableBank {
  const here = all.filter((address) => address.table === table);
  const size = here.reduce((max, { address, width }) => Math.max(max, address + width), 0);
  const named = new Uint8Array(size);
  for (const { address, width } of here) named.fill(1, address, address + width);
  return {
    words: new Uint16Array(size),
    named,
    points: points.filter((address) => address.table === table),
  };
}

function initialOf(point: ProfilePoint, all: readonly ProfilePoint[]): SimulatedValue | null {
  const { id, definition, states } = point;
  const mode = all.find(({ auxiliary }) => auxiliary?.mode?.point === id)?.auxiliary?.mode;
  // A device starts in service, whatever its first state is.
  const state = [...states.keys()].find((raw) => mode?.states.get(Number(raw)) !== false);
  if (state !== undefined) return state;
  if (definition.type === 'boolean') return false;
  if (definition.type === 'text') return null; // Registers of 0 are an empty text.
  const [min, max] = definition.range ?? [0, 0];
  return Math.min(Math.max(0, min), max);
}

function rawFor(point: ModbusPoint, value: SimulatedValue): Value {
  const { id, address, definition } = point;
  if (typeof value === 'object') {
    for (const [raw, reason] of point.invalid) if (reason === value.invalid) return raw;
    if (value.invalid === 'not_available' && address.type.startsWith('float')) return Number.NaN;
    const detail = bilingual('sim-no-code', { id, reason: value.invalid });
    throw new Fault('sim_no_such_code', 'never', detail);
  }
  const { type, scale, offset } = definition;
  const wanted = type === 'boolean' || type === 'text' ? type : 'number';
  const kind = typeof value === 'string' ? 'text' : typeof value;
  const isWhole = !address.type.startsWith('float');
  const isNumber = kind === 'bigint' || kind === 'number';
  const isUnfit =
    wanted === 'number'
      ? !isNumber || (isWhole && kind === 'number' && !Number.isFinite(value))
      : kind !== wanted;
  if (isUnfit) {
    const detail = bilingual('sim-unfit', { id, type: address.type, value: `${value}` });
    throw new Fault('sim_value_unfit', 'never', detail);
  }
  if (typeof value === 'number') return (value - offset) / scale;
  return value;
}
