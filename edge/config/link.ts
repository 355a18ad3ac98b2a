// The links of a gateway file: how bytes get to the devices, each kind with what it needs. A bus
// has one owner, so two links may not lead to one place, under whatever name.
import { fromHex, hex } from '../../core/bytes.ts';
import { durationMs } from '../../core/duration.ts';
import { assert } from '../../core/fault.ts';
import { isLoopback } from '../../core/host.ts';
import type { Path } from '../../core/problems.ts';
import { Problems } from '../../core/problems.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Pace, Protocol } from '../../protocols/driver.ts';
import type { LineSettings } from '../../protocols/line-settings.ts';
import { lineSettings, paceOf } from '../../protocols/line-settings.ts';
import { protocolNamed } from '../../protocols/registry.ts';
import type { GatewaySource, LinkSource } from './format.ts';
import type { OpcuaLinkParts } from './opcua-link.ts';
import { checkOpcua, readOpcua } from './opcua-link.ts';

interface EveryLink {
  readonly id: string;
  readonly protocol: Protocol;
  /** Framing and the like, for the protocol. */
  readonly line: unknown;
  /** What a device behind it takes to answer, for the arithmetic and until it was heard. */
  readonly answerMs: number;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface TcpLinkConfig extends EveryLink, Endpoint {
  readonly kind: 'tcp';
  readonly connectTimeoutMs: number;
  /** Of the serial line behind it; null where nothing is known of one. */
  readonly pace: Pace | null;
  /** A second way to the same devices. */
  readonly backup: Endpoint | null;
}

export interface SerialLinkConfig extends EveryLink {
  readonly kind: 'serial';
  readonly port: string;
  readonly settings: LineSettings;
}

export interface TcpServerLinkConfig extends EveryLink {
  readonly kind: 'tcp-server';
  readonly listen: Endpoint;
  readonly identity: Uint8Array;
  /** Null: the unit sends none. */
  readonly heartbeat: Uint8Array | null;
  /** Of the devices behind it: answers begin with one of them. */
  readonly units: readonly number[];
  readonly pace: Pace | null;
}

export interface SimLinkConfig extends EveryLink {
  readonly kind: 'sim';
  /** Path of a Unix socket, or where a TCP one listens. */
  readonly socket: string | Endpoint;
  readonly settings: LineSettings;
}

export interface OpcuaLinkConfig extends EveryLink, OpcuaLinkParts {}

/** To the gateway itself; in no file, see edge/self. */
export interface SelfLinkConfig extends EveryLink {
  readonly kind: 'self';
  /** Of path tests. */
  readonly everyMs: number;
}

export type LinkConfig =
  | TcpLinkConfig
  | SerialLinkConfig
  | TcpServerLinkConfig
  | SimLinkConfig
  | OpcuaLinkConfig
  | SelfLinkConfig;

const TCP_PORT_DEFAULT = 502;
const CONNECT_TIMEOUT_DEFAULT = '3s';
const LISTEN_HOST_DEFAULT = '127.0.0.1';
const LINE_SETTINGS_DEFAULT = '9600-8N1';
/** Controllers answer within a scan of 10 to 20 ms; who knows better says so with `answer`. */
const ANSWER_DEFAULT = '10ms';
const UNIT_DEFAULT = 1;
const framingDefaults = { tcp: 'tcp', serial: 'rtu', 'tcp-server': 'rtu', sim: 'rtu' } as const;

export function protocolOf({ protocol: name }: LinkSource): Protocol {
  const protocol = protocolNamed(name);
  assert(protocol, 'the schema lets only registered protocols through');
  return protocol;
}

/** Undefined where the file says nothing, and on a serial line, which carries one at a time. */
export function inFlightOf(link: LinkSource): number | undefined {
  return link.kind === 'tcp' || link.kind === 'tcp-server' ? link.in_flight : undefined;
}

/** Undefined where the file says nothing, and where the protocol does not take it. */
export function timeoutMsOf(link: LinkSource): number | undefined {
  if (link.timeout === undefined || timeoutProblems(link).failed) return undefined;
  return durationMs(link.timeout);
}

// What the protocol says of a device with nothing but the timeout of its link.
function timeoutProblems(link: LinkSource): Problems {
  const problems = new Problems('');
  if (link.timeout === undefined) return problems;
  const raw = { timeoutMs: durationMs(link.timeout), unit: UNIT_DEFAULT };
  protocolOf(link).parseDevice(raw, [], problems);
  return problems;
}

/** Of the serial line a link leads to, undefined where it leads to none that is known. */
export function paceOfLink(link: LinkSource): Pace | undefined {
  if (link.kind === 'opcua') return undefined;
  const isLine = link.kind === 'serial' || link.kind === 'sim';
  const text = link.serial ?? (isLine ? LINE_SETTINGS_DEFAULT : undefined);
  return text === undefined ? undefined : paceOf(settingsOf(text));
}

/** How frames lie on a link; anything but `tcp` is a bus, on which unit 0 is everybody. */
export function framingOf(link: LinkSource): string {
  if (link.kind === 'opcua') return 'tcp';
  return link.framing ?? framingDefaults[link.kind];
}

/** What the protocol reads of a link: undefined, and problems, when it does not take it. */
export function lineOfLink(link: LinkSource, path: Path, problems: Problems): unknown {
  const echo = link.kind === 'serial' || link.kind === 'sim' ? link.echo : undefined;
  const framing = framingOf(link);
  const raw = { framing, ...(echo === undefined ? {} : { echo }) };
  return protocolOf(link).parseLine(raw, path, problems);
}

/** Adds what is wrong with the links; what listens beyond this machine and may is returned. */
export function checkLinks({ links, devices }: GatewaySource, problems: Problems): Bilingual[] {
  const taken = new Map<string, string>();
  const insecure: Bilingual[] = [];
  for (const [id, link] of Object.entries(links)) {
    const path = ['links', id];
    for (const { place, at } of placesOf(link)) {
      const other = taken.get(place);
      const values = { link: id, other: other ?? '', endpoint: place };
      if (other) problems.add([...path, ...at], 'same-endpoint', values);
      else taken.set(place, id);
    }
    const line = lineOfLink(link, path, problems);
    for (const finding of timeoutProblems(link).findings) {
      problems.adopt(finding, [...path, 'timeout']);
    }
    const framing = framingOf(link);
    if ((inFlightOf(link) ?? 1) > 1 && framing !== 'tcp') {
      problems.add([...path, 'in_flight'], 'in-flight-on-line', { framing });
    }
    if (link.kind === 'serial' && /^\/dev\/tty(USB|ACM)\d+$/.test(link.port)) {
      const help = bilingual('help-port-by-id');
      const more = { help, severity: 'warning' } as const;
      problems.add([...path, 'port'], 'port-renumbered', { port: link.port }, more);
    }
    if (link.kind === 'opcua') insecure.push(...checkOpcua(link, path, problems));
    if (link.kind !== 'opcua' && protocolOf(link).connect) {
      problems.add([...path, 'protocol'], 'protocol-own-link', { protocol: link.protocol });
    } else if (link.kind === 'opcua' && !protocolOf(link).connect) {
      problems.add([...path, 'protocol'], 'protocol-needs-link', { protocol: link.protocol });
    }
    if (link.kind === 'tcp-server') {
      insecure.push(...checkListen(link, path, problems));
      checkHeartbeat(link, line, unitsOn(id, devices), path, problems);
    }
    if (!devices.some(({ link: of }) => of === id)) {
      problems.add(path, 'unused-link', { link: id }, { severity: 'warning' });
    }
  }
  checkIdentities(links, problems);
  return insecure;
}

interface Place {
  readonly place: string;
  readonly at: Path;
}

/** Where the bytes of a link go: no other link may go there. */
function placesOf(link: LinkSource): Place[] {
  switch (link.kind) {
    case 'tcp': {
      const { host, port = TCP_PORT_DEFAULT, backup } = link;
      const places: Place[] = [{ place: `${host}:${port}`, at: ['host'] }];
      if (!backup) return places;
      const place = `${backup.host}:${backup.port ?? TCP_PORT_DEFAULT}`;
      return [...places, { place, at: ['backup', 'host'] }];
    }
    case 'serial':
      return [{ place: link.port, at: ['port'] }];
    case 'sim':
      return [{ place: link.socket, at: ['socket'] }];
    case 'opcua':
      return [{ place: link.endpoint.toLowerCase(), at: ['endpoint'] }];
    case 'tcp-server':
      return []; // Many share a port; checkIdentities tells them apart.
  }
}

type TcpServerSource = LinkSource & { readonly kind: 'tcp-server' };

function listenOf({ listen }: TcpServerSource): Endpoint {
  return { host: listen.host ?? LISTEN_HOST_DEFAULT, port: listen.port };
}

function checkListen(link: TcpServerSource, path: Path, problems: Problems): Bilingual[] {
  const { host, port } = listenOf(link);
  if (isLoopback(host)) return [];
  if (link.listen.insecure) return [bilingual('insecure-listen', { host, port })];
  const help = bilingual('help-listen-insecure');
  problems.add([...path, 'listen', 'host'], 'listen-unprotected', { host, port }, { help });
  return [];
}

// What stands between answers is found because no answer can begin with it. A heartbeat that could
// be one would some day be taken out of the middle of a reading.
function checkHeartbeat(
  link: TcpServerSource,
  line: unknown,
  units: readonly number[],
  path: Path,
  problems: Problems,
): void {
  if (link.heartbeat === undefined || line === undefined) return;
  const { answerBytes } = protocolOf(link);
  const at = [...path, 'heartbeat'];
  if (!answerBytes) {
    problems.add(at, 'heartbeat-unsupported', { protocol: link.protocol });
    return;
  }
  const heartbeat = packetBytes(link.heartbeat);
  if (answerBytes(line, units, heartbeat, 0, heartbeat.length) >= 0) {
    const help = bilingual('help-heartbeat');
    problems.add(at, 'heartbeat-like-answer', { heartbeat: link.heartbeat }, { help });
  }
}

/** A unit is named by the first bytes it sends: none may be the beginning of another's. */
function checkIdentities(links: GatewaySource['links'], problems: Problems): void {
  const seen: { readonly id: string; readonly place: string; readonly text: string }[] = [];
  for (const [id, link] of Object.entries(links)) {
    if (link.kind !== 'tcp-server') continue;
    const { host, port } = listenOf(link);
    const place = `${host}:${port}`;
    const text = hex(packetBytes(link.identity));
    const other = seen.find(
      (each) => each.place === place && (each.text.startsWith(text) || text.startsWith(each.text)),
    );
    const values = { link: id, other: other?.id ?? '', place };
    if (other) problems.add(['links', id, 'identity'], 'same-identity', values);
    seen.push({ id, place, text });
  }
}

/** Checked before: a file with problems has no configuration. */
export function readLink(id: string, link: LinkSource, source: GatewaySource): LinkConfig {
  const answerMs = answerMsOf(link);
  const every = { id, protocol: protocolOf(link), line: lineOf(link), answerMs };
  const pace = paceOfLink(link) ?? null;
  switch (link.kind) {
    case 'tcp': {
      const { kind, host, port = TCP_PORT_DEFAULT, backup } = link;
      const connectTimeoutMs = durationMs(link.connect_timeout ?? CONNECT_TIMEOUT_DEFAULT);
      const second = backup && { host: backup.host, port: backup.port ?? TCP_PORT_DEFAULT };
      return { ...every, kind, host, port, connectTimeoutMs, pace, backup: second ?? null };
    }
    case 'serial': {
      const { kind, port } = link;
      return { ...every, kind, port, settings: settingsOf(link.serial ?? LINE_SETTINGS_DEFAULT) };
    }
    case 'tcp-server': {
      const { kind, heartbeat } = link;
      return {
        ...every,
        kind,
        listen: listenOf(link),
        identity: packetBytes(link.identity),
        heartbeat: heartbeat === undefined ? null : packetBytes(heartbeat),
        units: unitsOn(id, source.devices),
        pace,
      };
    }
    case 'opcua':
      return { ...every, ...readOpcua(link) };
    case 'sim': {
      const { kind, socket } = link;
      const settings = settingsOf(link.serial ?? LINE_SETTINGS_DEFAULT);
      return { ...every, kind, socket: socketOf(socket), settings };
    }
  }
}

export function answerMsOf({ answer }: LinkSource): number {
  return durationMs(answer ?? ANSWER_DEFAULT);
}

export function lineOf(link: LinkSource): unknown {
  const problems = new Problems('');
  const line = lineOfLink(link, [], problems);
  assert(!problems.failed, 'a line is checked before it is used');
  return line;
}

function settingsOf(text: string): LineSettings {
  const settings = lineSettings(text);
  assert(settings, 'the schema lets only settings of a line through');
  return settings;
}

function unitsOn(id: string, devices: GatewaySource['devices']): number[] {
  return devices.filter(({ link }) => link === id).map(({ unit }) => unit ?? UNIT_DEFAULT);
}

function socketOf(socket: string): string | Endpoint {
  if (socket.startsWith('/')) return socket;
  const colon = socket.lastIndexOf(':');
  return { host: socket.slice(0, colon), port: Number(socket.slice(colon + 1)) };
}

/** Text as it is, or `hex:` and bytes. */
function packetBytes(text: string): Uint8Array {
  const bytes = text.startsWith('hex:') ? fromHex(text.slice(4)) : new TextEncoder().encode(text);
  assert(bytes, 'the schema lets only packets through');
  return bytes;
}
