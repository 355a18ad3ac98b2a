import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { InvalidInput } from '../../core/problems.ts';
import { seededRandom } from '../../core/random.ts';
import { openTrust } from '../links/opcua-trust.ts';
import { parseGateway } from './gateway.ts';
import { loadGateway, packagedProfiles } from './loader.ts';

const text = (link: string) => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${env:CLOUD}" }
links:
  plc:
    protocol: opcua
    kind: opcua
${link}devices: []
`;
const ENDPOINT = '    endpoint: "opc.tcp://10.0.0.1:4840"\n';

/** `line code` of each finding that stands in the way; empty where there is none. */
function wrong(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.findings
      .filter(({ severity }) => severity === 'error')
      .map(({ place, path, code }) => `${place?.line ?? path?.join('.')} ${code}`);
  }
  return [];
}
const parse = (link: string) => parseGateway(text(link), 'gateway.yaml', packagedProfiles());

test('a link that says only where has the defaults, protected', () => {
  expect(parse(ENDPOINT).links[0]).toMatchObject({
    security: { policy: 'Basic256Sha256', mode: 'SignAndEncrypt', host: null, expired: 'refuse' },
    identity: { kind: 'anonymous' },
    ...{ timeoutMs: 5_000, sessionTimeoutMs: 60_000, publishingMs: 500, keepAliveMs: 5_000 },
  });
  expect(parse(ENDPOINT).insecure.filter(({ en }) => en.includes('OPC UA'))).toEqual([]);
});

test('each thing that is wrong with a link is told where it stands', () => {
  const cases: readonly (readonly [link: string, found: readonly string[]])[] = [
    ['    endpoint: "http://10.0.0.1"\n', ['8 not-an-endpoint']],
    [`${ENDPOINT}    security: { policy: None }\n`, ['9 opcua-unprotected']],
    [`${ENDPOINT}    security: { policy: None, mode: Sign }\n`, ['9 opcua-policy-mode']],
    [`${ENDPOINT}    security: { mode: None }\n`, ['9 opcua-policy-mode']],
    [`${ENDPOINT}    identity: { user: ann, password: hunter2 }\n`, ['9 secret-inline']],
    [`${ENDPOINT}    publishing: 2s\n    keepalive: 1s\n`, ['10 opcua-keepalive-short']],
    [`${ENDPOINT}    session_timeout: 10s\n    keepalive: 4s\n`, ['9 opcua-session-short']],
  ];
  for (const [link, found] of cases)
    expect([link, wrong(() => parse(link))]).toEqual([link, found]);
});

test('what is unprotected because the file says so is said at every start', () => {
  const said = parse(
    `${ENDPOINT}    security: { policy: None }\n    insecure: true\n    identity: { user: ann, password: "\${env:PLC}" }\n`,
  ).insecure.map(({ en }) => en);
  expect(said.filter((en) => en.includes('opc.tcp://10.0.0.1:4840'))).toHaveLength(2);
  const expired = parse(`${ENDPOINT}    security: { expired: accept }\n`).insecure;
  expect(expired.filter(({ en }) => en.includes('opc.tcp://10.0.0.1:4840'))).toHaveLength(1);
});

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opcua-link-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function load(link: string, environment: Record<string, string> = {}) {
  const path = join(folder, 'gateway.yaml');
  writeFileSync(path, text(`${ENDPOINT}${link}`));
  return loadGateway(path, { environment: { CLOUD: 'c', ...environment } });
}

test('the password of a user is read from where it is kept, and is no part of the configuration', () => {
  const link = '    identity: { user: ann, password: "${env:PLC}" }\n';
  const { identities, config } = load(link, { PLC: 'hunter2' });
  expect(identities.get('plc')).toEqual({ kind: 'user', user: 'ann', password: 'hunter2' });
  expect(JSON.stringify(config)).not.toContain('hunter2');
  expect(wrong(() => load(link))).toEqual(['9 secret-missing']);
});

test('a user may show a certificate: both its files are read, and each is named when it is not there', async () => {
  const link = '    identity: { certificate: pki/user.pem, key: pki/user.key }\n';
  expect(wrong(() => load(link))).toEqual(['9 secret-missing', '9 secret-missing']);
  const trust = openTrust(systemClock, seededRandom(1), { folder, gateway: 'gw-1' });
  const own = await trust.own();
  writeFileSync(join(folder, 'user.der'), own.certificate);
  writeFileSync(join(folder, 'user.key'), own.privateKey, { mode: 0o600 });
  const { identities } = load('    identity: { certificate: user.der, key: user.key }\n');
  const identity = identities.get('plc');
  expect(identity?.kind).toBe('certificate');
  if (identity?.kind !== 'certificate') return;
  expect(Buffer.from(identity.certificate)).toEqual(Buffer.from(own.certificate));
  expect(identity.key.trim()).toBe(own.privateKey.trim());
}, 20_000);
