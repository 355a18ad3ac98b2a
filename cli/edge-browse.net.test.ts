// Browsing as a person does it: refused, trusted, shown, drafted. The real program in a process of
// its own, against a server that listens.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SimulatedOpcUa } from '../simulators/opcua-server.ts';
import { openOpcUaServer } from '../simulators/opcua-server.ts';
import { exit } from './verb.ts';

const root = join(import.meta.dirname, '..');
let folder = '';
let server: SimulatedOpcUa;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edge-browse-'));
  server = await openOpcUaServer({
    ...{ host: '127.0.0.1', port: 0, pkiFolder: join(folder, 'server') },
    namespaces: { ps: 'urn:example:pump-station' },
    nodes: [
      {
        ...{ path: 'ps:Station/ps:Level', type: 'double', value: 1.5, unit: 'm', range: [0, 10] },
        writable: true,
      },
    ],
  });
}, 60_000);
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function edge(...words: string[]) {
  const env = { ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '', XDG_CONFIG_HOME: folder };
  const args = [join(root, 'cli/main.ts'), 'edge', ...words];
  const child = spawn(process.execPath, args, { cwd: folder, env });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { stdout, stderr, status: await ended };
}

test('an unknown server is refused, the command it names trusts it, and then it is shown and drafted', async () => {
  const refused = await edge('browse', server.endpoint);
  expect(refused.status).toBe(exit.notAllowed);
  expect(refused.stderr).toContain('opcua_untrusted');
  expect(refused.stdout).toContain('urn:lifeline:simulated-opcua-server');
  const [, command = ''] = /lifeline edge (trust accept .*)$/m.exec(refused.stderr) ?? [];
  expect((await edge(...command.split(' '))).stdout).toContain('trusted: ');
  const shown = await edge('browse', server.endpoint, '--profile', 'station.yaml');
  expect(shown.status).toBe(exit.done);
  expect(shown.stdout).toContain('pump-station = urn:example:pump-station');
  expect(shown.stdout).toMatch(/pump-station:Level +double +1\.5 m +0\.\.10 +writable/);
  expect(shown.stderr).toContain('lifeline profile check station.yaml');
  const again = await edge('browse', server.endpoint, '--profile', 'station.yaml', '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ endpoint: server.endpoint, ended: null });
  expect(again.status).toBe(exit.conflict); // The draft that somebody has filled in stays.
}, 60_000);

test('what was typed wrong, and a server that is not there', async () => {
  expect((await edge('browse', 'http://plc')).status).toBe(exit.usage);
  expect((await edge('browse', server.endpoint, '--depth', '0')).status).toBe(exit.usage);
  expect((await edge('browse', server.endpoint, '--policy', 'Basic256')).status).toBe(exit.usage);
  expect((await edge('browse', server.endpoint, '--user', 'anna')).status).toBe(exit.usage);
  expect((await edge('browse', 'opc.tcp://127.0.0.1:1')).status).toBe(exit.noAnswer);
}, 60_000);

test('a server that does not offer None is not read without protection', async () => {
  const { status, stderr } = await edge('browse', server.endpoint, '--insecure');
  expect(status).not.toBe(exit.done);
  expect(stderr).toContain('insecure:');
}, 60_000);

const gatewayFile = (link: string) => `version: 1
gateway: { id: gw-7, area: east, name: { en: Seven, zh: 七号 } }
cloud: { url: mqtt://127.0.0.1:1, credentials: "\${secret:cloud}" }
outbox: { folder: outbox, size: 64MiB }
links: { plc: { protocol: opcua, kind: opcua, ${link} } }
devices:
  - { id: station, link: plc, profile: generic/pump-station@1 }
`;

test('with a gateway file a server is met as its link meets it: same user, same protection', async () => {
  const locked = await openOpcUaServer({
    ...{ host: '127.0.0.1', port: 0, pkiFolder: join(folder, 'locked') },
    ...{ namespaces: { ps: 'urn:example:pump-station' }, users: { gateway: 'over the hill' } },
    nodes: [{ path: 'ps:Station/ps:Level', type: 'double', value: 1.5 }],
  });
  try {
    const identity = 'identity: { user: gateway, password: "${secret:plc}" }';
    const security = 'security: { policy: Aes256_Sha256_RsaPss }';
    const link = `endpoint: "${locked.endpoint}", ${identity}, ${security}`;
    writeFileSync(join(folder, 'gateway.yaml'), gatewayFile(link));
    const browse = (...more: string[]) =>
      edge('browse', locked.endpoint, '--gateway', 'gateway.yaml', ...more);
    const missing = await browse();
    expect(missing.status).toBe(exit.invalid);
    expect(missing.stderr).toContain('secrets/plc');
    mkdirSync(join(folder, 'secrets'), { recursive: true });
    writeFileSync(join(folder, 'secrets', 'plc'), 'over the hill\n', { mode: 0o600 });
    const [, command = ''] =
      /lifeline edge (trust accept .*)$/m.exec((await browse()).stderr) ?? [];
    expect((await edge(...command.split(' '))).status).toBe(exit.done);
    const shown = await browse();
    expect(shown.status).toBe(exit.done);
    expect(shown.stderr).toContain('link plc');
    expect(shown.stderr).toContain('Aes256_Sha256_RsaPss, SignAndEncrypt, with user and password');
    expect(shown.stdout).toContain('Level');
    writeFileSync(join(folder, 'wrong'), 'under the hill', { mode: 0o600 });
    const wrong = await browse('--user', 'gateway', '--password-file', 'wrong');
    expect(wrong.status).not.toBe(exit.done);
  } finally {
    await locked.close();
  }
}, 60_000);

test('a server that offers None only is read with --insecure, and with nothing else', async () => {
  const open = await openOpcUaServer({
    ...{ host: '127.0.0.1', port: 0, pkiFolder: join(folder, 'open') },
    ...{ namespaces: { ps: 'urn:example:pump-station' }, securityPolicies: ['None'] },
    nodes: [{ path: 'ps:Station/ps:Level', type: 'double', value: 1.5 }],
  });
  try {
    const refused = await edge('browse', open.endpoint);
    expect(refused.status).not.toBe(exit.done);
    expect(refused.stderr).toContain('--insecure');
    const shown = await edge('browse', open.endpoint, '--insecure');
    expect(shown.status).toBe(exit.done);
    expect(shown.stderr).toContain('insecure:');
    expect(shown.stdout).toContain('Level');
  } finally {
    await open.close();
  }
}, 60_000);
