// The pump station of the demo city over OPC UA, in a process of its own: loading the library takes
// most of a second, in which the devices beside it would not answer. When that process ends, a new
// one takes its place.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { isFault } from '../core/fault.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import type { City } from '../simulators/city.ts';
import { STATION_PROFILE } from '../simulators/city.ts';
import { OpcUaDevice } from '../simulators/opcua-device.ts';
import { OpcUaProcess } from '../simulators/opcua-process.ts';
import type { OpcUaServerOptions } from '../simulators/opcua-server.ts';

export interface StationOptions {
  readonly host: string;
  readonly port: number;
  /** Of its key and certificate, so that who trusts it once does so again; null: a new one. */
  readonly folder: string | null;
}

const RESTART_MS = 2_000;

export class ShownStation implements AsyncDisposable {
  readonly #city: City;
  readonly #device: OpcUaDevice;
  readonly #options: OpcUaServerOptions;
  /** Removed in the end. */
  readonly #scratch: string | null;
  readonly #shown = new Map<string, number | boolean>();
  #server: OpcUaProcess;
  #served = 0;
  #servedBefore = 0;
  #isStepping = false;
  #restartMonoMs = Number.POSITIVE_INFINITY;

  private constructor(
    city: City,
    device: OpcUaDevice,
    server: OpcUaProcess,
    options: OpcUaServerOptions,
    scratch: string | null,
  ) {
    this.#city = city;
    this.#device = device;
    this.#server = server;
    this.#options = options;
    this.#scratch = scratch;
    device.show({
      set: (path, value, how) => this.#server.tell('set', path, value, how),
      alarm: (path, isActive) => this.#server.tell('alarm', path, isActive),
      raise: (path, message, severity) => this.#server.tell('raise', path, message, severity),
    });
  }

  /** Rejects with Fault `sim_opcua_missing` or `sim_opcua_failed`. */
  static async open(city: City, { host, port, folder }: StationOptions): Promise<ShownStation> {
    const device = new OpcUaDevice(loadProfile(STATION_PROFILE));
    for (const [point, value] of Object.entries(city.stationValues)) device.set(point, value);
    const scratch = folder === null ? mkdtempSync(join(tmpdir(), 'lifeline-station-')) : null;
    const pkiFolder = resolve(folder ?? scratch ?? '');
    const options = { host, port, pkiFolder, ...device.space() };
    try {
      const server = await OpcUaProcess.start(options);
      return new ShownStation(city, device, server, { ...options, port: server.port }, scratch);
    } catch (error) {
      if (scratch) rmSync(scratch, { recursive: true, force: true });
      throw error;
    }
  }

  get port(): number {
    return this.#server.port;
  }

  get certificate(): Uint8Array {
    return this.#server.certificate;
  }

  /** Statements about values that the server gave out, as of the last step. */
  get served(): number {
    return this.#servedBefore + this.#served;
  }

  /** Shows what changed in the plant and brings it what was ordered. */
  async step(): Promise<void> {
    if (this.#isStepping) return; // A server that is slow is told less often.
    this.#isStepping = true;
    try {
      if (systemClock.monoMs() >= this.#restartMonoMs) await this.#restart();
      if (this.#restartMonoMs === Number.POSITIVE_INFINITY) await this.#exchange();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#restartMonoMs = systemClock.monoMs() + RESTART_MS;
    } finally {
      this.#isStepping = false;
    }
  }

  async #exchange(): Promise<void> {
    for (const order of this.#device.ordersOf(await this.#server.ask('takeOrders'))) {
      this.#city.order(order);
    }
    for (const [point, value] of Object.entries(this.#city.stationValues)) {
      if (this.#shown.get(point) === value) continue;
      this.#device.set(point, value);
      this.#shown.set(point, value);
    }
    this.#served = await this.#server.ask('served');
  }

  async #restart(): Promise<void> {
    this.#server = await OpcUaProcess.start(this.#options);
    this.#restartMonoMs = Number.POSITIVE_INFINITY;
    this.#servedBefore += this.#served;
    this.#served = 0;
    this.#shown.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    if (this.#scratch) rmSync(this.#scratch, { recursive: true, force: true });
  }
}
