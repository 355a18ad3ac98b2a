import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seededRandom } from '../../core/random.ts';
import { InboxCore } from './core.ts';
import {
  DEAD_LETTER_BYTES_MAX,
  DEAD_LETTER_HEAD_BYTES,
  DEAD_LETTERS_MAX,
  type DeadLetter,
} from './dead-letters.ts';
import { InboxReader, LETTER_LIST_BYTES } from './reader.ts';

const letter = (sequence: number, bytes: Uint8Array): DeadLetter => ({
  ...{ atMs: 1, reason: 'corrupt', detail: '', area: 'east', gateway: 'gw-1', topic: 't' },
  ...{ epoch: '1-0000000000000000', sequence, readings: 3, checksum: 9, bytes },
});

test('dead letters are bounded in number and bytes, the oldest leave, and one record is one letter', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-inbox-'));
  const path = join(folder, 'inbox.sqlite');
  const inbox = new InboxCore(seededRandom(1), { path, bytesMax: 1e9 });
  inbox.begin();
  for (let at = 1; at <= DEAD_LETTERS_MAX + 50; at++)
    inbox.keepLetter(letter(at, new Uint8Array(8)));
  expect(inbox.letters).toBe(DEAD_LETTERS_MAX);
  expect(inbox.keepLetter(letter(DEAD_LETTERS_MAX, new Uint8Array(8)))).toBe(false);
  const huge = new Uint8Array(DEAD_LETTER_HEAD_BYTES * 2);
  const heads = DEAD_LETTER_BYTES_MAX / DEAD_LETTER_HEAD_BYTES;
  for (let at = 1; at <= heads + 5; at++) inbox.keepLetter(letter(100_000 + at, huge));
  expect(inbox.letters).toBeLessThanOrEqual(heads);
  inbox.commit();
  const reader = new InboxReader(path);
  const [newest] = reader.deadLetters(1);
  expect(newest?.size).toBe(huge.length);
  expect(newest?.bytes.length).toBe(LETTER_LIST_BYTES);
  expect(reader.deadLetter(newest!.id)?.bytes.length).toBe(DEAD_LETTER_HEAD_BYTES);
  expect(reader.deadLetters(2, newest!.id)[0]?.id).toBe(newest!.id - 1);
  expect(reader.deadLetter(newest!.id + 1)).toBeNull();
  reader.close();
  inbox.close();
  rmSync(folder, { recursive: true });
});
