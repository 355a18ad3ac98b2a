// Who a gateway is to OPC UA servers: one certificate and its key, made at first need.
//
// A server trusts this very certificate, as a rule, so each new one costs a visit to every server.
// It therefore lives for OWN_YEARS, longer than the usual year after which plants have stood still,
// is told of 90, 30 and 7 days before it ends, and is never replaced behind anyone's back: a new
// one is made beside it, carried to the servers, and taken into use when they trust it. The links
// take it at their next attempt. The application URI is the gateway's id and stays for ever.
//
// The key is 2048 bits: what every server takes, and every policy we speak allows. It is readable
// by its user only and is never sent anywhere.
import { createPrivateKey, generateKeyPair, X509Certificate } from 'node:crypto';
import { existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../../core/clock.ts';
import { Fault, isFault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Certificate, OwnCertificate } from '../../protocols/opcua/certificate.ts';
import { DAY_MS, firstOf, readCertificate } from '../../protocols/opcua/certificate.ts';
import { selfSigned } from '../../protocols/opcua/self-signed.ts';
import type { OwnFiles } from './opcua-pki.ts';
import {
  derOf,
  isSystemError,
  makeFolder,
  makeFolders,
  nextFiles,
  note,
  onDisk,
  ownFiles,
  pemBlock,
  readIfThere,
  syncFolder,
  writeWhole,
} from './opcua-pki.ts';

export const OWN_YEARS = 5;
const OWN_DAYS = OWN_YEARS * 365 + 1;
const RSA_BITS = 2048;
/** A server whose clock is a little behind takes it at once. */
const BEGUN_MS = DAY_MS;
const SERIAL_BYTES = 16;
const GATEWAY = 'gateway';

export interface Own extends OwnCertificate {
  readonly facts: Certificate;
  readonly file: string;
}

export interface OwnPlace {
  readonly folder: string;
  /** Its id. */
  readonly gateway: string;
  /** Who asked for it; the gateway itself when left out. */
  readonly who?: string;
}

export const applicationUriOf = (gateway: string) => `urn:lifeline:${gateway}`;

/** The one in use; made if there is none. Rejects with `opcua_own_certificate`, `pki_unusable`. */
export async function ownCertificate(clock: Clock, random: Random, place: OwnPlace): Promise<Own> {
  const { folder, who = GATEWAY } = place;
  const files = ownFiles(folder);
  const found = readOwnOrMend(clock, folder);
  if (found) return found;
  const privateKey = onDisk(folder, () => readIfThere(files.privateKey)) ?? (await newKey());
  const made = certify(clock, random, place, privateKey);
  makeFolders(folder);
  onDisk(folder, () => {
    // Somebody else may be at it: the first key and the first certificate stay, and fit each other
    // because whoever finds the key makes the certificate for it.
    keepFirst(files.privateKey, privateKey, 0o600);
    if (readIfThere(files.privateKey) === privateKey) keepFirst(files.certificate, made, 0o644);
  });
  const own = readOwn(folder) ?? (await ownCertificate(clock, random, place));
  if (pemBlock(own.certificate) === made) noteOf(clock, folder, own, 'made', who);
  return own;
}

// A power cut while the next one was taken into use leaves its key in place and not its
// certificate.
function readOwnOrMend(clock: Clock, folder: string): Own | null {
  try {
    return readOwn(folder);
  } catch (error) {
    if (!isFault(error) || error.code !== 'opcua_own_certificate') throw error;
    const isHalf = !existsSync(nextFiles(folder).privateKey) && readNext(folder) !== null;
    if (!isHalf) throw error;
    return useNext(clock, folder, GATEWAY);
  }
}

/** Null when none was made yet. Throws Fault `opcua_own_certificate` or `pki_unusable`. */
export function readOwn(folder: string): Own | null {
  return readPair(folder, ownFiles(folder), ownFiles(folder).privateKey);
}

/** The one that was prepared; null when there is none. */
export function readNext(folder: string): Own | null {
  const files = nextFiles(folder);
  const isNewKey = onDisk(folder, () => existsSync(files.privateKey));
  return readPair(folder, files, isNewKey ? files.privateKey : ownFiles(folder).privateKey);
}

export interface Renewal extends OwnPlace {
  readonly key: 'keep' | 'new';
  readonly who: string;
}

/** Makes the next one; one that was prepared and not taken into use is replaced. */
export async function prepareNext(
  clock: Clock,
  random: Random,
  { folder, gateway, key, who }: Renewal,
): Promise<Own> {
  makeFolders(folder);
  const files = nextFiles(folder);
  const kept =
    key === 'keep' ? onDisk(folder, () => readIfThere(ownFiles(folder).privateKey)) : null;
  const privateKey = kept ?? (await newKey());
  const made = certify(clock, random, { folder, gateway }, privateKey);
  onDisk(folder, () => {
    rmSync(dirname(dirname(files.certificate)), { recursive: true, force: true });
    makeFolder(dirname(dirname(files.certificate)), 0o700);
    makeFolder(dirname(files.certificate));
    makeFolder(dirname(files.privateKey), 0o700);
    if (kept === null) writeWhole(files.privateKey, privateKey, 0o600);
    writeWhole(files.certificate, made);
  });
  const next = readNext(folder);
  if (!next) throw unusable(bilingual('trust-own-unreadable', { path: files.certificate }));
  noteOf(clock, folder, next, 'prepared', who);
  return next;
}

/** From the next attempt of each link on. */
export function useNext(clock: Clock, folder: string, who: string): Own {
  const next = readNext(folder);
  const from = nextFiles(folder);
  if (!next) {
    const detail = bilingual('trust-no-next', { path: from.certificate });
    throw new Fault('certificate_not_found', 'never', detail);
  }
  const into = ownFiles(folder);
  onDisk(folder, () => {
    // Between the two the key has no certificate; doing it again mends it.
    if (existsSync(from.privateKey)) renameSync(from.privateKey, into.privateKey);
    renameSync(from.certificate, into.certificate);
    syncFolder(dirname(into.privateKey));
    syncFolder(dirname(into.certificate));
  });
  noteOf(clock, folder, next, 'taken-into-use', who);
  return { ...next, file: into.certificate };
}

function certify(clock: Clock, random: Random, { gateway }: OwnPlace, privateKey: string): string {
  const nowMs = clock.wallMs();
  try {
    const der = selfSigned({
      commonName: `Lifeline ${gateway}`,
      applicationUri: applicationUriOf(gateway),
      hosts: [hostname()],
      fromMs: nowMs - BEGUN_MS,
      untilMs: nowMs + OWN_DAYS * DAY_MS,
      privateKey,
      serial: random.bytes(SERIAL_BYTES),
    });
    return pemBlock(der);
  } catch (error) {
    if (!isKeyError(error)) throw error;
    throw unusable(
      bilingual('trust-key-unreadable', { path: 'own/private/private_key.pem' }),
      error,
    );
  }
}

async function newKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: RSA_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
}

/** Writes a file that is not there yet, whole; one that is there stays as it is. */
function keepFirst(file: string, text: string, mode: number): void {
  const part = `${file}.${process.pid}`;
  writeWhole(part, text, mode);
  try {
    linkSync(part, file);
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(part, { force: true });
  }
}

function readPair(folder: string, files: OwnFiles, keyFile: string): Own | null {
  const [text, privateKey] = onDisk(folder, () => [
    readIfThere(files.certificate),
    readIfThere(keyFile),
  ]);
  const certificate = files.certificate;
  if (text === null || text === undefined) return null;
  if (privateKey === null || privateKey === undefined) {
    throw unusable(bilingual('trust-key-missing', { path: keyFile, certificate }));
  }
  const der = firstOf(derOf(Buffer.from(text, 'latin1')));
  const facts = der && readCertificate(der);
  if (!der || !facts) throw unusable(bilingual('trust-own-unreadable', { path: certificate }));
  try {
    if (!new X509Certificate(der).checkPrivateKey(createPrivateKey(privateKey))) {
      throw unusable(bilingual('trust-key-of-other', { path: keyFile, certificate }));
    }
  } catch (error) {
    if (!isKeyError(error)) throw error;
    throw unusable(bilingual('trust-key-unreadable', { path: keyFile }), error);
  }
  return {
    certificate: der,
    privateKey,
    applicationUri: facts.applicationUri ?? '',
    untilMs: facts.untilMs,
    facts,
    file: certificate,
  };
}

const isKeyError = (error: unknown) => error instanceof Error && !isFault(error) && 'code' in error;

function unusable(detail: ReturnType<typeof bilingual>, cause?: unknown): Fault {
  return new Fault('opcua_own_certificate', 'later', detail, cause);
}

function noteOf(
  clock: Clock,
  folder: string,
  { facts }: Own,
  did: 'made' | 'prepared' | 'taken-into-use',
  who: string,
): void {
  const { fingerprint, subject } = facts;
  note(folder, { atMs: clock.wallMs(), who, did, fingerprint, subject, endpoint: null });
}
