// The trust list of a gateway: which OPC UA servers it believes, as files in `pki/` beside the
// gateway file. A decision is a file that lies in one folder and no longer in the other, so that a
// running gateway takes it at its next attempt, any tool can look, and a copy of the folder is a
// backup of all of it. The layout is the one that node-opcua's certificate manager uses:
//
//   own/certs/client_certificate.pem   who the gateway is (opcua-own.ts)
//   own/private/private_key.pem        its key, for its user only
//   trusted/certs/*                    servers a person said yes to, as PEM or DER
//   rejected/*                         servers that were not talked to, newest kept
//   issuers/, trusted/crl/             made for other tools; nothing here reads them
//   journal.jsonl                      who decided what, and when
//
// A certificate kept here has a few lines before its PEM block, which readers of PEM pass over:
// where it was shown, since when, who decided. What lies in the folders may be anything, put there
// by hand or shown by an attacker: what cannot be read is listed as such, and harms nothing else.
// rejected/ cannot fill the disk: 10 an endpoint and 100 in all stay, at most 23 KB each.
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { Fault, isFault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import { bilingual } from '../../core/text/text.ts';
import type {
  Certificate,
  CertificatePlace,
  OwnCertificate,
  Trust,
} from '../../protocols/opcua/certificate.ts';
import { firstOf, readCertificate, refusalOf, shortOf } from '../../protocols/opcua/certificate.ts';
import { ownCertificate } from './opcua-own.ts';
import type { Decision } from './opcua-pki.ts';
import {
  derOf,
  FILE_BYTES_MAX,
  isSystemError,
  makeFolders,
  namesIn,
  note,
  onDisk,
  pemBlock,
  rejectedFolder,
  trustedFolder,
  writeWhole,
} from './opcua-pki.ts';

/** 2.3 MB at the most. */
export const REJECTED_MAX = 100;
/** Who shows a new one each time pushes out only what is of the same endpoint. */
export const REJECTED_ENDPOINT_MAX = 10;
/** Twice the links of a gateway; what lies beyond is not read. */
export const FILES_MAX = 1_000;
/** A server that is tried again each minute does not wear the disk. */
const SEEN_AGAIN_MS = 60_000;
const HEADER_LINES_MAX = 10;
const FINGERPRINT_DIGITS_MIN = 8;

export type TrustState = 'trusted' | 'unknown' | 'refused';

/** A certificate of the list. */
export interface Known {
  /** `unknown`: nobody has looked at it; `refused`: a person said no. */
  readonly state: TrustState;
  readonly certificate: Certificate;
  readonly der: Uint8Array;
  readonly file: string;
  /** Where it was shown first; null for one that was put there by hand. */
  readonly endpoint: string | null;
  readonly firstSeenMs: number | null;
  /** Written or seen last. */
  readonly seenMs: number;
  readonly decided: Decision | null;
}

/** A file that lies among certificates and is none. */
export interface Unreadable {
  readonly file: string;
  readonly bytes: number;
  readonly why: 'too-large' | 'no-certificate' | 'unreadable';
}

export interface TrustList {
  /** Trusted first, then what waits for a person, each by when it was seen, newest first. */
  readonly known: readonly Known[];
  readonly unreadable: readonly Unreadable[];
  /** Files beyond FILES_MAX, which were not looked at. */
  readonly beyond: number;
}

/** What a link asks at each of its attempts; reads the files each time. */
export function openTrust(
  clock: Clock,
  random: Random,
  { folder, gateway }: { readonly folder: string; readonly gateway: string },
): Trust {
  let making: Promise<OwnCertificate> | null = null;
  return {
    own: () => {
      making ??= ownCertificate(clock, random, { folder, gateway }).finally(() => {
        making = null;
      });
      return making;
    },
    refusal: (der, place) => refusal(folder, der, place, clock.wallMs()),
  };
}

function refusal(
  folder: string,
  shown: Uint8Array,
  place: CertificatePlace,
  nowMs: number,
): Fault | null {
  const der = firstOf(shown);
  const certificate = readCertificate(shown);
  if (!der || !certificate) {
    const values = { endpoint: place.endpoint, bytes: shown.length };
    const detail = bilingual('trust-no-certificate', values);
    return new Fault('opcua_certificate_refused', 'later', detail);
  }
  const { fingerprint, subject } = certificate;
  let trusted: Known | undefined;
  try {
    trusted = find(trustedFolder(folder), fingerprint);
  } catch (error) {
    if (!isFault(error)) throw error;
    return error; // Whom to believe cannot be read: nobody.
  }
  const trustedAtMs = trusted ? (trusted.decided?.atMs ?? trusted.seenMs) : null;
  const fault = refusalOf(certificate, place, { trustedAtMs, nowMs });
  if (trusted || !fault) return fault;
  const before = keepRejected(folder, { der, certificate, endpoint: place.endpoint, nowMs });
  if (fault.code !== 'opcua_untrusted' || !before?.decided) return fault;
  const values = { endpoint: place.endpoint, fingerprint: shortOf(fingerprint), subject };
  return new Fault(fault.code, fault.retry, bilingual('trust-refused-before', values));
}

// --- The list ---

/** Everything in the folders. Throws Fault `pki_unusable`. */
export function listTrust(folder: string): TrustList {
  const trusted = readFolder(trustedFolder(folder));
  const rejected = readFolder(rejectedFolder(folder));
  // One that lies in both was trusted, and its decision cut short; a copy says nothing more.
  const known = new Map<string, Known>();
  for (const each of trusted.known) keep({ ...each, state: 'trusted' });
  for (const each of rejected.known) keep(each);
  return {
    known: [...known.values()],
    unreadable: [...trusted.unreadable, ...rejected.unreadable],
    beyond: trusted.beyond + rejected.beyond,
  };

  function keep(each: Known): void {
    const { fingerprint } = each.certificate;
    if (!known.has(fingerprint)) known.set(fingerprint, each);
  }
}

/**
 * The one whose fingerprint begins so, as a person types it: colons, spaces and capitals do no
 * harm. Throws Fault `certificate_not_found`.
 */
export function findKnown(list: TrustList, typed: string): Known {
  const digits = typed.replaceAll(/[:\s]/g, '').toLowerCase();
  const found = list.known.filter(({ certificate }) => certificate.fingerprint.startsWith(digits));
  const [known] = found;
  if (!known) {
    const detail = bilingual('trust-no-such', { fingerprint: digits });
    throw new Fault('certificate_not_found', 'never', detail);
  }
  if (found.length > 1) {
    const values = { fingerprint: digits, count: found.length };
    throw new Fault('certificate_not_found', 'never', bilingual('trust-ambiguous', values));
  }
  return known;
}

/** Whether it is enough of a fingerprint to decide by. */
export function isFingerprint(typed: string): boolean {
  const digits = typed.replaceAll(/[:\s]/g, '');
  return new RegExp(`^[0-9a-fA-F]{${FINGERPRINT_DIGITS_MIN},64}$`).test(digits);
}

/** A certificate that was carried here. Throws Fault `opcua_certificate_refused`. */
export function fileOf(file: string, content: Buffer, nowMs: number): Known {
  const der = firstOf(derOf(content));
  const certificate = der && readCertificate(der);
  if (!der || !certificate) {
    const values = { endpoint: file, bytes: content.length };
    const detail = bilingual('trust-no-certificate', values);
    throw new Fault('opcua_certificate_refused', 'never', detail);
  }
  const nothing = { endpoint: null, firstSeenMs: null, decided: null };
  return { state: 'unknown', certificate, der, file, ...nothing, seenMs: nowMs };
}

/** From now on the gateway talks to who shows it. */
export function trust(folder: string, known: Known, decision: Decision): Known {
  return decide(folder, known, decision, { state: 'trusted', into: trustedFolder(folder) });
}

/** From its next attempt on the gateway does not talk to who shows it. */
export function refuse(folder: string, known: Known, decision: Decision): Known {
  return decide(folder, known, decision, { state: 'refused', into: rejectedFolder(folder) });
}

/** As if it had never been seen: the next time it is shown it waits for a person. */
export function remove(folder: string, known: Known, decision: Decision): void {
  onDisk(folder, () => clear(folder, known, null));
  note(folder, { ...decision, did: 'removed', ...namedBy(known) });
}

function decide(
  folder: string,
  known: Known,
  decision: Decision,
  { state, into }: { readonly state: 'trusted' | 'refused'; readonly into: string },
): Known {
  makeFolders(folder);
  const { der, certificate, endpoint, firstSeenMs } = known;
  const file = join(into, fileName(der, certificate));
  onDisk(folder, () => {
    writeWhole(file, pemOf(der, { endpoint, firstSeenMs, decided: decision }));
    clear(folder, known, file);
  });
  note(folder, { ...decision, did: state, ...namedBy(known) });
  return { ...known, state, file, decided: decision, seenMs: decision.atMs };
}

/** Whatever else has this certificate goes: a second copy would speak against the decision. */
function clear(folder: string, { certificate }: Known, kept: string | null): void {
  for (const each of [trustedFolder(folder), rejectedFolder(folder)]) {
    for (const { file, certificate: other } of readFolder(each).known) {
      if (other.fingerprint === certificate.fingerprint && file !== kept) rmSync(file);
    }
  }
}

const namedBy = ({ certificate, endpoint }: Known) => ({
  fingerprint: certificate.fingerprint,
  subject: certificate.subject,
  endpoint,
});

// --- Files ---

/** Newest first. */
function readFolder(folder: string): TrustList {
  const names = onDisk(folder, () => namesIn(folder));
  const all = names.slice(0, FILES_MAX).map((name) => readOne(join(folder, name)));
  const known = all.filter((each) => 'certificate' in each);
  return {
    known: known.sort((a, b) => b.seenMs - a.seenMs),
    unreadable: all.filter((each) => 'why' in each),
    beyond: Math.max(0, names.length - FILES_MAX),
  };
}

function find(folder: string, fingerprint: string): Known | undefined {
  return readFolder(folder).known.find((each) => each.certificate.fingerprint === fingerprint);
}

function readOne(file: string): Known | Unreadable {
  let bytes = 0;
  try {
    const stat = statSync(file);
    bytes = stat.size;
    if (!stat.isFile()) return { file, bytes, why: 'unreadable' };
    if (bytes > FILE_BYTES_MAX) return { file, bytes, why: 'too-large' };
    const content = readFileSync(file);
    const der = firstOf(derOf(content));
    const certificate = der && readCertificate(der);
    if (!der || !certificate) return { file, bytes, why: 'no-certificate' };
    const headers = headersOf(content);
    const state = headers.decided ? 'refused' : 'unknown'; // Where it lies may say otherwise.
    return { file, der, certificate, state, ...headers, seenMs: stat.mtimeMs };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return { file, bytes, why: 'unreadable' };
  }
}

interface Headers {
  readonly endpoint: string | null;
  readonly firstSeenMs: number | null;
  readonly decided: Decision | null;
}

function headersOf(content: Buffer): Headers {
  const lines = content.subarray(0, 4096).toString('utf8').split('\n').slice(0, HEADER_LINES_MAX);
  const value = (name: string) =>
    lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;
  const firstSeenMs = Date.parse(value('First-Seen') ?? '');
  const [, at = '', who = ''] = /^(\S+) by (.{1,100})$/.exec(value('Decided') ?? '') ?? [];
  const atMs = Date.parse(at);
  return {
    endpoint: value('Endpoint')?.slice(0, 300) ?? null,
    firstSeenMs: Number.isFinite(firstSeenMs) ? firstSeenMs : null,
    decided: Number.isFinite(atMs) ? { who, atMs } : null,
  };
}

function pemOf(der: Uint8Array, { endpoint, firstSeenMs, decided }: Headers): string {
  const iso = (ms: number) => new Date(ms).toISOString();
  return [
    ...(endpoint === null ? [] : [`Endpoint: ${oneLine(endpoint)}`]),
    ...(firstSeenMs === null ? [] : [`First-Seen: ${iso(firstSeenMs)}`]),
    ...(decided === null ? [] : [`Decided: ${iso(decided.atMs)} by ${oneLine(decided.who)}`]),
    pemBlock(der),
  ].join('\n');
}

const oneLine = (text: string) => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 300);

/** As node-opcua names it, so that both find one file and not two. */
function fileName(der: Uint8Array, { subject }: Certificate): string {
  const [, common = 'certificate'] = /(?:^|, )CN=([^,]*)/.exec(subject) ?? [];
  const label =
    common
      .replaceAll(/[^A-Za-z0-9 _-]/g, '_')
      .slice(0, 60)
      .trim() || 'certificate';
  return `${label}[${createHash('sha1').update(der).digest('hex')}].pem`;
}

interface Shown {
  readonly der: Uint8Array;
  readonly certificate: Certificate;
  readonly endpoint: string;
  readonly nowMs: number;
}

/**
 * Keeps what was shown for a person to look at; what is known of it already is returned. That it
 * cannot be kept changes nothing of its being refused.
 */
function keepRejected(folder: string, shown: Shown): Known | null {
  const { der, certificate, endpoint, nowMs } = shown;
  const into = rejectedFolder(folder);
  try {
    makeFolders(folder);
    const before = find(into, certificate.fingerprint);
    if (before) {
      const now = new Date(nowMs);
      if (Math.abs(nowMs - before.seenMs) > SEEN_AGAIN_MS) utimesSync(before.file, now, now);
      return before;
    }
    const file = join(into, fileName(der, certificate));
    writeWhole(file, pemOf(der, { endpoint, firstSeenMs: nowMs, decided: null }));
    utimesSync(file, new Date(nowMs), new Date(nowMs));
    prune(into, endpoint);
  } catch (error) {
    if (!isFault(error) && !isSystemError(error)) throw error;
  }
  return null;
}

/** The oldest go, those of the same endpoint first. */
function prune(folder: string, endpoint: string): void {
  const { known, unreadable } = readFolder(folder);
  const same = known.filter((each) => each.endpoint === endpoint);
  const going = same.slice(REJECTED_ENDPOINT_MAX);
  const staying = known.filter((each) => !going.includes(each));
  const others = [...staying, ...unreadable].slice(REJECTED_MAX);
  for (const { file } of [...going, ...others]) rmSync(file, { force: true });
}
