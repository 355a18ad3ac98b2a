// How the addresses of a profile are read, with what only the whole profile can tell: for Modbus
// what the device answers in one request and that values do not share registers, for OPC UA that
// the prefix of every name is tied to a namespace.
import type { Path, Problems } from '../core/problems.ts';
import { didYouMean } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import type { ModbusAddress, ModbusDevice } from '../protocols/modbus/address.ts';
import { parseAddress, parseDevice } from '../protocols/modbus/address.ts';
import { widened } from '../protocols/modbus/planner.ts';
import type { OpcuaAddress } from '../protocols/opcua/address.ts';
import {
  parseCommand,
  prefixesOf,
  parseAddress as readNode,
  parseDevice as readServer,
} from '../protocols/opcua/address.ts';
import { checkBlock } from './auxiliary-checks.ts';
import type { PointSource } from './format.ts';
import type { AddressReader } from './places.ts';
import type { PointAddress } from './raw-values.ts';
import { isModbus } from './raw-values.ts';

export interface ProfileReader extends AddressReader {
  /** Of Modbus, when its settings are right. */
  readonly device: ModbusDevice | undefined;
  /** What no address shows by itself. */
  checkTogether(addresses: ReadonlyMap<string, PointAddress>, problems: Problems): void;
}

type Root = Readonly<Record<string, unknown>>;

// --- Modbus ---

export function modbusReader(root: Root, problems: Problems): ProfileReader {
  const device = parseDevice(root['device'] ?? {}, ['device'], problems);
  return {
    name: 'modbus',
    device,
    point(raw, path, into) {
      const address = parseAddress(raw, path, into);
      if (address && device) checkReach(address, device, path, into);
      return address;
    },
    checkTogether: checkOverlaps,
  };
}

/** A value must fit a request, and the least block around it must be allowed. */
function checkReach(
  address: ModbusAddress,
  device: ModbusDevice,
  path: Path,
  problems: Problems,
): void {
  checkBlock(address, device, path, problems);
  const { minRegisters: least, maxRegisters: most } = device.limits;
  if (address.table === 'coil' || address.table === 'discrete' || least <= address.width) return;
  const span = { start: address.address, end: address.address + address.width };
  if (least > most || widened(span, device, address.table)) return;
  problems.add(path, 'block-forbidden', { least, address: address.address });
}

/** Several points may take bits of one register; values that share part of one are a mistake. */
function checkOverlaps(addresses: ReadonlyMap<string, PointAddress>, problems: Problems): void {
  const spans = [...addresses]
    .flatMap(([id, address]) => (isModbus(address) ? [{ id, ...address }] : []))
    .filter(({ type, bit, bits }) => bit === null && bits === null && !/-(hi|lo)$/.test(type))
    .sort((a, b) => a.table.localeCompare(b.table) || a.address - b.address);
  spans.forEach((span, at) => {
    for (const next of spans.slice(at + 1)) {
      if (next.table !== span.table || next.address >= span.address + span.width) break;
      const path = ['points', next.id, 'read'];
      const isSame = next.address === span.address && next.width === span.width;
      const { table, address } = next;
      const values = { point: next.id, other: span.id, table, address };
      if (isSame) problems.add(path, 'point-read-twice', values, { severity: 'warning' });
      else problems.add(path, 'points-overlap', values);
    }
  });
}

// --- OPC UA ---

export function opcuaReader(root: Root, problems: Problems): ProfileReader {
  const server = readServer(root['device'] ?? {}, ['device'], problems);
  const known = server && Object.keys(server.namespaces);
  const checked = <Address extends OpcuaAddress>(
    address: Address | undefined,
    path: Path,
    into: Problems,
  ): Address | undefined => {
    if (address && known) checkPrefixes(address, known, path, into);
    return address;
  };
  return {
    name: 'opcua',
    device: undefined,
    point: (raw, path, into) => checked(readNode(raw, path, into), path, into),
    command: (raw, path, into) => checked(parseCommand(raw, path, into), path, into),
    checkTogether: checkNodes,
  };
}

function checkPrefixes(
  address: OpcuaAddress,
  known: readonly string[],
  path: Path,
  problems: Problems,
): void {
  for (const prefix of prefixesOf(address)) {
    if (known.includes(prefix)) continue;
    const word = didYouMean(prefix, known);
    const help = word
      ? bilingual('help-did-you-mean', { word })
      : bilingual('opcua-prefix-help', { prefix });
    problems.add(path, 'opcua-prefix-unknown', { prefix }, { help });
  }
}

/** The same part of one node under two names is most likely a slip. */
function checkNodes(addresses: ReadonlyMap<string, PointAddress>, problems: Problems): void {
  const seen = new Map<string, string>();
  for (const [id, address] of addresses) {
    if (isModbus(address)) continue;
    const what =
      address.kind === 'value'
        ? { kind: address.kind, node: address.node, element: address.element }
        : address;
    const key = JSON.stringify(what);
    const other = seen.get(key);
    if (other === undefined) seen.set(key, id);
    else {
      const path = ['points', id, 'read'];
      problems.add(path, 'point-node-twice', { point: id, other }, { severity: 'warning' });
    }
  }
}

const registersOnly = ['unit_from', 'scale_from', 'order_from', 'before'] as const;

/** What a profile for OPC UA cannot say: what only devices with registers need. */
export function checkWords(
  root: Root,
  points: ReadonlyMap<string, PointSource>,
  addresses: ReadonlyMap<string, PointAddress>,
  problems: Problems,
): void {
  for (const key of ['triggers', 'wakes_after']) {
    if (root[key] !== undefined) problems.add([key], 'modbus-only', { key });
  }
  for (const [id, point] of points) {
    for (const key of registersOnly) {
      if (point[key] !== undefined) problems.add(['points', id, key], 'modbus-only', { key });
    }
    const address = addresses.get(id);
    if (!address || isModbus(address) || address.kind !== 'event') continue;
    for (const key of ['alarms', 'default_alarms', 'mode', 'write'] as const) {
      if (point[key] === undefined) continue;
      const help = bilingual('opcua-event-help');
      problems.add(['points', id, key], 'opcua-event-holds', { key }, { help });
    }
  }
}
