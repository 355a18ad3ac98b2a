// The certificate by which a gateway is known to OPC UA servers: X.509 version 3 (RFC 5280), signed
// by its own key, with what Part 6, 6.2.2 asks of an application instance certificate: the
// application URI and the host as alternative names, the four key usages, client authentication.
// Written here in some eighty lines, so that a gateway has its certificate, and a person can carry
// it to the server, without loading the library that speaks the protocol.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { assert } from '../../core/fault.ts';

export interface SelfSigned {
  readonly commonName: string;
  readonly applicationUri: string;
  /** Names and IPv4 addresses. */
  readonly hosts: readonly string[];
  readonly fromMs: number;
  readonly untilMs: number;
  /** Of an RSA key, PKCS #8, PEM. */
  readonly privateKey: string;
  /** 16 random bytes: two certificates of a gateway never have the same number. */
  readonly serial: Uint8Array;
}

const sha256WithRsa = '1.2.840.113549.1.1.11';
const GENERALIZED_FROM_MS = Date.UTC(2050, 0, 1); // RFC 5280, 4.1.2.5.
/** digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment; keyCertSign: by itself. */
const KEY_USAGE = 0b1111_0100;

/** The certificate as DER. */
export function selfSigned(options: SelfSigned): Uint8Array {
  const key = createPrivateKey(options.privateKey);
  assert(key.asymmetricKeyType === 'rsa', 'the policies we speak want RSA');
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const algorithm = sequence(oid(sha256WithRsa), tlv(0x05));
  const name = sequence(tlv(0x31, sequence(oid('2.5.4.3'), utf8(options.commonName))));
  const body = sequence(
    tlv(0xa0, integer(Uint8Array.of(2))), // Version 3.
    integer(options.serial),
    algorithm,
    name,
    sequence(time(options.fromMs), time(options.untilMs)),
    name,
    publicKey,
    tlv(0xa3, sequence(...extensions(options, publicKey))),
  );
  return sequence(body, algorithm, bits(sign('sha256', body, key)));
}

function extensions({ applicationUri, hosts }: SelfSigned, publicKey: Uint8Array): Uint8Array[] {
  const id = createHash('sha1').update(publicKey).digest();
  const names = [tlv(0x86, Buffer.from(applicationUri)), ...hosts.map(hostName)];
  return [
    extension('2.5.29.19', sequence(), 'critical'), // Basic constraints: no authority.
    extension('2.5.29.15', tlv(0x03, Uint8Array.of(2, KEY_USAGE)), 'critical'),
    // Client, and server: some servers ask for both of whoever dials.
    extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.2'), oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.14', tlv(0x04, id)),
    extension('2.5.29.35', sequence(tlv(0x80, id))),
    extension('2.5.29.17', sequence(...names)),
  ];
}

function extension(id: string, value: Uint8Array, critical?: 'critical'): Uint8Array {
  const flag = critical ? [tlv(0x01, Uint8Array.of(0xff))] : [];
  return sequence(oid(id), ...flag, tlv(0x04, value));
}

function hostName(host: string): Uint8Array {
  if (!/^(\d{1,3}\.){3}\d{1,3}$/.test(host)) return tlv(0x82, Buffer.from(host));
  return tlv(0x87, Uint8Array.from(host.split('.').map(Number)));
}

// --- Distinguished encoding rules (X.690) ---

function tlv(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  assert(length < 0x1_0000, 'a certificate of ours is small');
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...size), content]);
}

const sequence = (...parts: readonly Uint8Array[]) => tlv(0x30, ...parts);
const utf8 = (text: string) => tlv(0x0c, Buffer.from(text));
const bits = (bytes: Uint8Array) => tlv(0x03, Uint8Array.of(0), bytes);

/** Never negative, and as short as can be. */
function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const rest = first === -1 ? Uint8Array.of(0) : bytes.subarray(first);
  return rest[0]! & 0x80 ? tlv(0x02, Uint8Array.of(0), rest) : tlv(0x02, rest);
}

function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      digits.unshift((left & 0x7f) | 0x80);
    }
    return digits;
  });
  return tlv(0x06, Uint8Array.from(bytes));
}

function time(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, ''); // 20260131080000Z
  if (ms >= GENERALIZED_FROM_MS) return tlv(0x18, Buffer.from(digits));
  return tlv(0x17, Buffer.from(digits.slice(2)));
}
