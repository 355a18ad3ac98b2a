import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HEAD_ENTRIES, HEAD_EVERY_MS, headsFor, JournalHeads, LINES_MAX } from './journal-heads.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-heads-'));
  file = join(folder, 'journal-heads.jsonl');
});

afterEach(() => rmSync(folder, { recursive: true }));

const head = (seq: number) => ({ seq, hash: seq.toString(16).padStart(64, '0') });
const seqs = () => headsFor(folder, head(1)).heads.map(({ seq }) => seq);

test('a head is noted after a minute with new entries, or after a thousand of them, and never twice', () => {
  const heads = new JournalHeads(folder);
  expect(heads.tick(null, 0, 0)).toBe(false);
  expect(heads.tick(head(1), 0, 0)).toBe(true);
  expect(heads.tick(head(2), 0, HEAD_EVERY_MS - 1)).toBe(false);
  expect(heads.tick(head(2), 0, HEAD_EVERY_MS)).toBe(true);
  expect(heads.tick(head(2), 0, 3 * HEAD_EVERY_MS)).toBe(false);
  expect(heads.tick(head(1 + HEAD_ENTRIES), 0, 3 * HEAD_EVERY_MS)).toBe(false);
  expect(heads.tick(head(2 + HEAD_ENTRIES), 0, 3 * HEAD_EVERY_MS)).toBe(true);
  expect(new JournalHeads(folder).note(head(2 + HEAD_ENTRIES), 0)).toBe(false);
  expect(seqs()).toEqual([1, 2, 2 + HEAD_ENTRIES]);
});

test('a line that a power cut left unfinished costs that line and no other', () => {
  const heads = new JournalHeads(folder);
  heads.note(head(1), 0);
  appendFileSync(file, readFileSync(file, 'utf8').slice(0, 40));
  new JournalHeads(folder).note(head(3), 0);
  expect(headsFor(folder, head(3))).toMatchObject({ heads: [head(1), head(3)], flaws: [] });
});

test('a line that is no head is damage, and nothing noted of a journal with entries is too', () => {
  expect(headsFor(folder, null).flaws).toEqual([]);
  expect(headsFor(folder, head(1)).flaws).toMatchObject([{ kind: 'heads-missing' }]);
  writeFileSync(file, '{"seq":1,"hash":"12","at":"now"}\n');
  new JournalHeads(folder).note(head(2), 0);
  expect(headsFor(folder, head(2)).flaws).toEqual([{ kind: 'heads-damaged', seq: 1, through: 1 }]);
});

test('of very many lines the older half is left out', () => {
  const line = (seq: number) =>
    `{"seq":${seq},"hash":"${head(seq).hash}","at":"2026-01-01T00:00:00.000Z"}`;
  const lines = Array.from({ length: LINES_MAX + 1 }, (_, at) => line(at + 1));
  writeFileSync(file, `${lines.join('\n')}\n`);
  new JournalHeads(folder).note(head(LINES_MAX + 2), 0);
  const kept = seqs();
  expect(kept.length).toBeLessThan(LINES_MAX / 2 + 2);
  expect(kept.slice(-2)).toEqual([LINES_MAX + 1, LINES_MAX + 2]);
});
