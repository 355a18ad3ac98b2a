import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InvalidInput } from '../../core/problems.ts';
import { loadGateway } from './loader.ts';

const text = (credentials: string) => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "${credentials}" }
links: {}
devices: []
`;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function load(credentials: string, environment: Record<string, string> = {}) {
  const path = join(folder, 'gateway.yaml');
  writeFileSync(path, text(credentials));
  return loadGateway(path, { environment });
}

function putSecret(secret: string, mode = 0o600): void {
  mkdirSync(join(folder, 'secrets'));
  writeFileSync(join(folder, 'secrets', 'cloud'), secret);
  chmodSync(join(folder, 'secrets', 'cloud'), mode);
}

function codes(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof InvalidInput) return error.findings.map(({ code }) => code);
    throw error;
  }
  return [];
}

test('a secret comes from its file or the environment, and is no part of the configuration', () => {
  putSecret('s3cret-from-file\n');
  const fromFile = load('${secret:cloud}');
  expect(fromFile.secret).toBe('s3cret-from-file');
  expect(JSON.stringify(fromFile.config)).not.toContain('s3cret');
  expect(fromFile.config.outbox.folder).toBe(join(folder, 'outbox'));
  expect(fromFile.config.warnings).toEqual([]);
  expect(load('${env:CLOUD_SECRET}', { CLOUD_SECRET: 's3cret' }).secret).toBe('s3cret');
});

test('a secret that others may read is warned about', () => {
  putSecret('s3cret', 0o644);
  expect(load('${secret:cloud}').config.warnings.map(({ code }) => code)).toEqual([
    'secret-readable',
  ]);
});

test('a secret that is missing, empty, or written into the file is refused where it is named', () => {
  expect(codes(() => load('${secret:cloud}'))).toEqual(['secret-missing']);
  expect(codes(() => load('${env:CLOUD_SECRET}'))).toEqual(['secret-missing']);
  expect(codes(() => load('${env:CLOUD_SECRET}', { CLOUD_SECRET: '\n' }))).toEqual([
    'secret-unfit',
  ]);
  expect(codes(() => load('hunter2'))).toEqual(['secret-inline']);
});

test('a file that is not there is a fault with a code', () => {
  const missing = () => loadGateway(join(folder, 'none.yaml'), { environment: {} });
  expect(missing).toThrow(expect.objectContaining({ code: 'file_not_found' }));
});

test('two names of one serial port are one bus; a port that is not plugged in is no finding', () => {
  putSecret('s3cret');
  const [device, byId] = [join(folder, 'ttyUSB0'), join(folder, 'by-id')];
  writeFileSync(device, '');
  symlinkSync(device, byId);
  const path = join(folder, 'gateway.yaml');
  const withPorts = (a: string, b: string) => {
    const link = (port: string) => `{ protocol: modbus, kind: serial, port: ${port} }`;
    const links = `links:\n  a: ${link(a)}\n  b: ${link(b)}\n`;
    writeFileSync(path, text('${secret:cloud}').replace('links: {}\n', links));
    return codes(() => loadGateway(path, { environment: {} }));
  };
  expect(withPorts(device, byId)).toContain('same-port');
  expect(withPorts(device, device)).toContain('same-endpoint');
  expect(withPorts(device, device)).not.toContain('same-port');
  expect(withPorts(device, join(folder, 'another'))).toEqual([]);
});
