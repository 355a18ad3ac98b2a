// The trust list as a person works with it: the real program in a process of its own.
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import { seededRandom } from '../core/random.ts';
import { openTrust } from '../edge/links/opcua-trust.ts';
import type { CertificatePlace } from '../protocols/opcua/certificate.ts';
import { readCertificate } from '../protocols/opcua/certificate.ts';
import { selfSigned } from '../protocols/opcua/self-signed.ts';
import { program } from '../tests/programs.ts';
import { exit } from './verb.ts';

const root = join(import.meta.dirname, '..');
const dayMs = 86_400_000;
const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edge-trust-'));
  writeFileSync(
    join(folder, 'gateway.yaml'),
    `version: 1
gateway: { id: gw-7, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
pki: { folder: state/pki }
links: {}
devices: []
`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

function trust(action: string, ...args: string[]) {
  const words = [join(root, 'cli/main.ts'), 'edge', 'trust', action, 'gateway.yaml', ...args];
  const env = { ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '' };
  return spawnSync(process.execPath, words, { cwd: folder, env, encoding: 'utf8' });
}

function json(action: string, ...args: string[]) {
  const { stdout, stderr, status } = trust(action, ...args, '--json');
  expect(stderr).toBe('');
  expect(status).toBe(exit.done);
  return JSON.parse(stdout);
}

function certificate(hosts = ['plc-7'], untilMs = Date.now() + 100 * dayMs): Uint8Array {
  return selfSigned({
    ...{ commonName: 'Pump station', applicationUri: 'urn:plc:7', hosts, privateKey },
    ...{ fromMs: Date.now() - 200 * dayMs, untilMs, serial: Uint8Array.of(1, hosts.length) },
  });
}

const place: CertificatePlace = {
  endpoint: 'opc.tcp://10.0.0.7:4840',
  host: null,
  expired: 'refuse',
};

/** What a running gateway does when it meets a server. */
function meets(der: Uint8Array, at: CertificatePlace = place) {
  const pki = { folder: join(folder, 'state/pki'), gateway: 'gw-7' };
  return openTrust(new SimClock(Date.now()), seededRandom(1), pki).refusal(der, at)?.code ?? null;
}

test('from refused to trusted: the list names the command, and the command says what it did', () => {
  const der = certificate(['plc-7', '10.0.0.7']);
  expect(meets(der)).toBe('opcua_untrusted');
  const fingerprint = readCertificate(der)!.fingerprint.slice(0, 16);
  const listed = trust('list');
  expect(listed.status).toBe(exit.done);
  expect(listed.stdout).toMatch(
    new RegExp(`unknown +${fingerprint} .* CN=Pump station +opc.tcp://10.0.0.7:4840`),
  );
  expect(listed.stdout).toContain(`lifeline edge trust accept gateway.yaml ${fingerprint}`);
  const shown = trust('show', fingerprint);
  const { fingerprint256 } = new X509Certificate(der);
  expect(shown.stdout).toContain(fingerprint256);
  const accepted = trust('accept', fingerprint.slice(0, 8));
  expect(accepted.status).toBe(exit.done);
  expect(accepted.stdout).toContain(`trusted: CN=Pump station (${fingerprint})`);
  expect(accepted.stdout).not.toContain('security:');
  expect(meets(der)).toBeNull();
  expect(json('list').certificates).toMatchObject([{ state: 'trusted', hosts: expect.any(Array) }]);
  expect(trust('accept', fingerprint).stdout).toContain('trusted already');
  expect(json('reject', fingerprint)).toMatchObject({ state: 'refused' });
  expect(meets(der)).toBe('opcua_untrusted');
  expect(trust('remove', fingerprint).stdout).toContain('removed');
  expect(json('list').certificates).toEqual([]);
}, 60_000);

test('what the link must say as well is said when the certificate is accepted', () => {
  meets(certificate(['plc-7'], Date.now() - dayMs));
  const [{ fingerprint }] = json('list').certificates;
  const { stdout } = trust('accept', fingerprint);
  expect(stdout).toContain('{ host: "plc-7" }');
  expect(stdout).toContain('{ expired: accept }');
  expect(stdout).toContain('OVER');
});

test('a certificate that was carried here is trusted before its server was ever met', () => {
  const der = certificate(['10.0.0.7']);
  writeFileSync(join(folder, 'server.der'), der);
  expect(trust('accept', '--file', 'server.der').status).toBe(exit.done);
  expect(meets(der)).toBeNull();
  writeFileSync(join(folder, 'notes.txt'), 'hello');
  const wrong = trust('accept', '--file', 'notes.txt');
  expect(wrong.stderr).toContain('opcua_certificate_refused');
  expect(wrong.status).toBe(exit.notAllowed);
});

test('a slip of the finger decides nothing', () => {
  meets(certificate());
  for (const [args, status] of [
    [['accept', '12345'], exit.usage],
    [['accept'], exit.usage],
    [['acept', '12345678'], exit.usage],
    [['accept', '0'.repeat(64)], exit.notFound],
  ] as const) {
    expect(trust(args[0], ...args.slice(1)).status, args.join(' ')).toBe(status);
  }
  expect(json('list').certificates).toMatchObject([{ state: 'unknown' }]);
}, 60_000);

test('what lies among the certificates and is none is told beside the list', () => {
  meets(certificate());
  writeFileSync(join(folder, 'state/pki/rejected/\u001b[2J.pem'), Buffer.alloc(1 << 20));
  const { stdout, stderr, status } = trust('list');
  expect(status).toBe(exit.done);
  expect(stdout).toContain('CN=Pump station');
  expect(stderr).toContain('too large for a certificate');
  expect(stderr).not.toContain('\u001b');
});

const openssl = program('openssl');
test.skipIf(!openssl)(
  'the own certificate goes to the server as a file it can read',
  () => {
    expect(trust('own', '--out', 'gw-7.der').stdout).toContain('written: gw-7.der');
    expect(trust('own', '--out', 'gw-7.pem').status).toBe(exit.done);
    const print = (form: string, file: string) =>
      execFileSync(openssl!, ['x509', '-inform', form, '-in', file, '-noout', '-fingerprint'], {
        cwd: folder,
        encoding: 'utf8',
      });
    expect(print('DER', 'gw-7.der')).toBe(print('PEM', 'gw-7.pem'));
    expect(trust('own', '--out', 'gw-7.der').status).toBe(exit.conflict); // Nothing is overwritten.
  },
  60_000,
);

test('a renewed certificate is used from when a person says so, and the journal has it all', () => {
  const before = json('own');
  expect(before).toMatchObject({ applicationUri: 'urn:lifeline:gw-7', days: 1825 });
  const next = json('renew');
  expect(json('own').fingerprint).toBe(before.fingerprint);
  expect(json('list')).toMatchObject({ next: { fingerprint: next.fingerprint } });
  expect(trust('renew', '--use').stdout).toContain(next.fingerprint.slice(0, 16));
  expect(json('own').fingerprint).toBe(next.fingerprint);
  const journal = readFileSync(join(folder, 'state/pki/journal.jsonl'), 'utf8').trim().split('\n');
  const acts = journal.map((line) => JSON.parse(line));
  expect(acts.map(({ did }) => did)).toEqual(['made', 'prepared', 'taken-into-use']);
  for (const { who } of acts) expect(who.length).toBeGreaterThan(0);
}, 60_000);
