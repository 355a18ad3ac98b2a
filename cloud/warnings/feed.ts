// The messages in force as an Atom feed (RFC 4287), the newest first: each entry holds the CAP
// document itself, and a link to it.
//
// A Cancel stands in it until it expires, so that who looks every few minutes is told; what it
// cancels does not. The bytes depend on the messages alone: who asks again with the ETag of before
// is answered 304 until one of them changes.
import { CAP_TYPE } from './cap.ts';
import type { Message } from './warning.ts';
import { capTime } from './warning.ts';
import { cleaned, document, element, undeclared } from './xml.ts';

export const FEED_TYPE = 'application/atom+xml';
/** Beyond it the oldest are left out, and the subtitle says so: some 1.5 MB of feed. */
export const FEED_ENTRIES_MAX = 200;

export interface FeedEntry {
  readonly message: Message;
  readonly xml: string;
  /** Path or address of the document alone. */
  readonly href: string;
}

export interface Feed {
  readonly title: string;
  readonly author: string;
  /** Of the feed itself. */
  readonly href: string;
  /** When it last became other than it was. */
  readonly updatedMs: number;
  /** The newest first. */
  readonly entries: readonly FeedEntry[];
}

export function feedXml(feed: Feed): string {
  const { title, author, href, updatedMs } = feed;
  const entries = feed.entries.slice(0, FEED_ENTRIES_MAX);
  const left = feed.entries.length - entries.length;
  const root = [
    element('id', 'urn:lifeline:warnings'),
    element('title', cleaned(title)),
    ...(left > 0 ? [element('subtitle', `${left} older left out`)] : []),
    element('updated', capTime(updatedMs, 0)),
    element('author', [element('name', cleaned(author) || '-')]),
    element('link', [], { rel: 'self', type: FEED_TYPE, href }),
    ...entries.map(entryOf),
  ];
  return document(element('feed', root, { xmlns: 'http://www.w3.org/2005/Atom' }));
}

function entryOf({ message, xml, href }: FeedEntry) {
  const { sender, identifier, sentMs, type, status, content } = message;
  const urn = `urn:lifeline:warning:${encodeURIComponent(sender)}:${encodeURIComponent(identifier)}`;
  const { zh, en } = content.headline;
  return element('entry', [
    element('id', urn),
    element('title', [zh, en].map(cleaned).filter(Boolean).join(' / ') || '-'),
    element('updated', capTime(sentMs, 0)),
    element('category', [], { term: type }),
    element('category', [], { term: status }),
    element('link', [], { rel: 'alternate', type: CAP_TYPE, href }),
    element('content', { document: undeclared(xml) }, { type: CAP_TYPE }),
  ]);
}
