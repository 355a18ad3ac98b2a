// The trust list against a server that listens: what a link does when it meets a certificate.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { isFault } from '../../core/fault.ts';
import { seededRandom } from '../../core/random.ts';
import { openConnection } from '../../protocols/opcua/connection.ts';
import { loadLibrary } from '../../protocols/opcua/library.ts';
import type { OpcuaPlace } from '../../protocols/opcua/place.ts';
import { placeDefaults } from '../../protocols/opcua/place.ts';
import type { OpcUaServerOptions, SimulatedOpcUa } from '../../simulators/opcua-server.ts';
import { openOpcUaServer } from '../../simulators/opcua-server.ts';
import { listTrust, openTrust, refuse, trust } from './opcua-trust.ts';

let folder = '';
let server: SimulatedOpcUa | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opcua-trust-'));
});
afterEach(async () => {
  await server?.close();
  server = null;
  rmSync(folder, { recursive: true });
});

const pki = () => join(folder, 'pki');
const anna = () => ({ who: 'anna', atMs: Date.now() });

async function listens(options: Partial<OpcUaServerOptions> = {}): Promise<SimulatedOpcUa> {
  server = await openOpcUaServer({
    host: '127.0.0.1',
    port: 0,
    pkiFolder: join(folder, 'server'),
    namespaces: { ps: 'urn:example:pump-station' },
    nodes: [{ path: 'ps:PumpStation/ps:Level', type: 'double', value: 1.5 }],
    ...options,
  });
  return server;
}

/** One attempt of a link: null when it has a session, else the code of the fault. */
async function attempt(security: Partial<OpcuaPlace['security']> = {}): Promise<string | null> {
  const place: OpcuaPlace = {
    ...placeDefaults,
    endpoint: server!.endpoint,
    security: {
      policy: 'Basic256Sha256',
      mode: 'SignAndEncrypt',
      host: null,
      expired: 'refuse',
      ...security,
    },
    identity: { kind: 'anonymous' },
    trust: openTrust(systemClock, seededRandom(1), { folder: pki(), gateway: 'gw-7' }),
    timeoutMs: 20_000,
    limits: {},
  };
  const { signal } = new AbortController();
  try {
    const library = await loadLibrary();
    const connection = await openConnection(systemClock, library, place, null, signal);
    await connection.close();
    return null;
  } catch (error) {
    if (!isFault(error)) throw error;
    return error.code;
  }
}

test('an unknown server is refused before a session, listed, trusted by a person, and connects', async () => {
  const { counts } = await listens();
  expect(await attempt()).toBe('opcua_untrusted');
  expect(await attempt()).toBe('opcua_untrusted');
  expect(counts['createSession']).toBeUndefined();
  const { known } = listTrust(pki());
  expect(known).toMatchObject([
    {
      state: 'unknown',
      endpoint: server!.endpoint,
      certificate: { applicationUri: 'urn:lifeline:simulated-opcua-server', hosts: ['127.0.0.1'] },
    },
  ]);
  trust(pki(), known[0]!, anna());
  expect(await attempt()).toBeNull();
  expect(counts['createSession']).toBe(1);
  refuse(pki(), listTrust(pki()).known[0]!, anna());
  expect(await attempt()).toBe('opcua_untrusted');
  expect(counts['createSession']).toBe(1);
}, 60_000);

test('a trusted certificate of another host is refused, until the site says which name it bears', async () => {
  await listens({ certificate: { hosts: ['plc-7.plant.local'], applicationUri: 'urn:plc:7' } });
  await attempt();
  trust(pki(), listTrust(pki()).known[0]!, anna());
  expect(await attempt()).toBe('opcua_certificate_host');
  expect(await attempt({ host: 'plc-8.plant.local' })).toBe('opcua_certificate_host');
  expect(await attempt({ host: 'plc-7.plant.local' })).toBeNull();
  expect(await attempt({ host: 'urn:plc:7' })).toBeNull();
}, 60_000);

test('a certificate that is over is refused even when trusted, unless the site takes it', async () => {
  await listens({ certificate: { fromDays: -400, days: 365 } });
  await attempt();
  trust(pki(), listTrust(pki()).known[0]!, anna());
  expect(await attempt()).toBe('opcua_certificate_expired');
  expect(await attempt({ expired: 'accept' })).toBeNull();
}, 60_000);

test('a server takes the certificate that the gateway made, under every policy', async () => {
  await listens({ clients: 'listed' });
  await attempt();
  trust(pki(), listTrust(pki()).known[0]!, anna());
  expect(await attempt()).toBe('opcua_refused'); // Not yet on the list of the server.
  const own = await openTrust(systemClock, seededRandom(1), {
    folder: pki(),
    gateway: 'gw-7',
  }).own();
  await server!.trust('client', Buffer.from(own.certificate));
  for (const policy of [
    'Basic256Sha256',
    'Aes128_Sha256_RsaOaep',
    'Aes256_Sha256_RsaPss',
  ] as const) {
    expect(await attempt({ policy }), policy).toBeNull();
  }
}, 60_000);
