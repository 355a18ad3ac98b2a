import { expect, test } from 'vitest';
import { alert, cancel, NOON_MS, update } from '../../tests/warned.ts';
import { found, lint, xmllint } from '../../tests/xml-lint.ts';
import { capXml } from './cap.ts';
import { FEED_ENTRIES_MAX, type FeedEntry, feedXml } from './feed.ts';
import { BEIJING_OFFSET_MS, type Message } from './warning.ts';

const entry = (message: Message): FeedEntry => ({
  ...{ message, xml: capXml(message, BEIJING_OFFSET_MS), href: '/v1/warnings/wrn-1/cap' },
});
const feed = (entries: readonly FeedEntry[]) =>
  feedXml({
    ...{ title: 'Warnings & more', author: 'Lifeline centre', href: '/v1/warnings/feed' },
    ...{ updatedMs: NOON_MS, entries },
  });

test.skipIf(!xmllint)(
  'the feed parses: id, title, updated, and each entry with its CAP document inside',
  () => {
    const xml = feed([entry(update), entry(alert)]);
    expect(lint(xml)).toBe('');
    const at = (path: string) => found(xml, `/feed${path}`);
    expect(at('/id')).toBe('urn:lifeline:warnings');
    expect(at('/title')).toBe('Warnings & more');
    expect(at('/updated')).toBe('2026-11-22T04:00:00-00:00');
    expect(at('/author/name')).toBe('Lifeline centre');
    expect(at('/entry[1]/id')).toBe(`urn:lifeline:warning:alarm.example.org:${update.identifier}`);
    expect(at('/entry[1]/updated')).toBe('2026-11-22T04:10:00-00:00');
    expect(at('/entry[1]/link/@type')).toBe('application/cap+xml');
    expect(at('/entry[1]/content/alert/identifier')).toBe(update.identifier);
    expect(at('/entry[2]/content/alert/identifier')).toBe(alert.identifier);
    expect(at('/entry[2]/title')).toContain(alert.content.headline.zh);
  },
);

test('a feed of nothing is a feed, and one of too much says how much it leaves out', () => {
  expect(feed([])).not.toContain('<entry>');
  const many = feed(Array.from({ length: FEED_ENTRIES_MAX + 3 }, () => entry(cancel)));
  expect(many.match(/<entry>/g)).toHaveLength(FEED_ENTRIES_MAX);
  expect(many).toContain('<subtitle>3 older left out</subtitle>');
});
