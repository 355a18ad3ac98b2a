import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { program } from '../../tests/programs.ts';
import type { CertificatePlace } from './certificate.ts';
import {
  CERTIFICATE_BYTES_MAX,
  daysUntil,
  firstOf,
  readCertificate,
  refusalOf,
} from './certificate.ts';
import { hostOf } from './place.ts';
import type { SelfSigned } from './self-signed.ts';
import { selfSigned } from './self-signed.ts';

const from = Date.UTC(2026, 0, 1);
const until = Date.UTC(2031, 0, 1);
const key = rsa(2048);

function rsa(modulusLength: number): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function made(over: Partial<SelfSigned> = {}): Uint8Array {
  return selfSigned({
    commonName: 'Pump station',
    applicationUri: 'urn:plc:pump-station',
    hosts: ['plc-7.plant.local', '10.0.0.7'],
    fromMs: from,
    untilMs: until,
    privateKey: key,
    serial: Uint8Array.of(0, 0x80, 1),
    ...over,
  });
}

const read = (over: Partial<SelfSigned> = {}) => readCertificate(made(over))!;
const place: CertificatePlace = {
  endpoint: 'opc.tcp://plc-7.plant.local:4840/a',
  host: null,
  expired: 'refuse',
};
const now = { trustedAtMs: from, nowMs: from + 1000 };

test('a certificate of ours says what was put into it, and is signed by its own key', () => {
  const der = made();
  expect(read()).toMatchObject({
    subject: 'CN=Pump station',
    issuer: 'CN=Pump station',
    isSelfSigned: true,
    applicationUri: 'urn:plc:pump-station',
    hosts: ['plc-7.plant.local', '10.0.0.7'],
    fromMs: from,
    untilMs: until,
    bits: 2048,
  });
  const x509 = new X509Certificate(der);
  expect(x509.verify(x509.publicKey)).toBe(true);
  expect(x509.ca).toBe(false);
});

test('a life beyond 2049 and a serial number of ones are written as RFC 5280 wants them', () => {
  const far = Date.UTC(2051, 5, 1);
  const der = made({ untilMs: far, serial: new Uint8Array(16).fill(0xff) });
  expect(readCertificate(der)).toMatchObject({ untilMs: far, fromMs: from });
  expect(new X509Certificate(der).serialNumber).toBe('F'.repeat(32));
});

const openssl = program('openssl');
test.skipIf(!openssl)('OpenSSL reads of it what an OPC UA server looks for', () => {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  try {
    const file = join(folder, 'own.der');
    writeFileSync(file, made());
    const words = ['x509', '-inform', 'DER', '-in', file, '-noout', '-text', '-purpose'];
    const text = execFileSync(openssl!, words, { encoding: 'utf8' });
    expect(text).toContain('Version: 3');
    expect(text).toContain('CA:FALSE');
    expect(text).toContain(
      'Digital Signature, Non Repudiation, Key Encipherment, Data Encipherment',
    );
    expect(text).toContain('TLS Web Client Authentication, TLS Web Server Authentication');
    expect(text).toMatch(/URI:urn:plc:pump-station, DNS:plc-7.plant.local, IP Address:10.0.0.7/);
    const pem = join(folder, 'own.pem');
    execFileSync(openssl!, ['x509', '-inform', 'DER', '-in', file, '-out', pem]);
    const at = String(Math.floor(from / 1000) + 60);
    const check = ['verify', '-attime', at, '-CAfile', pem, pem];
    expect(execFileSync(openssl!, check, { encoding: 'utf8' })).toContain('OK');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('nobody has looked at it: refused, whatever it says', () => {
  const fault = refusalOf(read(), place, { trustedAtMs: null, nowMs: from });
  expect(fault).toMatchObject({ code: 'opcua_untrusted', retry: 'later' });
});

test('trusted, of this host and in its time: talked to', () => {
  expect(refusalOf(read(), place, now)).toBeNull();
  const byAddress = { ...place, endpoint: 'opc.tcp://10.0.0.7:4840' };
  expect(refusalOf(read(), byAddress, now)).toBeNull();
  const shouted = { ...place, endpoint: 'opc.tcp://PLC-7.Plant.local.:4840' };
  expect(refusalOf(read(), shouted, now)).toBeNull();
});

test('trusted and of another host: refused, unless the site says the name it bears', () => {
  const moved = { ...place, endpoint: 'opc.tcp://10.0.0.8:4840' };
  expect(refusalOf(read(), moved, now)).toMatchObject({
    code: 'opcua_certificate_host',
    message: expect.stringContaining(
      'is for plc-7.plant.local, 10.0.0.7, urn:plc:pump-station, not for 10.0.0.8',
    ),
  });
  expect(refusalOf(read(), { ...moved, host: 'plc-7.plant.local' }, now)).toBeNull();
  expect(refusalOf(read(), { ...moved, host: 'urn:plc:pump-station' }, now)).toBeNull();
  const wrong = { ...place, host: 'urn:plc:other' };
  expect(refusalOf(read(), wrong, now)).toMatchObject({ code: 'opcua_certificate_host' });
});

test('this machine is known by its name, localhost and the loopback addresses', () => {
  const own = read({ hosts: [hostname()] });
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    expect(refusalOf(own, { ...place, endpoint: `opc.tcp://${host}:4840` }, now)).toBeNull();
  }
  const far = { ...place, endpoint: 'opc.tcp://10.0.0.9:4840' };
  expect(refusalOf(read({ hosts: ['localhost'] }), far, now)).toMatchObject({
    code: 'opcua_certificate_host',
  });
});

test('a certificate that is over is refused, unless the site takes it at this endpoint', () => {
  const late = { trustedAtMs: from, nowMs: until + 1 };
  expect(refusalOf(read(), place, late)).toMatchObject({ code: 'opcua_certificate_expired' });
  expect(refusalOf(read(), { ...place, expired: 'accept' }, late)).toBeNull();
  expect(refusalOf(read(), place, { ...late, nowMs: until - 1 })).toBeNull();
});

test('one that begins later is refused, but not by a clock that was never set', () => {
  const early = { trustedAtMs: from - 10, nowMs: from - 5 };
  expect(refusalOf(read(), place, early)).toMatchObject({ code: 'opcua_certificate_not_yet' });
  expect(refusalOf(read(), place, { ...early, nowMs: 0 })).toBeNull();
});

test('a key too short for any policy is refused even when it is trusted', () => {
  const weak = read({ privateKey: rsa(1024) });
  expect(refusalOf(weak, place, now)).toMatchObject({ code: 'opcua_certificate_weak' });
});

test('days are whole ones, and negative once it is over', () => {
  expect(daysUntil(until, until - 90 * 86_400_000)).toBe(90);
  expect(daysUntil(until, until - 1)).toBe(0);
  expect(daysUntil(until, until + 1)).toBe(-1);
});

test('names cannot pretend to be others, move the cursor, or fill a screen', () => {
  const { hosts, subject } = read({
    hosts: ['a, URI:urn:forged, DNS:b', `x${'y'.repeat(500)}`],
    commonName: 'Pump\u001b[2Jstation\u202e',
  });
  expect(hosts[0]).toBe('a, URI:urn:forged, DNS:b');
  expect(hosts[1]!.length).toBeLessThan(210);
  expect(read({ hosts: ['a, URI:urn:forged'] }).applicationUri).toBe('urn:plc:pump-station');
  expect(subject).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

test('a chain is read by its first certificate', () => {
  const chain = Buffer.concat([made(), made({ commonName: 'Authority' })]);
  expect(readCertificate(chain)?.subject).toBe('CN=Pump station');
});

test('whatever bytes come: a certificate or nothing, never an exception', () => {
  const good = made();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(good.length - 1), (noise, at) => {
      const bent = Uint8Array.from(good);
      bent.set(noise.subarray(0, Math.min(noise.length, bent.length - at)), at);
      for (const bytes of [noise, bent, good.subarray(0, at)]) {
        const facts = readCertificate(bytes);
        if (facts) expect(facts.fingerprint).toMatch(/^[0-9a-f]{64}$/);
      }
    }),
    { numRuns: 300 },
  );
  expect(readCertificate(new Uint8Array(1 << 20).fill(0x30))).toBeUndefined();
  const large = Uint8Array.of(0x30, 0x82, 0xff, 0xff, ...new Uint8Array(0xffff));
  expect(large.length).toBeGreaterThan(CERTIFICATE_BYTES_MAX);
  expect(firstOf(large)).toBeUndefined();
});

test('the host of an endpoint', () => {
  expect(hostOf('opc.tcp://plc-7:4840/a/b')).toBe('plc-7');
  expect(hostOf('opc.tcp://[fe80::1]:4840')).toBe('fe80::1');
  expect(hostOf('opc.tcp://10.0.0.7')).toBe('10.0.0.7');
});
