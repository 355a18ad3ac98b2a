// Certificates of OPC UA applications (Part 6, 6.2.2): what one says, and whether a gateway may
// talk to who shows it. Pure: where certificates are kept is the business of
// edge/links/opcua-trust.ts.
//
// A server is believed for one reason only: a person has looked at this very certificate and said
// so. Who signed it makes no difference, so there is no chain to follow and no list of revoked
// ones; a certificate is given up by taking it off the list. Beyond that it must be the right one
// for the place: name the host that is dialed, and not be over. Both of these a site can settle by
// endpoint, as servers are dialed by address where their certificate has a name, and some are never
// renewed.
//
// Everything here comes from whoever answers at the endpoint, so all of it is cut and cleaned
// before a person sees it.
import { X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { Fault } from '../../core/fault.ts';
import { isLoopback } from '../../core/host.ts';
import { bilingual } from '../../core/text/text.ts';
import { hostOf } from './place.ts';

/** An RSA key of 4096 bits and a page of names are 3 KB; what is larger is no certificate. */
export const CERTIFICATE_BYTES_MAX = 16 * 1024;
/** Every policy we speak asks for 2048 to 4096 bits (Part 7, 6.6). */
const RSA_BITS_MIN = 2048;
const NAMES_MAX = 20;
const NAME_CHARACTERS_MAX = 200;
export const DAY_MS = 86_400_000;

export interface Certificate {
  /** SHA-256 of its bytes, 64 lower-case hex digits. */
  readonly fingerprint: string;
  /** `CN=Pump station, O=ACME`. */
  readonly subject: string;
  readonly issuer: string;
  readonly isSelfSigned: boolean;
  /** What an OPC UA application is known by; null: it names none. */
  readonly applicationUri: string | null;
  /** Host names and addresses. */
  readonly hosts: readonly string[];
  readonly fromMs: number;
  readonly untilMs: number;
  /** Of an RSA key, null for another kind. */
  readonly bits: number | null;
}

/** Who the gateway is at a server. */
export interface OwnCertificate {
  /** DER. */
  readonly certificate: Uint8Array;
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  readonly applicationUri: string;
  readonly untilMs: number;
}

/** Where a certificate was shown, and what the site settled for that endpoint. */
export interface CertificatePlace {
  /** `opc.tcp://10.0.0.5:4840`. */
  readonly endpoint: string;
  /** Host or application URI that it names instead of the host that is dialed. */
  readonly host: string | null;
  /** `accept`: a certificate that is over is taken all the same. */
  readonly expired: 'refuse' | 'accept';
}

/** Whom a gateway is and whom it believes; asked at each attempt to connect. */
export interface Trust {
  /** Made at first need. Rejects with a fault. */
  own(): Promise<OwnCertificate>;
  /** Null: talk to it. What nobody has looked at yet is kept for a person to look at. */
  refusal(der: Uint8Array, place: CertificatePlace): Fault | null;
}

/** The first of a chain; undefined when it is no certificate. */
export function readCertificate(bytes: Uint8Array): Certificate | undefined {
  const der = firstOf(bytes);
  if (!der) return undefined;
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(der);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return undefined; // Whatever the bytes are, they are no certificate.
  }
  const names = alternativeNames(x509.subjectAltName ?? '');
  const [applicationUri = null] = names.filter(({ kind }) => kind === 'URI').map(textOf);
  const fromMs = Date.parse(x509.validFrom);
  const untilMs = Date.parse(x509.validTo);
  if (!Number.isFinite(fromMs) || !Number.isFinite(untilMs)) return undefined;
  return {
    fingerprint: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    subject: nameOf(x509.subject),
    issuer: nameOf(x509.issuer),
    isSelfSigned: x509.checkIssued(x509),
    applicationUri,
    hosts: names.filter(({ kind }) => kind !== 'URI').map(textOf),
    fromMs,
    untilMs,
    bits: rsaBits(x509),
  };
}

/** The bytes of the first certificate of a chain, which is one after the other. */
export function firstOf(bytes: Uint8Array): Uint8Array | undefined {
  const [tag, size = 0] = bytes;
  if (tag !== 0x30) return undefined;
  const sizeBytes = size < 0x80 ? 0 : size & 0x7f;
  if (sizeBytes > 2 || size === 0x80) return undefined; // Longer than 64 KB, or without an end.
  let length = sizeBytes === 0 ? size : 0;
  for (let at = 0; at < sizeBytes; at += 1) length = length * 256 + (bytes[2 + at] ?? 0);
  const end = 2 + sizeBytes + length;
  return end > bytes.length || end > CERTIFICATE_BYTES_MAX ? undefined : bytes.subarray(0, end);
}

/** Undefined for a curve we know nothing of, as for one that cannot be read at all. */
function rsaBits(x509: X509Certificate): number | null {
  try {
    return x509.publicKey.asymmetricKeyDetails?.modulusLength ?? null;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return null;
  }
}

interface AlternativeName {
  readonly kind: 'URI' | 'DNS' | 'IP Address';
  readonly text: string;
}

const textOf = ({ text }: AlternativeName) => text;

// Names that hold a comma or a quote stand as JSON text: a name cannot pretend to be two.
function alternativeNames(text: string): AlternativeName[] {
  const pattern = /(?:^|, )(URI|DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g;
  return [...text.matchAll(pattern)].slice(0, NAMES_MAX).map(([, kind, found = '']) => ({
    kind: kind as AlternativeName['kind'],
    text: clean(found.startsWith('"') ? unquoted(found) : found),
  }));
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
}

/** One part a line, as node gives it, to one line. */
function nameOf(text: string | undefined): string {
  return clean((text ?? '').split('\n').slice(0, NAMES_MAX).join(', '));
}

/** Nothing that moves a cursor, hides text or turns its direction; at most a line. */
function clean(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return plain.length > NAME_CHARACTERS_MAX ? `${plain.slice(0, NAME_CHARACTERS_MAX)}…` : plain;
}

/** Whole days until it is over, rounded down: -1 on the first day after. */
export function daysUntil(untilMs: number, nowMs: number): number {
  return Math.floor((untilMs - nowMs) / DAY_MS);
}

const plainHost = (host: string) => host.toLowerCase().replace(/\.$/, '');

/** Whether it names the host that is dialed; this machine has several names for itself. */
export function namesHost({ hosts }: Certificate, host: string): boolean {
  const wanted = plainHost(host);
  const own = ['localhost', '127.0.0.1', '::1', '0:0:0:0:0:0:0:1', plainHost(hostname())];
  const good = isLoopback(wanted) ? [wanted, ...own] : [wanted];
  return hosts.some((each) => good.includes(plainHost(each)));
}

/** Whether it is the one that the site expects at this place. */
export function isOfPlace(certificate: Certificate, { endpoint, host }: CertificatePlace): boolean {
  if (host === null) return namesHost(certificate, hostOf(endpoint));
  return certificate.applicationUri === host || namesHost(certificate, host);
}

export interface Standing {
  /** When a person trusted it, by the wall clock of that time; null: nobody did. */
  readonly trustedAtMs: number | null;
  readonly nowMs: number;
}

/** Why it is not talked to; null when nothing speaks against it. */
export function refusalOf(
  certificate: Certificate,
  place: CertificatePlace,
  { trustedAtMs, nowMs }: Standing,
): Fault | null {
  const { fingerprint, bits, untilMs, fromMs } = certificate;
  const values = { endpoint: place.endpoint, fingerprint: shortOf(fingerprint) };
  if (bits === null || bits < RSA_BITS_MIN) {
    const detail = bilingual('trust-weak', { ...values, bits: bits ?? 0, least: RSA_BITS_MIN });
    return new Fault('opcua_certificate_weak', 'later', detail);
  }
  if (trustedAtMs === null) {
    const detail = bilingual('trust-unknown', { ...values, subject: certificate.subject });
    return new Fault('opcua_untrusted', 'later', detail);
  }
  if (!isOfPlace(certificate, place)) {
    const names = [...certificate.hosts, certificate.applicationUri ?? ''].filter(Boolean);
    const wanted = place.host ?? hostOf(place.endpoint);
    const detail = bilingual('trust-other-host', { ...values, wanted, names: names.join(', ') });
    return new Fault('opcua_certificate_host', 'later', detail);
  }
  // A clock before the day on which a person trusted it has not been set yet: it proves nothing.
  if (nowMs < trustedAtMs) return null;
  if (nowMs < fromMs) {
    const detail = bilingual('trust-not-yet', { ...values, from: dayOf(fromMs) });
    return new Fault('opcua_certificate_not_yet', 'later', detail);
  }
  if (nowMs > untilMs && place.expired === 'refuse') {
    const detail = bilingual('trust-expired', { ...values, until: dayOf(untilMs) });
    return new Fault('opcua_certificate_expired', 'later', detail);
  }
  return null;
}

/** What is enough to tell it from others; commands take as much. */
export const shortOf = (fingerprint: string) => fingerprint.slice(0, 16);

/** Day in UTC, as certificates have it. */
export const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
