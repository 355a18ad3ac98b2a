// A gateway file, read once and trusted from then on: text in, frozen values out, or everything
// that is wrong with it at once. What depends on several places is checked here, on the values that
// will be in force: profile, then the settings of the device over it. Two limits that are right
// each in their file can be wrong together, and only the sum shows it.
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { Interlock } from '../../core/command.ts';
import { readDocument } from '../../core/document.ts';
import { durationMs, sizeBytes } from '../../core/duration.ts';
import { isLoopback } from '../../core/host.ts';
import type { PointDefinition, Position } from '../../core/point.ts';
import type { Finding, Problems } from '../../core/problems.ts';
import { didYouMean, InvalidInput } from '../../core/problems.ts';
import { SECRET_PATTERN } from '../../core/schema.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { CollectedDevice } from '../collect/device.ts';
import { checkSelf, selfDevice, selfLink } from '../self/device.ts';
import type { PathTerms } from '../uplink/paths.ts';
import { checkLineTime } from './arithmetic.ts';
import { certificatesOf } from './certificate-points.ts';
import { readInterlocks } from './commands.ts';
import type { EffectiveProfile, Profiles } from './device.ts';
import { readDevice } from './device.ts';
import type { FallbackConfig } from './fallback.ts';
import { readFallbacks } from './fallback.ts';
import type { DeviceSource, GatewaySource, LinkSource } from './format.ts';
import { gatewayForm } from './format.ts';
import type { LinkConfig } from './link.ts';
import { checkLinks, framingOf, protocolOf, readLink } from './link.ts';

export type SecretReference =
  | { readonly kind: 'file'; readonly name: string }
  | { readonly kind: 'environment'; readonly name: string };

export interface DeviceConfig extends CollectedDevice {
  readonly name: Bilingual | null;
  readonly asset: string | null;
  /** `vendor/model@1.4.0`, as installed. */
  readonly profile: string;
  readonly unit: number;
}

/** One path to the cloud: a broker, and the network to it. */
export interface CloudPath {
  readonly url: string;
  readonly credentials: SecretReference;
  /** Source address; null leaves the network to the system. */
  readonly localAddress: string | null;
}

export interface SecondPath extends CloudPath {
  readonly terms: PathTerms;
}

export interface GatewayConfig {
  readonly gateway: {
    readonly id: string;
    readonly area: string;
    readonly name: Bilingual;
    readonly position: Position | null;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly cloud: CloudPath & { readonly second: SecondPath | null };
  readonly outbox: { readonly folder: string; readonly bytesMax: number };
  /** Where certificates lie, of this gateway and of the servers it trusts. */
  readonly pki: { readonly folder: string };
  readonly status: { readonly host: string; readonly port: number };
  readonly links: readonly LinkConfig[];
  readonly devices: readonly DeviceConfig[];
  /** In the order of the manifest: the place is the alias. */
  readonly points: readonly PointDefinition[];
  /** What refuses a command that is allowed, in the order of the file. */
  readonly interlocks: readonly Interlock[];
  /** What is driven here when nobody confirms an alarm in time. */
  readonly fallbacks: readonly FallbackConfig[];
  /** Of the bytes of the file: equal hash, equal configuration. */
  readonly hash: string;
  /** What is not protected although it leaves this machine; said at every start. */
  readonly insecure: readonly Bilingual[];
  readonly warnings: readonly Finding[];
  /** How many warnings there are beside those. */
  readonly warningsBeyond: number;
}

const OUTBOX_FOLDER_DEFAULT = 'outbox';
const OUTBOX_SIZE_DEFAULT = '1GiB';
/** Its own files would be most of a smaller one; at 100 readings a second this holds 10 hours. */
export const OUTBOX_BYTES_MIN = 16 * 1024 * 1024;
const PKI_FOLDER_DEFAULT = 'pki';
const STATUS_HOST_DEFAULT = '127.0.0.1';
export const STATUS_PORT_DEFAULT = 9180;
const UNIT_DEFAULT = 1;

/** SHA-256, the first 16 bytes as 32 hex digits. */
export function configurationHash(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** The configuration, or all findings as InvalidInput. Reads no secret and opens nothing. */
export function parseGateway(
  text: string | Uint8Array,
  file: string,
  profiles: Profiles,
): GatewayConfig {
  const { value, problems } = readDocument(text, file, gatewayForm);
  if (!value) throw new InvalidInput(problems.findings, problems.beyond);
  const listening = checkLinks(value, problems);
  checkSelf(value, problems);
  const insecure = [...checkProtection(value, problems), ...distinct(listening)];
  const outboxBytes = sizeBytes(value.outbox?.size ?? OUTBOX_SIZE_DEFAULT);
  if (outboxBytes < OUTBOX_BYTES_MIN) {
    problems.add(['outbox', 'size'], 'outbox-too-small', { minimum: '16MiB' });
  }
  const named = readDevices(value, problems, profiles);
  const interlocks = readInterlocks(value, named, problems);
  const fallbacks = readFallbacks(value, pointsOf(named), interlocks, problems);
  const findings = [...problems.findings].sort(byPlace);
  if (problems.failed) throw new InvalidInput(findings, problems.beyond);
  const { gateway, cloud, outbox = {}, status = {}, links } = value;
  const testMs = value.path_test ? durationMs(value.path_test.every) : null;
  const devices = testMs === null ? named : [...named, selfDevice(testMs, pointsOf(named).length)];
  return deepFreeze<GatewayConfig>({
    gateway: { ...gateway, position: gateway.position ?? null, labels: gateway.labels ?? {} },
    cloud: {
      url: cloud.url,
      credentials: secretReference(cloud.credentials)!,
      localAddress: cloud.local_address ?? null,
      second: secondPath(cloud),
    },
    outbox: {
      folder: resolve(dirname(file), outbox.folder ?? OUTBOX_FOLDER_DEFAULT),
      bytesMax: outboxBytes,
    },
    pki: { folder: pkiFolderOf(value, file) },
    status: {
      host: status.host ?? STATUS_HOST_DEFAULT,
      port: status.port ?? STATUS_PORT_DEFAULT,
    },
    links: [
      ...Object.entries(links).map(([id, link]) => readLink(id, link, value)),
      ...(testMs === null ? [] : [selfLink(testMs)]),
    ],
    devices,
    points: pointsOf(devices),
    interlocks,
    fallbacks,
    hash: configurationHash(text),
    insecure,
    warnings: findings,
    warningsBeyond: problems.beyond,
  });
}

function pointsOf(devices: readonly DeviceConfig[]): PointDefinition[] {
  return devices.flatMap(({ groups }) =>
    groups.flatMap(({ points }) => points.map(({ definition }) => definition)),
  );
}

/** Of the gateway file at this path. */
export function pkiFolderOf({ pki = {} }: GatewaySource, file: string): string {
  return resolve(dirname(file), pki.folder ?? PKI_FOLDER_DEFAULT);
}

/** Links that share a listener say the same of it. */
function distinct(texts: readonly Bilingual[]): Bilingual[] {
  return [...new Map(texts.map((text) => [text.en, text])).values()];
}

function secondPath({ second, credentials }: GatewaySource['cloud']): SecondPath | null {
  if (!second) return null;
  const isMetered = (second.cost ?? 'metered') === 'metered';
  return {
    url: second.url,
    credentials: secretReference(second.credentials ?? credentials)!,
    localAddress: second.local_address ?? null,
    terms: {
      isMetered,
      carriesTrends: (second.trends ?? 'when_first_is_down') !== 'never',
      carriesBacklog: second.backlog ?? !isMetered,
    },
  };
}

type PathSource = Pick<
  GatewaySource['cloud'],
  'url' | 'credentials' | 'insecure' | 'local_address'
>;

function checkPath(path: PathSource, at: readonly string[], problems: Problems): Bilingual[] {
  const { url, credentials, insecure } = path;
  if (!secretReference(credentials)) {
    const help = bilingual('help-secret-reference', { reference: '${secret:cloud}' });
    problems.add([...at, 'credentials'], 'secret-inline', {}, { help });
  }
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'mqtt:' || isLoopback(hostname)) return [];
  if (insecure) return [bilingual('insecure-cloud', { url })];
  const help = bilingual('help-cloud-insecure');
  problems.add([...at, 'url'], 'cloud-unprotected', { url }, { help });
  return [];
}

function checkPaths({ cloud }: GatewaySource, problems: Problems): Bilingual[] {
  const { second } = cloud;
  const insecure = checkPath(cloud, ['cloud'], problems);
  if (!second) return insecure;
  const { url } = second;
  if (url === cloud.url && second.local_address === cloud.local_address) {
    const help = bilingual('help-same-path');
    problems.add(['cloud', 'second', 'url'], 'same-path', { url }, { help });
  }
  // Without credentials of its own it has those of the first, which are told of there.
  const credentials = second.credentials ?? '${secret:cloud}';
  return [...insecure, ...checkPath({ ...second, credentials }, ['cloud', 'second'], problems)];
}

/** What leaves the machine unprotected: refused unless the file says so, and then returned. */
function checkProtection(source: GatewaySource, problems: Problems): Bilingual[] {
  const { status } = source;
  const insecure = checkPaths(source, problems);
  const { host = STATUS_HOST_DEFAULT } = status ?? {};
  if (!isLoopback(host)) {
    if (status?.insecure) insecure.push(bilingual('insecure-status', { host }));
    else {
      const help = bilingual('help-status-insecure');
      problems.add(['status', 'host'], 'status-unprotected', { host }, { help });
    }
  }
  return insecure;
}

/** Undefined for what is no reference: a secret written into the file. */
export function secretReference(text: string): SecretReference | undefined {
  const [, file, variable] = SECRET_PATTERN.exec(text) ?? [];
  if (file !== undefined) return { kind: 'file', name: file };
  if (variable !== undefined) return { kind: 'environment', name: variable };
  return undefined;
}

function readDevices(
  source: GatewaySource,
  problems: Problems,
  profiles: Profiles,
): DeviceConfig[] {
  const devices: DeviceConfig[] = [];
  const ids = new Set<string>();
  const addresses = new Map<string, string>();
  const effective = new Map<string, EffectiveProfile>();
  const told = new Set<string>();
  let firstAlias = 0;
  source.devices.forEach((device, at) => {
    const path = ['devices', at];
    if (ids.has(device.id))
      problems.add([...path, 'id'], 'duplicate-device', { device: device.id });
    ids.add(device.id);
    const link = Object.hasOwn(source.links, device.link) && source.links[device.link];
    if (!link) {
      unknownLink(device, Object.keys(source.links), [...path, 'link'], problems);
      return;
    }
    const unit = device.unit ?? UNIT_DEFAULT;
    const address = addressOf(device, link, unit);
    const other = addresses.get(address);
    if (other && link.kind === 'opcua') {
      const values = { device: device.id, other };
      problems.add([...path, 'profile'], 'same-nodes', values, { severity: 'warning' });
    } else if (other) {
      const values = { device: device.id, other, unit, link: device.link };
      problems.add([...path, device.unit === undefined ? 'id' : 'unit'], 'same-address', values);
    } else addresses.set(address, device.id);
    if (device.unit !== undefined && link.kind === 'opcua') {
      problems.add([...path, 'unit'], 'unit-on-opcua', { device: device.id, link: device.link });
    }
    if (unit === 0 && framingOf(link) !== 'tcp') {
      problems.add([...path, 'unit'], 'broadcast-unit', { device: device.id, link: device.link });
    }
    const protocol = protocolOf(link);
    const certificates = certificatesOf(device.link, link, told);
    const setup = {
      source: device,
      path,
      unit,
      link,
      protocol,
      firstAlias,
      certificates,
      effective,
    };
    const read = readDevice(setup, problems, profiles);
    if (!read) return;
    devices.push(read);
    for (const { points } of read.groups) firstAlias += points.length;
  });
  checkLineTime(source.links, devices, problems);
  return devices;
}

/** What tells devices of a link apart: on a bus the unit, at a server the nodes. */
function addressOf(
  { link: id, profile, settings = {} }: DeviceSource,
  link: LinkSource,
  unit: number,
) {
  return link.kind === 'opcua' ? JSON.stringify([id, profile, settings]) : `${id} ${unit}`;
}

function unknownLink(
  { id, link }: DeviceSource,
  known: readonly string[],
  path: readonly (string | number)[],
  problems: Problems,
): void {
  const word = didYouMean(link, known);
  const help = word
    ? bilingual('help-did-you-mean', { word })
    : known.length
      ? bilingual('help-one-of', { list: known.join(', ') })
      : undefined;
  problems.add(path, 'unknown-link', { device: id, link }, { help });
}

function byPlace(a: Finding, b: Finding): number {
  const lines = (a.place?.line ?? 0) - (b.place?.line ?? 0);
  return lines || (a.place?.column ?? 0) - (b.place?.column ?? 0);
}

function deepFreeze<T>(value: T): T {
  // Views of bytes cannot be frozen.
  const isPlain = typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
  if (isPlain && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
