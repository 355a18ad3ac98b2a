// What tests of the OPC UA driver stand on: a place that leads to a simulated server, a session on
// it, and polls until something is seen. One key and one certificate a test file: making them takes
// a second.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { systemClock } from '../core/clock.ts';
import { Problems } from '../core/problems.ts';
import { qualityOf } from '../core/quality.ts';
import { seededRandom } from '../core/random.ts';
import { openTrust } from '../edge/links/opcua-trust.ts';
import type { Answers, DeviceHandle, OwnSession, Plan } from '../protocols/driver.ts';
import type { OpcuaAddress, OpcuaDevice } from '../protocols/opcua/address.ts';
import { opcua } from '../protocols/opcua/driver.ts';
import type { OpcuaPlace } from '../protocols/opcua/place.ts';
import type { OpcUaServerOptions, SimulatedOpcUa } from '../simulators/opcua-server.ts';
import { openOpcUaServer } from '../simulators/opcua-server.ts';

export const NAMESPACES = { ps: 'urn:station' } as const;

/** The point of the plain server. */
export const P = 'ps:S/ps:P';
export const FLOAT = { path: P, type: 'float' } as const;

export type OpcuaSessionOnTest = OwnSession<OpcuaAddress, OpcuaDevice>;

export class OpcuaGround {
  readonly folder = mkdtempSync(join(tmpdir(), 'opcua-'));
  readonly #closing: (() => unknown)[] = [];

  /** Loads the library and makes the keys of both sides: no test waits for them. */
  async warm(): Promise<void> {
    await this.place('').trust.own();
    await (await openOpcUaServer(this.options())).close();
  }

  /** Closed at the end of the test. */
  async opened(more: Partial<OpcUaServerOptions> = {}): Promise<SimulatedOpcUa> {
    const server = await openOpcUaServer(this.options(more));
    this.atEnd(() => server.close());
    return server;
  }

  /** A server of the plain kind, without protection. */
  options(more: Partial<OpcUaServerOptions> = {}): OpcUaServerOptions {
    return {
      host: '127.0.0.1',
      port: 0,
      pkiFolder: join(this.folder, 'server'),
      securityPolicies: ['None'],
      namespaces: NAMESPACES,
      nodes: [{ path: P, type: 'float', value: 2.5 }],
      ...more,
    };
  }

  place(endpoint: string, more: Partial<OpcuaPlace> = {}): OpcuaPlace {
    const pki = { folder: join(this.folder, 'gateway'), gateway: 'gw-1' };
    return {
      endpoint,
      security: { policy: 'None', mode: 'None', host: null, expired: 'refuse' },
      identity: { kind: 'anonymous' },
      trust: openTrust(systemClock, seededRandom(1), pki),
      timeoutMs: 1_000,
      sessionTimeoutMs: 20_000,
      publishingMs: 50,
      keepAliveMs: 300,
      limits: {},
      ...more,
    };
  }

  async connect(place: OpcuaPlace, before?: OpcuaSessionOnTest): Promise<OpcuaSessionOnTest> {
    const { signal } = new AbortController();
    const random = seededRandom(1);
    const session = await opcua.connect!(systemClock, random, place, signal, before);
    this.atEnd(() => session.close());
    return session;
  }

  atEnd(close: () => unknown): void {
    this.#closing.push(close);
  }

  async end(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The fault a session ends with; null after its own close. */
export const closed = (session: OpcuaSessionOnTest): Promise<string | null> =>
  new Promise((resolve) => {
    session.onClose = (why) => resolve(why?.code ?? null);
  });

export function deviceOptions(raw: object = {}): OpcuaDevice {
  const problems = new Problems('test');
  const given = { namespaces: NAMESPACES, timeoutMs: 1_000, ...raw };
  const options = opcua.parseDevice(given, [], problems);
  expect(problems.findings).toEqual([]);
  return options!;
}

export function addressesOf(raws: readonly object[]): OpcuaAddress[] {
  return raws.map((raw) => addressOf(raw));
}

export function addressOf(raw: object): OpcuaAddress {
  const problems = new Problems('test');
  const isPoint = !('object' in raw || 'acknowledge' in raw);
  const parse = isPoint ? opcua.parseAddress : opcua.parseCommand!;
  const address = parse(raw, [], problems);
  expect(problems.findings).toEqual([]);
  return address!;
}

/** One device and one plan of it, on a session and on those that follow it. */
export class Polled {
  readonly addresses: readonly OpcuaAddress[];
  readonly #options: OpcuaDevice;
  handle!: DeviceHandle<OpcuaAddress>;
  plan!: Plan;
  /** All that polls have brought besides values. */
  readonly more: unknown[] = [];
  readonly filled: { at: number; value: unknown; quality: string; atMonoMs: number }[] = [];
  lost = 0;

  constructor(session: OpcuaSessionOnTest, raws: readonly object[], options = deviceOptions()) {
    this.addresses = addressesOf(raws);
    this.#options = options;
    this.on(session);
  }

  on(session: OpcuaSessionOnTest): void {
    this.handle = session.device(this.#options);
    this.plan = this.handle.plan(this.addresses, this.plan);
  }

  async poll(): Promise<Answers> {
    const answers = await this.handle.poll(this.plan, new AbortController().signal);
    const { length } = this.addresses;
    const { values, qualities, atMonoMs, more = [], filled = [], lost = 0 } = answers;
    expect([values.length, qualities.length, atMonoMs.length]).toEqual([length, length, length]);
    qualities.forEach((code, at) => {
      expect(values[at] === null, `a bad point has no value, any other has one: ${at}`).toBe(
        code >> 6 === 2,
      );
    });
    for (const each of more) this.more.push(each.value);
    for (const { at, value, quality, atMonoMs: ms } of filled) {
      this.filled.push({ at, value, quality: nameOf(quality), atMonoMs: ms });
    }
    this.lost += lost;
    return answers;
  }

  /** What is seen, as `value` or as quality and reason. */
  async seen(): Promise<unknown[]> {
    const { values, qualities } = await this.poll();
    return values.map((value, at) => (value === null ? nameOf(qualities[at]!) : value));
  }

  async until(expected: readonly unknown[]): Promise<void> {
    await expect.poll(() => this.seen(), { timeout: 8_000, interval: 20 }).toEqual(expected);
  }
}

export function nameOf(code: number): string {
  const { quality, reason } = qualityOf(code)!;
  return reason === 'none' ? quality : `${quality}/${reason}`;
}
