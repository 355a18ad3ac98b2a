// The checks of what stands beside a value: that the mode is a point with states, that a unit, a
// scale and an order can ever be what the point needs, that a trigger fits into the period. What is
// right comes out as the typed auxiliary of each point.
import type { DocumentText } from '../core/document.ts';
import { durationText, parseDuration } from '../core/duration.ts';
import type { Path, Problems } from '../core/problems.ts';
import { didYouMean } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import type { ModbusAddress, ModbusDevice, WordOrder } from '../protocols/modbus/address.ts';
import { parseAddress } from '../protocols/modbus/address.ts';
import { parseStep } from '../protocols/modbus/step.ts';
import type { Auxiliary, ModeRegister, Trigger, UnitFit } from './auxiliary.ts';
import type { PointSource, ScaleKind } from './format.ts';
import { defaultPolls, triggerForm } from './format.ts';
import type { PointAddress } from './raw-values.ts';
import { isFloat, isModbus, rawKindOf, rawOf, valueTypeOf } from './raw-values.ts';

export interface AuxiliaryContext {
  /** The points that parsed, by id. */
  readonly points: ReadonlyMap<string, PointSource>;
  readonly addresses: ReadonlyMap<string, PointAddress>;
  readonly triggers: ReadonlyMap<string, Trigger>;
  readonly device: ModbusDevice | undefined;
  readonly problems: Problems;
  readonly keyPlace: DocumentText<unknown>['keyPlace'];
}

/** Of the points that have one; incomplete where there are problems. */
export function auxiliariesOf(context: AuxiliaryContext): Map<string, Auxiliary> {
  const found = new Map<string, Auxiliary>();
  for (const [id, point] of context.points) {
    const address = context.addresses.get(id);
    const auxiliary = address && auxiliaryOf(id, point, address, context);
    if (auxiliary) found.set(id, auxiliary);
  }
  checkUse(context);
  return found;
}

const keys = ['mode', 'unit_from', 'scale_from', 'order_from', 'before'] as const;

function auxiliaryOf(
  id: string,
  point: PointSource,
  address: PointAddress,
  context: AuxiliaryContext,
): Auxiliary | undefined {
  const path = ['points', id];
  checkLine(point, path, context.problems);
  if (point.map?.signal === undefined && keys.every((key) => point[key] === undefined)) {
    return undefined;
  }
  const mode = point.mode === undefined ? null : modeOf(id, point.mode, context);
  // What only registers have; elsewhere these keys are refused.
  const register = isModbus(address) ? address : null;
  const unit = register && unitOf(point, path, context);
  const scale = register && scaleOf(point, path, context);
  const order = register && orderOf(point, register, path, context);
  const needsScaling =
    scale !== null ||
    [...(unit?.fits.values() ?? [])].some(({ factor, offset }) => {
      return factor !== null && (factor !== 1 || offset !== 0);
    });
  if (needsScaling) checkNumber(point, address, path, context);
  return {
    asked: order ? bitsOf(order.value) : address,
    mode,
    unit,
    scale,
    order,
    signal: point.map?.signal ? { zero: point.map.raw[0], full: point.map.raw[1] } : null,
    before: register && triggerOf(point, path, context),
    scaling: needsScaling ? { scale: point.scale ?? 1, offset: point.offset ?? 0 } : null,
  };
}

function checkLine(point: PointSource, path: Path, problems: Problems): void {
  const { map } = point;
  if (!map) return;
  for (const key of ['scale', 'offset', 'scale_from', 'unit_from'] as const) {
    if (point[key] === undefined) continue;
    problems.add([...path, key], 'map-excludes', { key });
  }
  for (const key of ['raw', 'value'] as const) {
    if (map[key][0] === map[key][1]) problems.add([...path, 'map', key], 'map-flat', { key });
  }
}

/** Also yes or no, as 0 and 1. */
function isWhole(address: PointAddress): boolean {
  const type = valueTypeOf(address, 1, 0);
  return type === 'integer' || type === 'boolean';
}

function checkNumber(
  point: PointSource,
  address: PointAddress,
  path: Path,
  { problems }: AuxiliaryContext,
): void {
  const type = valueTypeOf(address, 1, 0);
  const key = point.scale_from ? 'scale_from' : 'unit_from';
  if (type === 'text' || type === 'boolean') {
    problems.add([...path, key], 'not-for-kind', { key, type });
  }
}

/** The address of a register beside a value; it must be a number and fit a request. */
export function registerOf(
  read: unknown,
  path: Path,
  { device, problems }: Pick<AuxiliaryContext, 'device' | 'problems'>,
): ModbusAddress | undefined {
  const address = parseAddress(read, path, problems);
  if (address && device) checkBlock(address, device, path, problems);
  return address;
}

/** A value is read in one request, or it may be torn: it must fit what the device allows. */
export function checkBlock(
  { table, width }: ModbusAddress,
  { limits }: ModbusDevice,
  path: Path,
  problems: Problems,
): void {
  if (table === 'coil' || table === 'discrete' || width <= limits.maxRegisters) return;
  problems.add(path, 'point-beyond-block', { width, widthMax: limits.maxRegisters });
}

// --- Mode ---

function modeOf(id: string, name: string, context: AuxiliaryContext): ModeRegister | null {
  const { points, addresses, problems } = context;
  const path = ['points', id, 'mode'];
  const mode = points.get(name);
  if (!mode || name === id) {
    const others = [...points.keys()].filter((other) => other !== id);
    const word = didYouMean(name, others);
    const help = word ? bilingual('help-did-you-mean', { word }) : null;
    problems.add(path, 'mode-unknown', { point: name }, { help: help ?? undefined });
    return null;
  }
  const states = new Map(
    Object.entries(mode.states ?? {}).map(([raw, { in_service: isIn }]) => [
      raw === 'true' ? 1 : raw === 'false' ? 0 : Number(raw),
      isIn !== false,
    ]),
  );
  if (![...states.values()].includes(false)) {
    const help = bilingual('help-in-service');
    problems.add(path, 'mode-without-states', { point: name }, { help });
  }
  if (mode.mode !== undefined || mode.before !== undefined) {
    problems.add(path, 'mode-depends', { point: name });
  }
  const address = addresses.get(name);
  if (!address) return null;
  if (!isWhole(address)) {
    problems.add(path, 'register-not-whole', { what: name, type: rawKindOf(address) });
  }
  return { point: name, address, states };
}

// --- Unit, scale, order ---

function unitOf(point: PointSource, path: Path, context: AuxiliaryContext): Auxiliary['unit'] {
  const source = point.unit_from;
  if (!source) return null;
  const at = [...path, 'unit_from'];
  const address = registerOf(source.read, [...at, 'read'], context);
  const expected = point.unit ?? '1';
  const fits = keyed(source.map, address, [...at, 'map'], context, (entry): UnitFit => {
    if (typeof entry !== 'string') {
      return { unit: entry.unit, factor: entry.factor, offset: entry.offset ?? 0 };
    }
    return { unit: entry, factor: entry === expected ? 1 : null, offset: 0 };
  });
  const isReadable = address === undefined || isWhole(address);
  if (isReadable && ![...fits.values()].some(({ factor }) => factor !== null)) {
    const known = Object.values(source.map).map((entry) =>
      typeof entry === 'string' ? entry : entry.unit,
    );
    const word = didYouMean(expected, known);
    const help = word ? bilingual('help-did-you-mean', { word: expected }) : undefined;
    context.problems.add([...at, 'map'], 'unit-never-fits', { unit: expected }, { help });
  }
  return address ? { address, expected, fits } : null;
}

function scaleOf(point: PointSource, path: Path, context: AuxiliaryContext): Auxiliary['scale'] {
  const source = point.scale_from;
  if (!source) return null;
  const at = [...path, 'scale_from', 'read'];
  const address = registerOf(source.read, at, context);
  if (!address) return null;
  const kind: ScaleKind = source.kind;
  const { type } = address;
  const isNumber = isWhole(address) || (kind === 'factor' && isFloat(address));
  if (!isNumber) context.problems.add(at, 'register-not-whole', { what: 'scale_from', type });
  return { address, kind };
}

/** Registers that carry their bits unchanged in one whole number. */
const bitTypes = { 1: 'uint16', 2: 'uint32', 4: 'uint64' } as const;

function bitsOf({ table, address, packing, width }: ModbusAddress): ModbusAddress {
  const type = bitTypes[width as keyof typeof bitTypes];
  return Object.freeze({
    table,
    address,
    type,
    order: 'ABCD',
    packing,
    width,
    bit: null,
    bits: null,
  });
}

function orderOf(
  point: PointSource,
  address: ModbusAddress,
  path: Path,
  context: AuxiliaryContext,
): Auxiliary['order'] {
  const source = point.order_from;
  if (!source) return null;
  const at = [...path, 'order_from'];
  const { width, type, bit, bits } = address;
  if (!Object.hasOwn(bitTypes, width) || bit !== null || bits || type === 'string') {
    context.problems.add(at, 'not-for-kind', { key: 'order_from', type });
    return null;
  }
  if (point.read['order'] !== undefined) {
    context.problems.add([...path, 'read', 'order'], 'order-twice', {});
  }
  const register = registerOf(source.read, [...at, 'read'], context);
  const orders = keyed(source.map, register, [...at, 'map'], context, (order): WordOrder => order);
  return register ? { address: register, orders, value: address } : null;
}

/** A map by what a register shows; keys that it can never show are problems. */
function keyed<To, From>(
  map: Readonly<Record<string, From>>,
  address: ModbusAddress | undefined,
  path: Path,
  { problems, keyPlace }: AuxiliaryContext,
  turn: (entry: From) => To,
): Map<number, To> {
  const found = new Map<number, To>();
  if (address && !isWhole(address)) {
    const what = `${path.at(-2)}`;
    problems.add([...path.slice(0, -1), 'read'], 'register-not-whole', {
      what,
      type: address.type,
    });
    return found;
  }
  for (const [text, entry] of Object.entries(map)) {
    const raw = address ? rawOf(text, address) : Number(text);
    const at = [...path, text];
    if (raw === undefined) {
      const values = { text, type: address!.type };
      problems.add(at, 'invalid-never-read', values, { place: keyPlace(at) });
    } else found.set(Number(raw), turn(entry));
  }
  return found;
}

// --- Triggers ---

/** Those that parse. */
export function triggersOf(raw: unknown, problems: Problems): Map<string, Trigger> {
  const found = new Map<string, Trigger>();
  if (typeof raw !== 'object' || raw === null) return found;
  for (const [id, source] of Object.entries(raw)) {
    const path = ['triggers', id];
    const parsed = triggerForm.safeParse(source);
    if (!parsed.success) continue;
    const { start, stop, wait } = parsed.data;
    const first = parseStep(start, [...path, 'start'], problems);
    const last = stop ? parseStep(stop, [...path, 'stop'], problems) : null;
    const waitMs = parseDuration(wait);
    if (!first || last === undefined || waitMs === undefined) continue;
    found.set(id, { id, start: first, waitMs, stop: last });
  }
  return found;
}

function triggerOf(point: PointSource, path: Path, context: AuxiliaryContext): Trigger | null {
  const { before } = point;
  if (before === undefined) return null;
  const { triggers, problems } = context;
  const trigger = triggers.get(before);
  if (!trigger) {
    const word = didYouMean(before, triggers.keys());
    const help = word ? bilingual('help-did-you-mean', { word }) : undefined;
    problems.add([...path, 'before'], 'trigger-unknown', { trigger: before }, { help });
    return null;
  }
  const periodMs = parseDuration(point.poll ?? defaultPolls[point.class ?? 'trend']);
  if (periodMs !== undefined && trigger.waitMs >= periodMs) {
    const values = { wait: durationText(trigger.waitMs), poll: durationText(periodMs) };
    problems.add([...path, 'before'], 'trigger-too-slow', values);
  }
  return trigger;
}

/** What is written and used by nobody is most likely a slip. */
function checkUse({ points, triggers, problems }: AuxiliaryContext): void {
  const all = [...points];
  for (const id of triggers.keys()) {
    if (all.some(([, { before }]) => before === id)) continue;
    problems.add(['triggers', id], 'trigger-unused', { trigger: id }, { severity: 'warning' });
  }
  for (const [id, { states = {}, alarms }] of all) {
    const isNamed = all.some(([, { mode }]) => mode === id);
    const isOut = Object.values(states).some(({ in_service: isIn }) => isIn === false);
    const path = ['points', id];
    if (isOut && !isNamed) {
      problems.add([...path, 'states'], 'mode-unused', { point: id }, { severity: 'warning' });
    }
    if (alarms?.not_in_service && !isOut) {
      const help = bilingual('help-in-service');
      const at = [...path, 'alarms', 'not_in_service'];
      problems.add(at, 'mode-without-states', { point: id }, { help });
    }
  }
}
