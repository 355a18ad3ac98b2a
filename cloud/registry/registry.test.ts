import { pbkdf2Sync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemRandom } from '../../core/random.ts';
import { Registry, secretHash } from './registry.ts';

let folder: string;
let registry: Registry;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-registry-'));
  registry = new Registry(systemRandom, folder);
});

afterEach(() => {
  registry.close();
  rmSync(folder, { recursive: true });
});

test('a gateway secret has 256 bits, is made anew for each, and is kept only as a hash', () => {
  const secret = registry.enrolGateway('gas', 'gw-1', 0);
  expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  expect(registry.enrolGateway('gas', 'gw-2', 0)).not.toBe(secret);
  expect(registry.credentials()[0]).toEqual({
    name: 'gw-1',
    sha256: secretHash(secret),
    role: 'gateway',
    area: 'gas',
  });
  registry.database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  expect(readFileSync(join(folder, 'registry.sqlite')).includes(secret)).toBe(false);
});

test('beside the hash stands the form Mosquitto compares, made while the secret is known', () => {
  const secret = registry.enrolGateway('gas', 'gw-1', 0);
  const [, , rounds, salt, hash] = registry.mosquittoGateways()[0]!.password!.split('$');
  const again = pbkdf2Sync(secret, Buffer.from(salt!, 'base64'), Number(rounds), 64, 'sha512');
  expect(hash).toBe(again.toString('base64'));
  registry.enrolGateway('gas', 'gw-1', 0);
  expect(registry.mosquittoGateways()[0]!.password).not.toContain(hash);
});

test('a registry of before Mosquitto passwords opens, and its gateways have none', () => {
  registry.enrolGateway('gas', 'gw-1', 0);
  registry.database.exec('ALTER TABLE gateways DROP COLUMN mosquitto');
  registry.close();
  registry = new Registry(systemRandom, folder);
  expect(registry.mosquittoGateways()).toEqual([{ id: 'gw-1', area: 'gas', password: null }]);
  expect(registry.credentials()).toHaveLength(1);
});

test('nobody is named like a gateway: what is done at gateways is recorded so', () => {
  const issue = (name: string) => registry.issueToken({ name, right: 'control', scope: '' }, 0);
  for (const name of ['gateway:chen', 'gateway gw-1', 'Gateway']) {
    expect(() => issue(name)).toThrow(expect.objectContaining({ code: 'registry_bad_name' }));
  }
  expect(issue('gateways-desk')).not.toBe('');
});

test('the file is readable by its owner only', () => {
  expect(statSync(join(folder, 'registry.sqlite')).mode & 0o777).toBe(0o600);
});

test('nothing is default: a new registry knows no gateway and no principal', () => {
  expect(registry.gateways()).toEqual([]);
  expect(registry.principals()).toEqual([]);
  expect(registry.authenticate('')).toBeNull();
});

test('a token names its principal until it is revoked or made anew', () => {
  const first = registry.issueToken({ name: 'desk', right: 'operate', scope: 'gas' }, 0);
  expect(registry.authenticate(first)).toEqual({ name: 'desk', right: 'operate', scope: 'gas' });
  const second = registry.issueToken({ name: 'desk', right: 'read', scope: '' }, 0);
  expect(registry.authenticate(first)).toBeNull();
  expect(registry.authenticate(second)?.right).toBe('read');
  expect(registry.revokeToken('desk', 1)).toBe(true);
  expect(registry.authenticate(second)).toBeNull();
});

test('an id that is no id, or the name of the cloud itself, is refused', () => {
  for (const id of ['', 'Gw', 'a/b', 'cloud', '+', 'x'.repeat(65)]) {
    expect(() => registry.enrolGateway('gas', id, 0)).toThrow(/not a valid/);
  }
});

test('what another process enrols is noticed, once', () => {
  registry.changedElsewhere();
  expect(registry.changedElsewhere()).toBe(false);
  registry.enrolGateway('gas', 'gw-1', 0);
  expect(registry.changedElsewhere()).toBe(false);
  const other = new Registry(systemRandom, folder);
  other.enrolGateway('gas', 'gw-2', 0);
  other.close();
  expect(registry.changedElsewhere()).toBe(true);
  expect(registry.changedElsewhere()).toBe(false);
});
