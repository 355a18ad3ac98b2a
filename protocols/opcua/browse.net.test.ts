// Browsing against a server that listens.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { draftOfBrowsed } from '../../device-profiles/opcua-draft.ts';
import { checkProfile } from '../../device-profiles/profile.ts';
import type { SimulatedOpcUa } from '../../simulators/opcua-server.ts';
import { openOpcUaServer } from '../../simulators/opcua-server.ts';
import type { BrowseOptions } from './browse.ts';
import { browse } from './browse.ts';
import { openConnection } from './connection.ts';
import { loadLibrary } from './library.ts';
import { placeDefaults } from './place.ts';
import { selfSigned } from './self-signed.ts';

const COILS = 1_050; // More than a server is asked for at once.
let folder = '';
let server: SimulatedOpcUa;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'opcua-browse-'));
  server = await openOpcUaServer({
    ...{ host: '127.0.0.1', port: 0, pkiFolder: folder },
    namespaces: { ps: 'urn:example:pump-station', v: 'http://vendor.example/UA/Valves' },
    limits: { maxNodesPerBrowse: 40, maxNodesPerRead: 150 },
    nodes: [
      {
        ...{ path: 'ps:Station/ps:Level', type: 'double', value: 1.5, unit: 'm', range: [0, 10] },
        historizing: true,
      },
      { path: 'ps:Station/ps:Pump&/1/ps:Pressure', type: 'float', value: 4.25, unit: 'bar' },
      { path: 'ps:Station/ps:Pump&/1/ps:Speed', type: 'uint16', value: 40, writable: true },
      { path: 'ps:Station/ps:Energy', type: 'int64', value: 123_456_789_012n, unit: 'MWh' },
      { path: 'ps:Station/ps:Phases', type: 'float', value: [1, 2, 3], unit: 'A' },
      { path: 'ps:Station/ps:Name', type: 'string', value: '\u001b[2JNorth' },
      { path: 'ps:Station/v:Valve', type: 'boolean', value: true },
      ...Array.from({ length: COILS }, (_, at) => ({
        ...{ path: `ps:Many/ps:Coil${at}`, type: 'boolean' as const, value: at % 2 === 0 },
      })),
    ],
    methods: [{ path: 'ps:Station/ps:Start', inputs: [{ name: 'Speed', type: 'double' }] }],
    alarms: [{ path: 'ps:Station/ps:LevelHigh', source: 'ps:Station/ps:Level', high: 9 }],
  });
}, 60_000);
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string;
const certificate = selfSigned({
  ...{ commonName: 'Test', applicationUri: 'urn:test', hosts: ['test'], privateKey },
  ...{ fromMs: Date.now() - 1000, untilMs: Date.now() + 86_400_000, serial: Uint8Array.of(1) },
});

async function look(options: Partial<BrowseOptions> = {}) {
  const own = { certificate, privateKey, applicationUri: 'urn:test', untilMs: 0 };
  const { signal } = new AbortController();
  const connection = await openConnection(
    systemClock,
    await loadLibrary(),
    {
      ...placeDefaults,
      endpoint: server.endpoint,
      security: {
        ...{ policy: 'Basic256Sha256', mode: 'SignAndEncrypt', host: null, expired: 'refuse' },
      },
      identity: { kind: 'anonymous' },
      trust: { own: async () => own, refusal: () => null },
      timeoutMs: 20_000,
      limits: {},
    },
    null,
    signal,
  );
  try {
    const all = { under: null, search: null, depth: 10, nodesMax: 20_000 };
    return await browse(systemClock, connection, { ...all, ...options }, signal);
  } finally {
    await connection.close();
  }
}

test('a variable has its path, type, value, unit and range, and what may be done with it', async () => {
  const { nodes, namespaces, ended } = await look({ under: 'pump-station:Station' });
  expect(ended).toBeNull();
  expect(namespaces).toMatchObject({
    'pump-station': 'urn:example:pump-station',
    valves: 'http://vendor.example/UA/Valves',
  });
  const at = (path: string) => nodes.find((node) => node.path === path);
  expect(at('pump-station:Station/pump-station:Level')).toMatchObject({
    ...{ kind: 'variable', id: 'pump-station:s=Station.Level', depth: 1 },
    variable: {
      ...{ type: 'double', value: '1.5', unit: 'm', range: [0, 10], status: 'Good' },
      ...{ isWritable: false, isHistorizing: true, isArray: false },
    },
  });
  expect(
    at('pump-station:Station/pump-station:Pump&/1/pump-station:Speed')?.variable,
  ).toMatchObject({ type: 'uint16', value: '40', isWritable: true });
  expect(at('pump-station:Station/pump-station:Energy')?.variable).toMatchObject({
    ...{ type: 'int64', value: '123456789012', isArray: false },
  });
  expect(at('pump-station:Station/pump-station:Phases')?.variable).toMatchObject({
    ...{ type: 'float', value: '[1, 2, 3]', isArray: true },
  });
  expect(at('pump-station:Station/pump-station:Name')?.variable?.value).toBe('[2JNorth');
  expect(at('pump-station:Station/pump-station:Start')).toMatchObject({
    ...{ kind: 'method', inputs: [{ name: 'Speed', type: 'double' }] },
  });
});

test('a condition is told as one, without its forty variables; what every server has is left out', async () => {
  const { nodes } = await look({ search: 'levelhigh', depth: 3 });
  const conditions = nodes.filter(({ kind }) => kind === 'condition');
  expect(conditions.map(({ path }) => path)).toEqual([
    'pump-station:Station/pump-station:LevelHigh',
  ]);
  expect(nodes.some(({ path }) => path.includes('LevelHigh/'))).toBe(false);
  expect(nodes.some(({ path }) => /^(Server|Aliases)/.test(path))).toBe(false);
  const server = await look({ under: 'Server', depth: 1 });
  expect(server.nodes.some(({ path }) => path === 'Server/ServerStatus')).toBe(true);
});

test('a folder larger than one answer is read to its end, by continuation points', async () => {
  const { nodes, ended } = await look({ under: 'pump-station:Many' });
  expect(nodes).toHaveLength(COILS);
  expect(new Set(nodes.map(({ path }) => path)).size).toBe(COILS);
  expect(nodes.every(({ variable }) => variable?.type === 'boolean')).toBe(true);
  expect(ended).toBeNull();
}, 30_000);

test('at a bound it ends with what it has, and says so', async () => {
  const few = await look({ nodesMax: 50 });
  expect(few.nodes.length).toBeLessThanOrEqual(50);
  expect(few.ended).toBe('nodes');
  const flat = await look({ depth: 1 });
  expect(flat.nodes.map(({ path }) => path)).toEqual(['pump-station:Station', 'pump-station:Many']);
  expect(flat.ended).toBe('depth');
});

test('a search keeps what leads to a match', async () => {
  const { nodes } = await look({ search: 'PRESSURE', under: 'pump-station:Station' });
  expect(nodes.map(({ path }) => path)).toEqual([
    'pump-station:Station/pump-station:Pump&/1',
    'pump-station:Station/pump-station:Pump&/1/pump-station:Pressure',
  ]);
});

test('a path that leads nowhere is a fault with a name', async () => {
  await expect(look({ under: 'pump-station:Nothing' })).rejects.toMatchObject({
    code: 'opcua_node_not_found',
  });
  await expect(look({ under: 'a::b//' })).rejects.toMatchObject({ code: 'opcua_node_not_found' });
});

test('the draft of what was browsed is a right profile but for what only a person knows', async () => {
  const browsed = await look({ under: 'pump-station:Station' });
  const id = 'draft/station';
  const draft = draftOfBrowsed(browsed, { id, endpoint: server.endpoint, language: 'en' });
  const { profile, problems } = checkProfile(draft.yaml, 'station.yaml');
  expect(problems.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(profile?.points.map((point) => point.id)).toEqual(
    expect.arrayContaining(['level', 'pressure', 'speed', 'energy', 'phases', 'valve']),
  );
  expect(draft.left).toBe(1); // The name is a text.
  const level = profile?.points.find((point) => point.id === 'level');
  expect(level?.definition).toMatchObject({ unit: 'm', range: [0, 10] });
  // A unit with a factor: MWh of the server, kW.h here.
  expect(profile?.points.find((point) => point.id === 'energy')?.definition).toMatchObject({
    ...{ unit: 'kW.h', scale: 1000 },
  });
  expect(problems.findings.some(({ code }) => code === 'placeholder-left')).toBe(true);
});
