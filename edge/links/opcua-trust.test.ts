import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { seededRandom } from '../../core/random.ts';
import type { CertificatePlace } from '../../protocols/opcua/certificate.ts';
import { DAY_MS, readCertificate } from '../../protocols/opcua/certificate.ts';
import { selfSigned } from '../../protocols/opcua/self-signed.ts';
import { program } from '../../tests/programs.ts';
import { OWN_YEARS, ownCertificate, prepareNext, readNext, readOwn, useNext } from './opcua-own.ts';
import { JOURNAL_BYTES_MAX, nextFiles, note, ownFiles, pemBlock } from './opcua-pki.ts';
import {
  findKnown,
  isFingerprint,
  listTrust,
  openTrust,
  REJECTED_ENDPOINT_MAX,
  REJECTED_MAX,
  refuse,
  remove,
  trust,
} from './opcua-trust.ts';

const startMs = Date.UTC(2026, 10, 22);
const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string;
const place: CertificatePlace = {
  endpoint: 'opc.tcp://plc:4840',
  host: null,
  expired: 'refuse',
};
const anna = { who: 'anna', atMs: startMs + 1000 };

let folder = '';
let clock = new SimClock(startMs);
const random = seededRandom(7);
const opened = () => openTrust(clock, random, { folder, gateway: 'gw-7' });

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'trust-')), 'pki');
  clock = new SimClock(startMs);
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

let serial = 0;
function shown(commonName = 'Pump station', hosts = ['plc']): Uint8Array {
  serial += 1;
  return selfSigned({
    ...{ commonName, hosts, applicationUri: `urn:plc:${serial}`, privateKey },
    ...{ fromMs: startMs - DAY_MS, untilMs: startMs + 100 * DAY_MS },
    serial: Uint8Array.of(serial >> 8, serial & 0xff, 1),
  });
}

test('a server nobody knows is refused and listed; a person trusts it, and it is talked to', () => {
  const der = shown();
  const gateway = opened();
  expect(gateway.refusal(der, place)).toMatchObject({ code: 'opcua_untrusted' });
  const [waiting] = listTrust(folder).known;
  expect(waiting).toMatchObject({
    ...{ state: 'unknown', endpoint: 'opc.tcp://plc:4840', firstSeenMs: startMs },
    certificate: { subject: 'CN=Pump station', hosts: ['plc'] },
  });
  trust(folder, waiting!, anna);
  expect(gateway.refusal(der, place)).toBeNull();
  expect(listTrust(folder).known).toMatchObject([
    { state: 'trusted', endpoint: 'opc.tcp://plc:4840', decided: anna },
  ]);
  const lines = readFileSync(join(folder, 'journal.jsonl'), 'utf8').trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    {
      ...{ at: '2026-11-22T00:00:01.000Z', who: 'anna', did: 'trusted' },
      ...{ fingerprint: waiting?.certificate.fingerprint, endpoint: 'opc.tcp://plc:4840' },
    },
  ]);
});

test('what a person refuses is not talked to any more, and is told apart from what is new', () => {
  const der = shown();
  const gateway = opened();
  gateway.refusal(der, place);
  const trusted = trust(folder, listTrust(folder).known[0]!, anna);
  const refused = refuse(folder, trusted, { ...anna, who: 'bert' });
  expect(refused.state).toBe('refused');
  expect(gateway.refusal(der, place)).toMatchObject({
    code: 'opcua_untrusted',
    message: expect.stringContaining('refused by a person'),
  });
  expect(listTrust(folder).known).toMatchObject([{ state: 'refused', decided: { who: 'bert' } }]);
  remove(folder, refused, anna);
  expect(listTrust(folder).known).toEqual([]);
  expect(gateway.refusal(der, place)?.message).toContain('nobody has looked at');
});

test('a certificate put into the folder by hand is trusted, as DER and as PEM', () => {
  const [one, two] = [shown(), shown()];
  listTrust(folder);
  mkdirSync(join(folder, 'trusted/certs'), { recursive: true });
  writeFileSync(join(folder, 'trusted/certs/one.der'), one);
  writeFileSync(join(folder, 'trusted/certs/two.crt'), pemBlock(two));
  expect(opened().refusal(one, place)).toBeNull();
  expect(opened().refusal(two, place)).toBeNull();
  // Taking it away takes every copy.
  copyFileSync(join(folder, 'trusted/certs/one.der'), join(folder, 'trusted/certs/copy.der'));
  const known = findKnown(listTrust(folder), readCertificate(one)!.fingerprint.slice(0, 20));
  refuse(folder, known, anna);
  expect(opened().refusal(one, place)).toMatchObject({ code: 'opcua_untrusted' });
});

test('one that lies in both folders was trusted, and its decision cut short', () => {
  const der = shown();
  opened().refusal(der, place);
  const [known] = listTrust(folder).known;
  const before = readFileSync(known!.file);
  trust(folder, known!, anna);
  writeFileSync(known!.file, before);
  expect(listTrust(folder).known).toMatchObject([{ state: 'trusted' }]);
});

test('who shows a new certificate each time fills no disk, and pushes out no other server', () => {
  const gateway = opened();
  const other = { ...place, endpoint: 'opc.tcp://other:4840' };
  gateway.refusal(shown('Other'), other);
  for (let at = 0; at < REJECTED_ENDPOINT_MAX + 15; at += 1) {
    clock.stepWall(1000);
    gateway.refusal(shown(`Attempt ${at}`), place);
  }
  const { known } = listTrust(folder);
  expect(known.filter(({ endpoint }) => endpoint === place.endpoint)).toHaveLength(
    REJECTED_ENDPOINT_MAX,
  );
  expect(known[0]?.certificate.subject).toBe(`CN=Attempt ${REJECTED_ENDPOINT_MAX + 14}`);
  expect(known.some(({ certificate }) => certificate.subject === 'CN=Other')).toBe(true);
  for (let at = 0; at < REJECTED_MAX + 5; at += 1) {
    clock.stepWall(1000);
    gateway.refusal(shown(), { ...place, endpoint: `opc.tcp://plc-${at}:4840` });
  }
  expect(readdirSync(join(folder, 'rejected'))).toHaveLength(REJECTED_MAX);
}, 30_000);

test('what is no certificate is listed as such and harms nothing beside it', () => {
  const der = shown();
  opened().refusal(der, place);
  const rejected = join(folder, 'rejected');
  writeFileSync(join(rejected, 'garbage.der'), Uint8Array.of(0x30, 0x82, 0x01));
  writeFileSync(join(rejected, 'empty.pem'), '');
  writeFileSync(join(rejected, 'large.pem'), Buffer.alloc(1 << 20, 'A'));
  writeFileSync(join(rejected, 'bent.pem'), pemBlock(der.map((byte, at) => (at > 8 ? 0 : byte))));
  writeFileSync(join(rejected, 'header.pem'), 'Decided: \u001b[2J by \u0000\n-----BEGIN');
  mkdirSync(join(rejected, 'folder'));
  symlinkSync('/dev/zero', join(rejected, 'endless'));
  symlinkSync(join(folder, 'nowhere'), join(rejected, 'dangling'));
  const { known, unreadable } = listTrust(folder);
  expect(known).toMatchObject([{ state: 'unknown', certificate: { subject: 'CN=Pump station' } }]);
  expect(unreadable.map(({ file, why }) => [file.slice(rejected.length + 1), why]).sort()).toEqual([
    ['bent.pem', 'no-certificate'],
    ['dangling', 'unreadable'],
    ['empty.pem', 'no-certificate'],
    ['endless', 'unreadable'],
    ['folder', 'unreadable'],
    ['garbage.der', 'no-certificate'],
    ['header.pem', 'no-certificate'],
    ['large.pem', 'too-large'],
  ]);
});

test('a server that shows no certificate at all is refused and nothing is kept of it', () => {
  const fault = opened().refusal(new Uint8Array(1 << 20), place);
  expect(fault).toMatchObject({ code: 'opcua_certificate_refused' });
  expect(listTrust(folder).known).toEqual([]);
});

test('a common name leads no file out of the folder', () => {
  opened().refusal(shown('../../../../tmp/evil'), place);
  expect(readdirSync(join(folder, 'rejected'))[0]).toMatch(
    /^[_A-Za-z0-9 -]+\[[0-9a-f]{40}\]\.pem$/,
  );
});

test('where the folder cannot be read, nobody is believed', () => {
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(folder, 'trusted'));
  writeFileSync(join(folder, 'trusted/certs'), 'a file where a folder should be');
  expect(opened().refusal(shown(), place)).toMatchObject({ code: 'pki_unusable' });
});

test('a fingerprint is taken as people type it, when it is enough to tell', () => {
  const der = shown();
  opened().refusal(der, place);
  const { fingerprint } = readCertificate(der)!;
  const typed = fingerprint.slice(0, 12).toUpperCase().match(/../g)!.join(':');
  expect(isFingerprint(typed)).toBe(true);
  expect(findKnown(listTrust(folder), typed).certificate.fingerprint).toBe(fingerprint);
  expect(isFingerprint(fingerprint.slice(0, 7))).toBe(false);
  expect(isFingerprint('pump-station')).toBe(false);
  expect(() => findKnown(listTrust(folder), '0'.repeat(64))).toThrow(
    expect.objectContaining({ code: 'certificate_not_found' }),
  );
});

test('the gateway has its own certificate from the first time it is asked, and keeps it', async () => {
  const own = await opened().own();
  expect(own.applicationUri).toBe('urn:lifeline:gw-7');
  expect(own.untilMs - startMs).toBe((OWN_YEARS * 365 + 1) * DAY_MS);
  expect(await opened().own()).toMatchObject({ certificate: own.certificate });
  expect(statSync(ownFiles(folder).privateKey).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, 'own/private')).mode & 0o777).toBe(0o700);
  expect(readFileSync(join(folder, 'journal.jsonl'), 'utf8').match(/"did":"made"/g)).toHaveLength(
    1,
  );
});

test('two that need it at once get the same', async () => {
  const both = await Promise.all([1, 2, 3].map(() => opened().own()));
  expect(new Set(both.map(({ privateKey: key }) => key)).size).toBe(1);
  const made = both.map(({ certificate }) => readCertificate(certificate)?.fingerprint);
  expect(new Set(made).size).toBe(1);
  expect(readdirSync(join(folder, 'own/private'))).toEqual(['private_key.pem']);
}, 30_000);

test('a new certificate is made beside the old one, and used when a person says so', async () => {
  const first = await ownCertificate(clock, random, { folder, gateway: 'gw-7' });
  clock.stepWall(30 * DAY_MS);
  const renewal = { folder, gateway: 'gw-7', who: 'anna' } as const;
  const next = await prepareNext(clock, random, { ...renewal, key: 'keep' });
  expect(next.privateKey).toBe(first.privateKey);
  expect(next.untilMs).toBe(first.untilMs + 30 * DAY_MS);
  expect(readOwn(folder)?.facts.fingerprint).toBe(first.facts.fingerprint);
  const other = await prepareNext(clock, random, { ...renewal, key: 'new' });
  expect(other.privateKey).not.toBe(first.privateKey);
  expect(other.applicationUri).toBe(first.applicationUri);
  useNext(clock, folder, 'anna');
  expect(readOwn(folder)?.facts.fingerprint).toBe(other.facts.fingerprint);
  expect(readNext(folder)).toBeNull();
  expect(() => useNext(clock, folder, 'anna')).toThrow(
    expect.objectContaining({ code: 'certificate_not_found' }),
  );
  expect(statSync(ownFiles(folder).privateKey).mode & 0o777).toBe(0o600);
});

test('a power cut between the new key and its certificate is mended by itself', async () => {
  await ownCertificate(clock, random, { folder, gateway: 'gw-7' });
  const renewal = { folder, gateway: 'gw-7', who: 'anna', key: 'new' } as const;
  const next = await prepareNext(clock, random, renewal);
  renameSync(nextFiles(folder).privateKey, ownFiles(folder).privateKey);
  expect(() => readOwn(folder)).toThrow();
  const own = await opened().own();
  expect(own.certificate).toEqual(next.certificate);
  expect(existsSync(nextFiles(folder).certificate)).toBe(false);
});

test.each([
  ['another key', () => writeFileSync(ownFiles(folder).privateKey, privateKey)],
  ['no key', () => rmSync(ownFiles(folder).privateKey)],
  ['a damaged key', () => writeFileSync(ownFiles(folder).privateKey, 'garbage')],
  ['a damaged certificate', () => writeFileSync(ownFiles(folder).certificate, 'garbage')],
])('with %s nothing is made in its place: a person must decide', async (_, damage) => {
  await ownCertificate(clock, random, { folder, gateway: 'gw-7' });
  damage();
  await expect(opened().own()).rejects.toMatchObject({ code: 'opcua_own_certificate' });
});

test('the journal keeps its size', () => {
  const act = { ...anna, did: 'trusted', subject: 'x'.repeat(5_000), endpoint: null } as const;
  listTrust(folder);
  mkdirSync(folder, { recursive: true });
  for (let at = 0; at < 450; at += 1) note(folder, { ...act, fingerprint: `${at}` });
  for (const name of ['journal.jsonl', 'journal.1.jsonl']) {
    expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(JOURNAL_BYTES_MAX);
  }
  expect(readFileSync(join(folder, 'journal.jsonl'), 'utf8')).toContain('"fingerprint":"449"');
});

const openssl = program('openssl');
test.skipIf(!openssl)('other tools read what is kept here, lines before the block and all', () => {
  const der = shown();
  opened().refusal(der, place);
  const { file, certificate } = listTrust(folder).known[0]!;
  const words = ['x509', '-in', file, '-noout', '-fingerprint', '-sha256'];
  const text = execFileSync(openssl!, words, { encoding: 'utf8' });
  expect(text.replaceAll(':', '').toLowerCase()).toContain(certificate.fingerprint);
});
