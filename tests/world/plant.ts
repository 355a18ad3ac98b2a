// What is measured: devices with registers that are a function of time and place alone, so that every
// value tells which point it is, when it was shown, and whether the condition of its rule held then.
//
//   raw = code x 2^20 + (beyond ? 2^19 : 0) + tenths of a second
//
// A value that is found anywhere can be checked by itself: another point has another code, another
// scale another quotient, another time another tick. Devices speak Modbus TCP over simulated links and
// can be silent, late, cut or full of exceptions.
import type { LimitRule, RuleProposal } from '../../core/alarm/rule.ts';
import { Fault } from '../../core/fault.ts';
import type { PointDefinition } from '../../core/point.ts';
import { engineering } from '../../core/point.ts';
import { Problems } from '../../core/problems.ts';
import type { Random } from '../../core/random.ts';
import { pickInteger } from '../../core/random.ts';
import type { PointClass } from '../../core/reading.ts';
import type { ProfileCommand, ProfilePoint } from '../../device-profiles/profile.ts';
import type { DeviceConfig, GatewayConfig } from '../../edge/config/gateway.ts';
import type { PathTerms } from '../../edge/uplink/paths.ts';
import type { Link, Protocol } from '../../protocols/driver.ts';
import { encodeException } from '../../protocols/modbus/codec.ts';
import { modbus } from '../../protocols/modbus/driver.ts';
import { Deframer, encodeFrame } from '../../protocols/modbus/tcp-frames.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { answerRequest } from '../../simulators/modbus-answer.ts';
import { WORLD_OFFER } from './command-desk.ts';
import type { Timeline } from './timeline.ts';

const CODE_UNIT = 2 ** 20;
const BEYOND = 2 ** 19;
const TICK_MS = 100;
const TIMEOUT_MS = 1_000;
/** An answer is on its way for less than this beyond the time-out of its request. */
const LATE_MS = 500;
const CONNECT_MS = 5;

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface PlantPoint {
  readonly gateway: string;
  readonly device: string;
  readonly point: string;
  /** Tells the point in every value it has. */
  readonly code: number;
  readonly class: PointClass;
  readonly periodMs: number;
  /** The value stands still for so long; within it, it is reported once. */
  readonly holdMs: number;
  /** When the condition of its rule holds; empty without a rule. */
  readonly excursions: readonly Span[];
  readonly onDelayMs: number;
  readonly offDelayMs: number;
  readonly hasRule: boolean;
  /** Of its rule. */
  readonly level: 1 | 2 | 3;
  readonly hasNoData: boolean;
  /** May be commanded: a register of its own beside what it shows. */
  isCommanded?: boolean;
}

export function pointKey({ gateway, device, point }: PlantPoint): string {
  return `${gateway}/${device}/${point}`;
}

export function isBeyondAt(point: PlantPoint, atMs: number): boolean {
  return point.excursions.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
}

/** What the register shows at a time; whole milliseconds. */
export function rawAt(point: PlantPoint, atMs: number): number {
  const heldMs = Math.floor(atMs / point.holdMs) * point.holdMs;
  const beyond = isBeyondAt(point, atMs) ? BEYOND : 0;
  return point.code * CODE_UNIT + beyond + Math.floor(heldMs / TICK_MS);
}

/** What a raw value says of itself. */
export function told(raw: number) {
  const code = Math.floor(raw / CODE_UNIT);
  const rest = raw - code * CODE_UNIT;
  return { code, isBeyond: rest >= BEYOND, atMs: (rest % BEYOND) * TICK_MS };
}

/** Whether the register can have shown `raw` in an answer that was complete at `atMs`. */
export function couldShow(point: PlantPoint, raw: number, atMs: number): boolean {
  const { code, isBeyond, atMs: tickMs } = told(raw);
  if (code !== point.code || tickMs > atMs) return false;
  const earliestMs = Math.max(0, atMs - TIMEOUT_MS - LATE_MS);
  if (tickMs < Math.floor(earliestMs / point.holdMs) * point.holdMs - TICK_MS) return false;
  return (
    isBeyondAt(point, atMs) === isBeyond ||
    isBeyondAt(point, earliestMs) === isBeyond ||
    point.excursions.some(({ fromMs, toMs }) =>
      [fromMs, toMs].some((edgeMs) => edgeMs >= earliestMs && edgeMs <= atMs),
    )
  );
}

/** How a point is configured at present: a change of configuration changes these and the aliases. */
export interface PointSetting {
  readonly point: PlantPoint;
  readonly scale: number;
}

export interface GatewaySetting {
  /** In the order of the manifest, a list for each device and period. */
  readonly groups: readonly {
    readonly device: string;
    readonly periodMs: number;
    readonly points: readonly PointSetting[];
  }[];
}

/** In engineering units: half a unit of the mark that says beyond. */
function limitRule({ point, scale }: PointSetting): LimitRule {
  return {
    id: 'high',
    kind: 'limit',
    side: 'high',
    level: point.level,
    limit: engineering(point.code * CODE_UNIT + BEYOND, scale, 0),
    deadband: engineering(BEYOND / 4, scale, 0),
    onDelayMs: point.onDelayMs,
    offDelayMs: point.offDelayMs,
    title: { en: 'High', zh: '高' },
    action: null,
  };
}

export const NO_DATA_MS = 15_000;

function rulesOf(setting: PointSetting): RuleProposal[] {
  const { point } = setting;
  const rules: RuleProposal[] = [];
  if (point.hasRule) rules.push(limitRule(setting));
  if (point.hasNoData) {
    const title = { en: 'No data', zh: '无数据' };
    const common = { level: 3, onDelayMs: 0, offDelayMs: 0, title, action: null } as const;
    rules.push({ id: 'no-data', kind: 'no-data', silentMs: NO_DATA_MS, ...common });
  }
  return rules;
}

export function definitionOf(setting: PointSetting): PointDefinition {
  const { point, scale } = setting;
  return {
    device: point.device,
    point: point.point,
    name: { en: point.point, zh: point.point },
    unit: 'kPa',
    type: 'number',
    scale,
    offset: 0,
    range: null,
    class: point.class,
    periodMs: point.periodMs,
    deadband: 0,
    asset: null,
    rules: rulesOf(setting),
    ...(point.isCommanded && { commands: [WORLD_OFFER] }),
  };
}

const nowhere = {
  url: 'mqtt://127.0.0.1:1',
  credentials: { kind: 'file', name: 'none' },
  localAddress: null,
} as const;

/** The gateway as its file would have it. */
export function gatewayConfig(
  area: string,
  gateway: string,
  setting: GatewaySetting,
  outbox: GatewayConfig['outbox'],
  second: PathTerms | null = null,
): GatewayConfig {
  const devices = deviceConfigs(setting);
  return {
    gateway: { id: gateway, area, name: bilingualOf(gateway), position: null, labels: {} },
    cloud: { ...nowhere, second: second && { ...nowhere, terms: second } },
    outbox,
    pki: { folder: '/nowhere' },
    status: { host: '127.0.0.1', port: 0 },
    links: devices.map(({ id }) => ({
      id,
      protocol: modbus as Protocol,
      kind: 'tcp',
      host: id,
      port: 502,
      connectTimeoutMs: TIMEOUT_MS,
      line: undefined,
      answerMs: 10,
      pace: null,
      backup: null,
    })),
    devices,
    points: pointsOf(setting).map(definitionOf),
    interlocks: [],
    fallbacks: [],
    hash: '0'.repeat(32),
    insecure: [],
    warnings: [],
    warningsBeyond: 0,
  };
}

/** In the order of the manifest: the place is the alias. */
export function pointsOf({ groups }: GatewaySetting): readonly PointSetting[] {
  return groups.flatMap(({ points }) => points);
}

const bilingualOf = (text: string) => ({ en: text, zh: text });

function deviceConfigs(setting: GatewaySetting): DeviceConfig[] {
  const devices = new Map<string, DeviceConfig['groups'][number][]>();
  const problems = new Problems('world');
  let alias = 0;
  for (const { device, periodMs, points } of setting.groups) {
    const firstAlias = alias;
    alias += points.length;
    const addresses = points.map(({ point }) => {
      const raw = { table: 'holding', address: registerOf(point), type: 'uint32' };
      return modbus.parseAddress(raw, [], problems)!;
    });
    const collected = points.map((it, at) => {
      const { device: _device, asset: _asset, ...definition } = definitionOf(it);
      const none = { invalid: new Map(), states: new Map(), norms: {}, caveat: null };
      const address = addresses[at]!;
      const commands = it.point.isCommanded ? [commandOf(it.point)] : [];
      const id = it.point.point;
      const profile: ProfilePoint = { id, address, definition, ...none, commands };
      return { definition: definitionOf(it), profile };
    });
    const groups = devices.get(device) ?? [];
    groups.push({ firstAlias, periodMs, points: collected, addresses });
    devices.set(device, groups);
  }
  const options = modbus.parseDevice({ unit: 1, timeoutMs: TIMEOUT_MS }, [], problems);
  problems.throwIfAny();
  const about = { name: null, asset: null, profile: 'world/plant@1', unit: 1 };
  return [...devices].map(([id, groups]) => ({ id, link: id, options, groups, ...about }));
}

/** Beyond all that is read. */
const COMMANDED_FROM = 1_000;

function commandOf({ code }: PlantPoint): ProfileCommand {
  const raw = { table: 'holding', address: COMMANDED_FROM + code, type: 'uint16' };
  const address = modbus.parseAddress(raw, [], new Problems('world'))!;
  const line = { scale: 1, offset: 0, wants: 'integer', words: null, readBack: null } as const;
  return { offer: WORLD_OFFER, address, ...line };
}

/** Each point has two registers at a place that never changes. */
function registerOf({ code }: PlantPoint): number {
  return (code % 64) * 2;
}

export type DeviceTrouble = 'silent' | 'late' | 'refuses' | 'exceptions';

/** One device of the plant: answers over as many links as are opened to it. */
export class PlantDevice implements RegisterBank {
  readonly name: string;
  trouble: DeviceTrouble | null = null;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #byRegister = new Map<number, PlantPoint>();
  readonly #links = new Set<DeviceLink>();

  constructor(timeline: Timeline, random: Random, name: string, points: readonly PlantPoint[]) {
    this.#timeline = timeline;
    this.#random = random;
    this.name = name;
    for (const point of points) this.#byRegister.set(registerOf(point), point);
  }

  read(_table: string, address: number, count: number): Uint16Array {
    const registers = new Uint16Array(count);
    for (let at = 0; at < count; at++) {
      const point = this.#byRegister.get((address + at) & ~1);
      if (!point) continue;
      const raw = rawAt(point, this.#timeline.nowMs);
      registers[at] = (address + at) % 2 === 0 ? Math.floor(raw / 65_536) : raw % 65_536;
    }
    return registers;
  }

  /** Whoever counts what is commanded, and when it was told to. */
  onWritten: ((value: number, toldMs: number) => void) | null = null;
  #toldMs = 0;

  write(_table: string, address: number, values: Uint16Array): number {
    if (address < COMMANDED_FROM || !this.onWritten) return 2;
    this.onWritten(values[0]!, this.#toldMs);
    return 0;
  }

  /** Every link to it ends. */
  cut(): void {
    for (const link of [...this.#links]) link.lose();
  }

  async open(wait: (ms: number) => Promise<void>): Promise<Link> {
    await wait(CONNECT_MS);
    if (this.trouble === 'refuses') throw new Fault('link_refused', 'later', this.name);
    const link = new DeviceLink(this, (open) => {
      if (open) this.#links.add(link);
      else this.#links.delete(link);
    });
    this.#links.add(link);
    return link;
  }

  /** The answer to one frame, after a while or never. */
  serve(link: DeviceLink, transaction: number, unit: number, pdu: Uint8Array): void {
    const { trouble } = this;
    if (trouble === 'silent') return;
    const isLate = trouble === 'late';
    const toldMs = this.#timeline.nowMs;
    const delayMs = isLate
      ? pickInteger(this.#random, 300, 1_500)
      : pickInteger(this.#random, 3, 9);
    this.#timeline.after(delayMs / 2, () => {
      this.#toldMs = toldMs;
      const answer =
        trouble === 'exceptions'
          ? encodeException(pdu[0]!, 6)
          : answerRequest(this, pdu, 0, pdu.length);
      const frame = encodeFrame(transaction, unit, answer);
      this.#timeline.after(delayMs / 2, () => link.arrive(frame));
    });
  }
}

class DeviceLink implements Link {
  onBytes: Link['onBytes'] = () => {};
  onClose: Link['onClose'] = () => {};
  readonly #device: PlantDevice;
  readonly #note: (open: boolean) => void;
  readonly #deframer = new Deframer();
  #isOpen = true;

  constructor(device: PlantDevice, note: (open: boolean) => void) {
    this.#device = device;
    this.#note = note;
  }

  send(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    this.#deframer.push(bytes, {
      frame: (transaction, unit, from, start, end) => {
        this.#device.serve(this, transaction, unit, from.slice(start, end));
      },
      garbage: () => {},
    });
  }

  arrive(frame: Uint8Array): void {
    if (this.#isOpen) this.onBytes(frame);
  }

  lose(): void {
    this.#end(new Fault('link_lost', 'later', this.#device.name));
  }

  close(): void {
    this.#end(null);
  }

  #end(why: Fault | null): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#note(false);
    this.onClose(why);
  }
}
