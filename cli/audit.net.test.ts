// The command as a person types it, over the registry of a cloud that does not run.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Registry } from '../cloud/registry/registry.ts';
import { systemRandom } from '../core/random.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const WALL = Date.UTC(2026, 0, 1);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-audit-'));
  withRegistry((registry) => {
    registry.enrolGateway('gas', 'gw-1', WALL);
    const who = { name: 'li', from: '10.0.0.7' };
    registry.issueToken({ name: 'desk', right: 'operate', scope: 'gas' }, WALL + 1, who);
    registry.revokeToken('desk', WALL + 2, who);
    registry.heads.note(registry.journal.head(), WALL);
  });
});

afterAll(() => rmSync(folder, { recursive: true }));

function withRegistry<T>(use: (registry: Registry) => T): T {
  const registry = new Registry(systemRandom, join(folder, 'registry'));
  try {
    return use(registry);
  } finally {
    registry.close();
  }
}

function audit(...args: string[]) {
  const env = { ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '', LIFELINE_URL: '' };
  const given = [main, 'audit', ...args, '--folder', folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, given, {
    ...{ cwd: folder, env, encoding: 'utf8' },
  });
  return { status, stdout, stderr };
}

test('the journal of a folder is listed, searched, shown and exported', () => {
  const listed = audit('list').stdout.trim().split('\n');
  expect(listed.map((line) => line.trim().split(/\s+/)[3])).toEqual([
    ...['token-revoked', 'token-issued', 'gateway-enrolled'],
  ]);
  const found = JSON.parse(audit('search', 'DESK', '--from', '2026-01-01', '--json').stdout);
  expect(found).toMatchObject([
    { kind: 'token-revoked', before: { right: 'operate', scope: 'gas' }, after: null },
    { kind: 'token-issued', who: 'li', from: '10.0.0.7', what: 'principal desk' },
  ]);
  expect(audit('show', '1').stdout).toContain('  + {"area":"gas"}');
  expect(audit('show', '9').status).toBe(4);
  expect(audit('show', 'x').status).toBe(2);
  expect(audit('list', '--from', 'yesterday').stderr).toContain('is no time');
  const file = join(folder, 'journal.jsonl');
  expect(audit('export', file).stderr).toContain('3 entries');
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { seq: 1, at_ms: WALL, before: 'null', after: '{"area":"gas"}' },
    { seq: 2 },
    { seq: 3, after: 'null' },
  ]);
  expect(audit('export', file).status).not.toBe(0);
});

test('a sound journal exits 0; a tampered one exits 1 and names the first entry, in both languages', () => {
  const head = audit('head').stdout.trim();
  expect(head).toMatch(/^3:[0-9a-f]{64}$/);
  expect(audit('verify', '--head', head)).toMatchObject({ status: 0 });
  expect(audit('verify', '--head', head.slice(0, 9)).status).toBe(2);
  withRegistry(({ database }) => {
    database.exec(`DROP TRIGGER alarm_journal_fixed;
      UPDATE alarm_journal SET who = 'wang' WHERE seq = 2`);
  });
  const changed = audit('verify');
  expect(changed.status).toBe(1);
  expect(changed.stdout).toContain('entry 2: not what was written');
  expect(audit('verify', '--lang', 'zh').stdout).toContain('第 2 条');
  withRegistry(({ database }) => {
    database.exec(`DROP TRIGGER alarm_journal_fixed; DROP TRIGGER alarm_journal_kept;
      UPDATE alarm_journal SET who = 'li' WHERE seq = 2; DELETE FROM alarm_journal WHERE seq = 3`);
  });
  const cut = JSON.parse(audit('verify', '--json').stdout);
  expect(cut).toMatchObject({
    ...{ sound: false, entries: 2 },
    flaws: [{ kind: 'unguarded' }, { kind: 'cut', seq: 3, through: 3 }],
  });
});

test('a folder without a journal is not found', () => {
  const given = [main, 'audit', 'verify', '--folder', join(folder, 'nothing')];
  const { status, stderr } = spawnSync(process.execPath, given, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([4, expect.stringContaining('journal_not_found')]);
});
