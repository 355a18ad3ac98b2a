// The files of a gateway: its configuration, and the secret beside it. A secret never stands in the
// configuration, is never part of it once read, and is handed only to what connects with it.
import { X509Certificate } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readDocument } from '../../core/document.ts';
import { readFault } from '../../core/fault.ts';
import type { Finding, Problems } from '../../core/problems.ts';
import { InvalidInput } from '../../core/problems.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import {
  listProfiles,
  loadProfile,
  profileFile,
  readProfileFile,
} from '../../device-profiles/loader.ts';
import type { Profile } from '../../device-profiles/profile.ts';
import type { Identity } from '../../protocols/opcua/place.ts';
import { isSameEndpoint } from '../../protocols/opcua/place.ts';
import type { Profiles } from './device.ts';
import type { GatewaySource } from './format.ts';
import { gatewayForm } from './format.ts';
import type { GatewayConfig, SecretReference } from './gateway.ts';
import { parseGateway, pkiFolderOf, secretReference } from './gateway.ts';
import type { IdentitySource, OpcuaLinkParts } from './opcua-link.ts';
import { checkOpcua, readOpcua } from './opcua-link.ts';

/** A secret is 256 random bits as text, about 64 characters; what is longer is another file. */
const SECRET_BYTES_MAX = 4096;
const SECRETS_FOLDER = 'secrets';

export interface Gateway {
  readonly config: GatewayConfig;
  /** Of the gateway at the broker. */
  readonly secret: string;
  /** The same on its second path; that of the first where there is none of its own. */
  readonly secondSecret: string;
  /**
   * As whom it comes to OPC UA servers, by link; those to which it comes as nobody are not here.
   */
  readonly identities: ReadonlyMap<string, Identity>;
}

export interface LoadOptions {
  /** Where `${env:NAME}` looks. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly profiles?: Profiles;
}

/** The profile library of the package; each file is read once. */
export function packagedProfiles(): Profiles {
  const loaded = new Map<string, Profile>();
  return {
    ids: listProfiles(),
    load: (reference) => {
      const profile = loaded.get(reference) ?? loadProfile(reference);
      loaded.set(reference, profile);
      return profile;
    },
    text: (id) => readProfileFile(profileFile(id)),
  };
}

/** Reads file and secret; InvalidInput carries everything that is wrong with both. */
export function loadGateway(path: string, { environment, profiles }: LoadOptions): Gateway {
  const text = readGatewayFile(path);
  const { problems, value } = readDocument(text, path, gatewayForm);
  const before = new Set(problems.findings);
  const secretAt = (at: readonly string[], text: string | undefined) => {
    const reference = text === undefined ? undefined : secretReference(text);
    return reference && readSecret(reference, dirname(path), environment, { at, problems });
  };
  const secret = secretAt(['cloud', 'credentials'], value?.cloud.credentials);
  const own = value?.cloud.second?.credentials;
  const ofSecond = secretAt(['cloud', 'second', 'credentials'], own);
  const secondSecret = own === undefined ? secret : ofSecond;
  const identities = new Map<string, Identity>();
  for (const [id, link] of Object.entries(value?.links ?? {})) {
    if (link.kind !== 'opcua') continue;
    const { identity: source } = readOpcua(link);
    const identity = readIdentity(id, source, dirname(path), environment, problems);
    if (identity) identities.set(id, identity);
  }
  if (value) checkPorts(value, problems);
  const found = problems.findings.filter((finding) => !before.has(finding));
  const config = parsed(text, path, profiles ?? packagedProfiles(), found);
  if (problems.failed || secret === undefined || secondSecret === undefined) {
    throw new InvalidInput(found);
  }
  const warnings = [...config.warnings, ...found];
  return { config: { ...config, warnings }, secret, secondSecret, identities };
}

/** What of a gateway file the commands about certificates need. */
export interface GatewayPki {
  readonly folder: string;
  /** Its id. */
  readonly gateway: string;
}

/** Reads neither secret nor profile, so that certificates can be settled before the rest is. */
export function loadPki(path: string): GatewayPki {
  const { problems, value } = readDocument(readGatewayFile(path), path, gatewayForm);
  if (!value) throw new InvalidInput(problems.findings, problems.beyond);
  return { folder: pkiFolderOf(value, path), gateway: value.gateway.id };
}

/** One OPC UA link of a gateway file, and as whom the gateway comes there. */
export interface OpcuaLink {
  readonly id: string;
  readonly parts: OpcuaLinkParts;
  readonly identity: Identity;
  /** What it does without protection, or in spite of what it was shown. */
  readonly insecure: readonly Bilingual[];
}

/**
 * The link that leads to this endpoint; undefined where there is none. Reads no other secret than
 * its own and no profile: a server is browsed before there is one. InvalidInput carries what is
 * wrong with the file or with that link.
 */
export function loadOpcuaLink(
  path: string,
  endpoint: string,
  environment: LoadOptions['environment'],
): OpcuaLink | undefined {
  const { problems, value } = readDocument(readGatewayFile(path), path, gatewayForm);
  if (!value) throw new InvalidInput(problems.findings, problems.beyond);
  for (const [id, link] of Object.entries(value.links)) {
    if (link.kind !== 'opcua' || !isSameEndpoint(link.endpoint, endpoint)) continue;
    const insecure = checkOpcua(link, ['links', id], problems);
    const parts = readOpcua(link);
    const identity = readIdentity(id, parts.identity, dirname(path), environment, problems);
    problems.throwIfAny();
    return { id, parts, identity: identity ?? { kind: 'anonymous' }, insecure };
  }
  return undefined;
}

function parsed(
  text: Uint8Array,
  path: string,
  profiles: Profiles,
  found: readonly Finding[],
): GatewayConfig {
  try {
    return parseGateway(text, path, profiles);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new InvalidInput([...error.findings, ...found], error.beyond);
  }
}

function readGatewayFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw readFault(path, error, 'config_unreadable');
  }
}

/** Two names of one serial port are one bus; where the port is not plugged in, nothing is known. */
function checkPorts({ links }: GatewaySource, problems: Problems): void {
  const seen: { readonly id: string; readonly port: string; readonly device: string }[] = [];
  for (const [id, link] of Object.entries(links)) {
    if (link.kind !== 'serial') continue;
    const { port } = link;
    const device = deviceOf(port);
    const other = seen.find((each) => each.device === device && each.port !== port);
    const values = { link: id, other: other?.id ?? '', device };
    if (other) problems.add(['links', id, 'port'], 'same-port', values);
    seen.push({ id, port, device });
  }
}

function deviceOf(port: string): string {
  try {
    return realpathSync(port);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return port;
    throw error;
  }
}

/** Undefined when there is none that fits, which then stands in the problems. */
function readSecret(
  { kind, name }: SecretReference,
  folder: string,
  environment: LoadOptions['environment'],
  { at, problems }: { readonly at: readonly string[]; readonly problems: Problems },
): string | undefined {
  const place = kind === 'file' ? join(folder, SECRETS_FOLDER, name) : `$${name}`;
  const text = kind === 'file' ? secretFile(place, at, problems) : environment[name];
  if (text === undefined) {
    problems.add(at, 'secret-missing', { name, place });
    return undefined;
  }
  const secret = text.trimEnd();
  if (secret === '' || Buffer.byteLength(secret) > SECRET_BYTES_MAX) {
    problems.add(at, 'secret-unfit', { name, bytesMax: SECRET_BYTES_MAX });
    return undefined;
  }
  return secret;
}

/** Undefined for nobody, and when something is wrong with it, which then stands in the problems. */
function readIdentity(
  id: string,
  source: IdentitySource,
  folder: string,
  environment: LoadOptions['environment'],
  problems: Problems,
): Identity | undefined {
  const path = ['links', id, 'identity'];
  switch (source.kind) {
    case 'anonymous':
      return undefined;
    case 'user': {
      const reference = secretReference(source.password);
      if (!reference) return undefined; // Told as inline.
      const at = [...path, 'password'];
      const password = readSecret(reference, folder, environment, { at, problems });
      return password === undefined ? undefined : { ...source, password };
    }
    case 'certificate': {
      const certificate = readPem(
        join(folder, source.certificate),
        [...path, 'certificate'],
        problems,
      );
      const key = secretFile(join(folder, source.key), [...path, 'key'], problems);
      if (key === undefined) {
        problems.add([...path, 'key'], 'secret-missing', { name: source.key, place: source.key });
      }
      return certificate && key !== undefined
        ? { kind: 'certificate', certificate, key }
        : undefined;
    }
  }
}

/** The bytes of a certificate, in PEM or DER. */
function readPem(place: string, at: readonly string[], problems: Problems): Uint8Array | undefined {
  try {
    return new X509Certificate(readFileSync(place)).raw;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    problems.add(at, 'secret-missing', { name: place, place });
    return undefined;
  }
}

function secretFile(place: string, at: readonly string[], problems: Problems): string | undefined {
  let mode: number;
  let text: string;
  try {
    mode = statSync(place).mode;
    text = readFileSync(place, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined; // Told as missing.
    throw error;
  }
  if (mode & 0o077) {
    const help = bilingual('help-chmod', { place });
    problems.add(at, 'secret-readable', { place }, { help, severity: 'warning' });
  }
  return text;
}
