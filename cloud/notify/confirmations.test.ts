import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { seededRandom } from '../../core/random.ts';
import { openJournal } from '../alarms/journal.ts';
import { sampleDelivery } from './channels/channel.contract.ts';
import { Confirmations, LINK_PATH, type LinkSettings, TOKEN_PATTERN } from './confirmations.ts';
import type { Delivery } from './notifier.ts';

const opened: DatabaseSync[] = [];
afterEach(() => {
  for (const database of opened.splice(0)) database.close();
});

const HOUR_MS = 3_600_000;
const nowMs = sampleDelivery().queuedMs;
const settings: LinkSettings = { publicUrl: 'https://alarm.example', linkValidMs: 2 * HOUR_MS };

function open(known?: DatabaseSync, seed = 1) {
  const database = known ?? new DatabaseSync(':memory:');
  if (!known) opened.push(database);
  return { database, confirmations: new Confirmations(seededRandom(seed), database, settings) };
}
const those =
  (...deliveries: readonly Delivery[]) =>
  (number: number) =>
    deliveries.find((each) => each.number === number) ?? null;

test('a token is good for its delivery until it ends, and after a restart', () => {
  const { database, confirmations } = open();
  const delivery = sampleDelivery({ number: 281_474_976_710_655 });
  const token = confirmations.token(delivery, nowMs + HOUR_MS, nowMs);
  expect(token).toMatch(TOKEN_PATTERN);
  const again = open(database, 2).confirmations;
  const kindAt = (atMs: number) => again.check(token, atMs, those(delivery)).kind;
  expect(kindAt(nowMs)).toBe('valid');
  expect(kindAt(nowMs + HOUR_MS - 1_000)).toBe('valid');
  expect(kindAt(nowMs + HOUR_MS)).toBe('expired');
});

test('whatever bit of a token is changed, it is wrong', () => {
  const { confirmations } = open();
  const number = fc.integer({ min: 1, max: 2 ** 48 - 1 });
  fc.assert(
    fc.property(
      number,
      fc.nat(27 * 8 - 1),
      fc.integer({ min: 2_000, max: 24 * HOUR_MS }),
      (number, bit, validMs) => {
        const delivery = sampleDelivery({ number });
        const token = confirmations.token(delivery, nowMs + validMs, nowMs);
        const bytes = Buffer.from(token, 'base64url');
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        // Every number is a delivery: nothing but the signature tells them apart.
        const found = (other: number) => ({ ...delivery, number: other });
        const kindOf = (text: string) => confirmations.check(text, nowMs, found).kind;
        return kindOf(token) === 'valid' && kindOf(bytes.toString('base64url')) === 'wrong';
      },
    ),
  );
});

test('a token can be written in one way only, and no other text is one', () => {
  const { confirmations } = open();
  const delivery = sampleDelivery();
  const kindOf = (text: string) => confirmations.check(text, nowMs, () => delivery).kind;
  const token = confirmations.token(delivery, nowMs + HOUR_MS, nowMs);
  expect(kindOf(token)).toBe('valid');
  for (const other of [`${token}=`, ` ${token}`, `${token}\n`, token.slice(1), `${token}A`, '']) {
    expect(kindOf(other)).toBe('wrong');
  }
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), (text) => text === token || kindOf(text) === 'wrong'),
  );
});

test('the token of one delivery confirms no other, nor a later one under its number', () => {
  const { confirmations } = open();
  const own = sampleDelivery({ number: 1 });
  const token = confirmations.token(own, nowMs + HOUR_MS, nowMs);
  const kindFor = (delivery: Delivery | null) =>
    confirmations.check(token, nowMs, () => delivery).kind;
  expect(kindFor(own)).toBe('valid');
  expect(kindFor({ ...own, receiver: 'other' })).toBe('wrong');
  expect(kindFor({ ...own, id: 'fedcba9876543210fedcba9876543210.raised' })).toBe('wrong');
  expect(kindFor(null)).toBe('wrong');
});

test('a new key ends every link that is out, and stands in the journal without itself', () => {
  const { database, confirmations } = open();
  const journal = openJournal(database);
  const delivery = sampleDelivery();
  const kindOf = (text: string) => confirmations.check(text, nowMs, those(delivery)).kind;
  const before = confirmations.token(delivery, nowMs + HOUR_MS, nowMs);
  confirmations.rotate(nowMs, journal, { name: 'zhang', from: 'console' });
  const after = confirmations.token(delivery, nowMs + HOUR_MS, nowMs);
  expect([kindOf(before), kindOf(after)]).toEqual(['wrong', 'valid']);
  const [entry] = journal.list({}, { order: 'oldest', after: null, limit: 10 }).entries;
  expect(entry).toMatchObject({ kind: 'link-key-made', who: 'zhang', after: { key: 2 } });
});

test('the link of a try is equal to that of the try before, and never about to end', () => {
  const { confirmations } = open();
  const delivery = sampleDelivery();
  const linkAt = (ms: number) => confirmations.linkOf(delivery, ms) ?? '';
  expect(linkAt(nowMs)).toBe(linkAt(nowMs + 10 * 60_000));
  const later = nowMs + 26 * HOUR_MS;
  expect(linkAt(later)).not.toBe(linkAt(nowMs));
  const [, token = ''] = linkAt(later).split(LINK_PATH);
  const kindAt = (atMs: number) => confirmations.check(token, atMs, those(delivery)).kind;
  expect(kindAt(later + 1.74 * HOUR_MS)).toBe('valid');
  expect(kindAt(later + 2 * HOUR_MS)).toBe('expired');
  const { database } = open();
  const without = { ...settings, publicUrl: null };
  const none = new Confirmations(seededRandom(1), database, without);
  expect(none.linkOf(delivery, nowMs)).toBeNull();
});
