// `npm start` as a newcomer runs it, in processes of its own, on a data folder of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verify } from '../cloud/alarms/journal.ts';
import { openJournalFile } from '../cloud/registry/journal-file.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
let data: string;

beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'lifeline-demo-'));
});

afterAll(() => rmSync(data, { recursive: true, force: true }));

interface Summary {
  readonly due: number;
  readonly taken: number;
  readonly missed: number;
  readonly unchanged: number;
  readonly givenUp: number;
  readonly stored: number;
  readonly served: number;
  readonly restarts: number;
  readonly crashed: number;
  readonly epochsEnded: number;
  readonly alarms: {
    readonly raised: number;
    readonly accepted: number;
    readonly confirmed: number;
  };
  readonly steps: Record<string, number | string> | null;
}

interface Run {
  readonly status: number | null;
  readonly summary: Summary;
  readonly said: string;
}

/** Runs the demo; `onLine` sees each line of stderr as it comes. */
function demo(seconds: number, onLine: (line: string) => void = () => {}): Promise<Run> {
  const args = [join(root, 'cli', 'main.ts'), 'demo', '--seconds', `${seconds}`, '--json'];
  const child = spawn(process.execPath, [...args, '--data', data], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LANG: 'C', LC_ALL: '' },
  });
  let out = '';
  let said = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    for (const line of String(chunk).split('\n')) onLine(line);
    said += chunk;
  });
  return new Promise((resolve) => {
    child.once('close', (status) => {
      const summary = JSON.parse(out.trim().split('\n').at(-1) ?? '{}');
      resolve({ status, summary, said });
    });
  });
}

function balances({ due, taken, missed, stored, unchanged, givenUp }: Summary): void {
  expect(due).toBe(taken + missed);
  expect(taken).toBe(stored + unchanged + givenUp);
}

test('a fresh city raises, delivers and confirms alarms, and its account balances', async () => {
  const { status, summary, said } = await demo(40);
  expect(said).toMatch(/live after \d/);
  balances(summary);
  expect([summary.missed, summary.givenUp]).toEqual([0, 0]);
  expect(summary.taken).toBeGreaterThan(1_000);
  expect(summary.served).toBeGreaterThanOrEqual(summary.taken);
  expect(summary.alarms.raised).toBeGreaterThanOrEqual(1);
  expect(summary.alarms.confirmed).toBe(summary.alarms.raised);
  expect(summary.steps).toMatchObject({ changed: 0 });
  expect(status).toBe(0);
}, 120_000);

test('what the demo keeps secret only its owner can read', () => {
  for (const name of ['access.json', 'secrets/gw-gas', 'secrets/desk', 'secrets/demo-token']) {
    expect(statSync(join(data, name)).mode & 0o077, name).toBe(0);
  }
  const { token } = JSON.parse(readFileSync(join(data, 'access.json'), 'utf8'));
  for (const name of ['cloud', 'gw-gas', 'gw-water', 'gw-bridge', 'desk', 'city']) {
    expect(readFileSync(join(data, 'logs', `${name}.log`), 'utf8')).not.toContain(token);
  }
});

test('the cloud killed in the middle loses nothing, and the same data goes on', async () => {
  let killed = 0;
  const { status, summary } = await demo(45, (line) => {
    const pid = /^cloud\s+process (\d+)/.exec(line)?.[1];
    if (pid && killed++ === 0) setTimeout(() => process.kill(Number(pid), 'SIGKILL'), 12_000);
  });
  expect(summary.restarts).toBe(1);
  balances(summary);
  expect([summary.missed, summary.givenUp]).toEqual([0, 0]);
  expect(summary.alarms.confirmed).toBe(summary.alarms.raised);
  expect(summary.alarms.raised).toBeGreaterThanOrEqual(1);
  expect(status).toBe(0);
}, 120_000);

test('the journal of a cloud that was killed and started again is sound, to the heads noted beside it', async () => {
  const { journal, heads, close } = openJournalFile(join(data, 'cloud'));
  const noted = heads(journal.head());
  const verdict = await verify(journal, noted.heads, noted.flaws, async () => {});
  close();
  expect(verdict.flaws).toEqual([]);
  expect(verdict.heads).toBeGreaterThanOrEqual(3);
  expect(noted.heads.at(-1)).toEqual(verdict.head);
});

test('a gateway killed in the middle is told as a gap, and the account is in order', async () => {
  let killed = 0;
  const { status, summary, said } = await demo(45, (line) => {
    const pid = /^gw-gas\s+process (\d+)/.exec(line)?.[1];
    if (pid && killed++ === 0) setTimeout(() => process.kill(Number(pid), 'SIGKILL'), 12_000);
  });
  expect([summary.restarts, summary.epochsEnded]).toEqual([1, 1]);
  balances(summary);
  expect(summary.crashed).toBeGreaterThan(0);
  expect([summary.missed, summary.givenUp]).toEqual([0, summary.crashed]);
  expect(said).toContain('the account balances');
  // What nobody watched at its register has no time of reading.
  expect(said).not.toContain('read 0.00 s');
  expect(status).toBe(0);
}, 120_000);
