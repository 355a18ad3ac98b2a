// A device made from a profile for OPC UA: the address space a real server would show, set in
// engineering units. Its nodes lie where the profile says, with the types it says, so a profile
// that is wrong shows itself here first.
//
// A command that calls a method with a fixed value sets the node of its point, one that is given a
// value sets it to that; a plant behind it takes the orders and shows what became of them.
import { Fault } from '../core/fault.ts';
import { engineering } from '../core/point.ts';
import type { Value } from '../core/reading.ts';
import { bilingual } from '../core/text/text.ts';
import { rawToWrite } from '../device-profiles/commands.ts';
import type { Profile, ProfileCommand, ProfilePoint } from '../device-profiles/profile.ts';
import type {
  BrowsePath,
  ConditionAddress,
  EventAddress,
  MethodAddress,
  NodeName,
  OpcuaAddress,
  ReadAddress,
  ValueAddress,
} from '../protocols/opcua/address.ts';
import type {
  OpcUaAlarm,
  OpcUaMethod,
  OpcUaNode,
  OpcUaOrder,
  OpcUaScalar,
  OpcUaSet,
  OpcUaSpaceOptions,
  OpcUaType,
  OpcUaValue,
} from './opcua-space.ts';

/** What a device needs of a server: in this process or in another. */
export interface OpcUaFront {
  set(path: string, value: OpcUaValue | null, how?: OpcUaSet): unknown;
  alarm(path: string, isActive: boolean): unknown;
  raise(path: string, message: string, severity: number): unknown;
}

/** What came of a call or a write: the point and the engineering value that was asked for. */
export interface DeviceOrder {
  readonly point: string;
  readonly value: NonNullable<Value>;
}

type Given = NonNullable<Value>;

/** A node with all points that read of it: itself, or its elements. */
interface Held {
  readonly address: ValueAddress;
  /** Of an array: its places; of a range: low and high. */
  value: OpcUaValue;
}

const EVENT_SEVERITY = 500;

export class OpcUaDevice {
  readonly profile: Profile;
  readonly #points: ReadonlyMap<string, ProfilePoint>;
  readonly #nodes = new Map<string, Held>();
  readonly #shown = new Map<string, Given>();
  readonly #frozen = new Set<string>();
  readonly #held = new Map<string, Given>();
  /** Path of a node to the status in place of its value. */
  #spoilt: ReadonlyMap<string, string> = new Map();
  #front: OpcUaFront | null = null;

  /** Every number starts at the value nearest to 0 that its range allows, or its first state. */
  constructor(profile: Profile) {
    this.profile = profile;
    this.#points = new Map(profile.points.map((point) => [point.id, point]));
    for (const point of profile.points) {
      const address = addressOf(point);
      if (address.kind === 'value') this.#place(address);
      if (address.kind === 'value' || address.kind === 'condition') this.#first(point);
    }
  }

  /** The address space to open a server with. */
  space(): OpcUaSpaceOptions {
    const { points, device } = this.profile;
    const commands = points.flatMap((point) =>
      (point.commands ?? []).map((command) => ({ point, command })),
    );
    const written = new Set(commands.map(({ command }) => pathIfValue(command.address)));
    const nodes = [...this.#nodes].map(([path, { address, value }]): OpcUaNode => {
      const point = points.find((each) => isAt(each, path));
      const { unit = '1', range = null } = point?.definition ?? {};
      const plain = point?.definition.scale === 1 && point.definition.offset === 0;
      return {
        path,
        type: typeOf(address, value),
        value,
        ...idOf(address.node),
        writable: written.has(path),
        historizing: address.history,
        ...(range && plain && typeof value === 'number' && { range }),
        ...(unit !== '1' && { unit }),
      };
    });
    const methods = new Map<string, OpcUaMethod>();
    for (const { point, command } of commands) {
      const method = methodOf(point, command);
      if (method) methods.set(method.path, method);
    }
    const alarms = new Map<string, OpcUaAlarm>();
    for (const point of points) {
      const address = addressOf(point);
      if (address.kind === 'condition') alarms.set(pathOf(address), { path: pathOf(address) });
    }
    return {
      namespaces: (device['namespaces'] ?? {}) as Readonly<Record<string, string>>,
      nodes,
      methods: [...methods.values()],
      alarms: [...alarms.values()],
    };
  }

  /** From now on what is set is shown there; also what was set before. */
  show(front: OpcUaFront): void {
    this.#front = front;
    for (const [id, value] of this.#shown) {
      const point = this.#points.get(id)!;
      if (addressOf(point).kind === 'condition') this.#give(point, value);
    }
  }

  /**
   * Shows a value. An event is raised when one of its fields is set. Throws Fault
   * `sim_point_unknown` or `sim_value_unfit`.
   */
  set(pointId: string, value: Given): void {
    const point = this.#point(pointId);
    if (this.#frozen.has(pointId)) {
      this.#held.set(pointId, value);
      return;
    }
    this.#give(point, value);
    this.#shown.set(pointId, value);
  }

  /** What was set last. */
  get(pointId: string): { readonly value: Value } {
    this.#point(pointId);
    return { value: this.#shown.get(pointId) ?? null };
  }

  /** These points, and no others, have no value but a bad status. Throws `sim_point_unknown`. */
  spoil(pointIds: readonly string[], status = 'BadDeviceFailure'): void {
    const paths = pointIds.flatMap((id) => {
      const address = addressOf(this.#point(id));
      return address.kind === 'value' ? [pathOf(address)] : [];
    });
    const before = this.#spoilt;
    this.#spoilt = new Map(paths.map((path) => [path, status]));
    for (const path of new Set([...before.keys(), ...paths])) this.#showNode(path);
  }

  freeze(pointIds: Iterable<string> = this.#points.keys()): void {
    for (const id of pointIds) {
      this.#point(id);
      this.#frozen.add(id);
    }
  }

  thaw(): void {
    this.#frozen.clear();
    for (const [id, value] of this.#held) this.set(id, value);
    this.#held.clear();
  }

  /** What clients asked for, in terms of the profile; what it does not know is left out. */
  ordersOf(orders: readonly OpcUaOrder[]): DeviceOrder[] {
    return orders.flatMap(({ path, values }) => {
      for (const point of this.profile.points) {
        for (const command of point.commands ?? []) {
          if (targetOf(command.address) !== path) continue;
          const { offer, scale, offset } = command;
          const given = offer.fixed ?? values.find((value) => value !== undefined);
          if (given === undefined || given === null) continue;
          const isRaw = offer.fixed === null && typeof given === 'number';
          const value = isRaw ? engineering(given, scale, offset) : (given as Given);
          return [{ point: point.id, value }];
        }
      }
      return [];
    });
  }

  #point(id: string): ProfilePoint {
    const point = this.#points.get(id);
    if (point) return point;
    const detail = bilingual('sim-no-point', { profile: this.profile.id, id });
    throw new Fault('sim_point_unknown', 'never', detail);
  }

  #first(point: ProfilePoint): void {
    const { definition, states, id } = point;
    const [state] = states.keys();
    const [min, max] = definition.range ?? [0, 0];
    const number = Math.min(Math.max(0, min), max);
    const address = addressOf(point);
    const isFlag = address.kind === 'condition' && address.field === 'active';
    if (definition.type === 'boolean') this.set(id, typeof state === 'boolean' ? state : false);
    else if (definition.type !== 'text') this.set(id, Number(state ?? number));
    else if (!isFlag && address.kind === 'value') this.#shown.set(id, '');
  }

  /** A node for the address, large enough for its element. */
  #place(address: ValueAddress): void {
    const path = pathOf(address);
    const held = this.#nodes.get(path);
    const [step] = address.element;
    if (step === undefined) {
      this.#nodes.set(path, { address, value: zeroOf(address.type) });
      return;
    }
    const isRange = typeof step === 'string' && ['low', 'high'].includes(step.toLowerCase());
    if (address.element.length > 1 || (typeof step === 'string' && !isRange)) {
      const detail = bilingual('sim-opcua-element', { element: address.element.join('.') });
      throw new Fault('sim_value_unfit', 'never', detail);
    }
    if (isRange) {
      this.#nodes.set(path, { address, value: { low: 0, high: 0 } });
      return;
    }
    const before = Array.isArray(held?.value) ? held.value : [];
    const length = Math.max(before.length, Number(step) + 1);
    const value = Array.from({ length }, () => zeroOf(address.type) as OpcUaScalar);
    this.#nodes.set(path, { address, value });
  }

  #give(point: ProfilePoint, value: Given): void {
    const address = addressOf(point);
    switch (address.kind) {
      case 'value':
        this.#giveValue(address, rawOf(point, value));
        return;
      case 'condition':
        if (address.field === 'active') this.#front?.alarm(pathOf(address), Boolean(value));
        return;
      case 'event': {
        const isSeverity = address.field.at(-1)?.name === 'Severity';
        const severity = isSeverity ? Number(value) : EVENT_SEVERITY;
        this.#front?.raise(pathOf(address), isSeverity ? '' : String(value), severity);
        return;
      }
      case 'certificate': // The connection's own; the server has nothing to show.
    }
  }

  #giveValue(address: ValueAddress, raw: OpcUaScalar): void {
    const path = pathOf(address);
    const held = this.#nodes.get(path)!;
    const [step] = address.element;
    if (step === undefined) held.value = raw;
    else if (Array.isArray(held.value)) held.value = held.value.with(Number(step), raw);
    else
      held.value = { ...(held.value as object), [String(step).toLowerCase()]: raw } as OpcUaValue;
    this.#showNode(path);
  }

  #showNode(path: string): void {
    const status = this.#spoilt.get(path);
    if (status === undefined) this.#front?.set(path, this.#nodes.get(path)!.value);
    else this.#front?.set(path, null, { status });
  }
}

function addressOf({ address }: ProfilePoint): ReadAddress {
  return address as unknown as ReadAddress; // Of a profile whose protocol is opcua.
}

function rawOf({ id, address, definition }: ProfilePoint, value: Given): OpcUaScalar {
  const { type, scale, offset } = definition;
  const kind = typeof value === 'bigint' ? 'number' : typeof value;
  const wanted = type === 'boolean' ? 'boolean' : type === 'text' ? 'string' : 'number';
  if (kind !== wanted) {
    const told = { id, type: String((address as { type?: string }).type), value: `${value}` };
    throw new Fault('sim_value_unfit', 'never', bilingual('sim-unfit', told));
  }
  if (typeof value !== 'number') return value;
  const raw = (value - offset) / scale;
  return type === 'integer' ? Math.round(raw) : raw;
}

function zeroOf(type: OpcUaType): OpcUaValue {
  if (type === 'boolean') return false;
  return type === 'string' ? '' : 0;
}

function typeOf({ type }: ValueAddress, value: OpcUaValue): OpcUaType {
  return typeof value === 'object' && !Array.isArray(value) ? 'range' : type;
}

const escaped = (name: string) => name.replaceAll(/[&/:]/g, '&$&');

function joined(names: BrowsePath): string {
  return names
    .map(({ prefix, name }) => `${prefix === null ? '' : `${prefix}:`}${escaped(name)}`)
    .join('/');
}

/** Where a node lies that a profile only knows by its id. */
function placeOf(node: NodeName): string {
  if (node.kind === 'path') return joined(node.path);
  const prefix = node.prefix === null ? '' : `${node.prefix}:`;
  return `${prefix}Nodes/${prefix}${escaped(node.value)}`;
}

function idOf(node: NodeName): { readonly id?: string } {
  if (node.kind === 'path') return {};
  return { id: `${node.prefix === null ? '' : `${node.prefix}:`}${node.type}=${node.value}` };
}

function pathOf(address: ValueAddress | ConditionAddress | EventAddress): string {
  return placeOf(address.kind === 'event' ? address.notifier : address.node);
}

function isAt(point: ProfilePoint, path: string): boolean {
  const address = addressOf(point);
  return address.kind === 'value' && pathOf(address) === path;
}

function methodPath({ object, method }: MethodAddress): string {
  const name = method.kind === 'path' ? joined(method.path) : escaped(method.value);
  return `${placeOf(object)}/${name}`;
}

function pathIfValue(address: unknown): string | null {
  const target = address as OpcuaAddress;
  return target.kind === 'value' ? pathOf(target) : null;
}

/** What an order comes by: the node that is written, the method that is called. */
function targetOf(address: unknown): string | null {
  const target = address as OpcuaAddress;
  return target.kind === 'method' ? methodPath(target) : pathIfValue(target);
}

function methodOf(point: ProfilePoint, command: ProfileCommand): OpcUaMethod | null {
  const address = command.address as OpcuaAddress;
  if (address.kind !== 'method') return null;
  const read = addressOf(point);
  const type = read.kind === 'value' ? read.type : 'double';
  const inputs = address.arguments.map((argument, at) => ({
    name: `argument${at + 1}`,
    type: argument === null ? type : typeForArgument(argument),
  }));
  const given = address.arguments.indexOf(null);
  const { fixed } = command.offer;
  const effect = fixed === null ? { input: given } : (rawToWrite(command, fixed) as OpcUaScalar);
  const isShown = read.kind === 'value' && read.element.length === 0;
  const sets = isShown && (fixed !== null || given >= 0) ? { [pathOf(read)]: effect } : {};
  return { path: methodPath(address), inputs, sets };
}

function typeForArgument(argument: string | number | boolean): OpcUaType {
  if (typeof argument === 'boolean') return 'boolean';
  return typeof argument === 'string' ? 'string' : 'double';
}
