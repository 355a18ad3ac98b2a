// What the API offers of the journal: who did what from where, what was before and after; whether
// its chain is whole; its newest entry, to be kept elsewhere. What is in it belongs to no asset but
// for the entries of an alarm: a token with a scope sees those of the alarms it sees.
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Head, Verdict } from '../alarms/chain.ts';
import type { Journal, JournalEntry } from '../alarms/journal.ts';
import { verify } from '../alarms/journal.ts';
import type { NotedHeads } from '../registry/journal-heads.ts';
import type { Principal } from '../registry/registry.ts';
import * as schemas from './journal-schemas.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import { iso } from './routes.ts';
import { listOf } from './schemas.ts';

export interface JournalSources {
  readonly journal: Journal;
  /** Reads what was noted beside the journal, whose newest entry is given. */
  readonly heads: (newest: Head | null) => NotedHeads;
  /** Throws a Fault unless there is such an alarm and the principal sees it. */
  readonly seeAlarm: (occurrence: string, principal: Principal) => void;
}

/** The end of the year 9999; what a forger wrote may lie beyond. */
const TIME_MS_MAX = Date.UTC(9999, 11, 31);

function entryObject({ atMs, before, after, ...entry }: JournalEntry) {
  const at = iso(Math.min(Math.max(atMs, 0), TIME_MS_MAX));
  return { ...entry, at, at_ms: atMs, before: before ?? null, after: after ?? null };
}

function unscoped({ scope }: Principal): void {
  if (scope !== '') throw new Fault('api_forbidden', 'never', bilingual('api-journal-scope'));
}

export function journalRoutes(clock: Clock, sources: JournalSources): Route[] {
  const { journal, seeAlarm } = sources;
  return [
    route({
      method: 'GET',
      url: '/v1/journal',
      right: 'read',
      summary: 'Who did what and what the machine decided; the oldest first unless asked otherwise',
      problems: [404],
      query: schemas.journalQuery,
      answer: listOf(schemas.journalEntry),
      handle: ({ query, principal }) => {
        const { alarm, what, who, kind, from, to, order, limit } = query;
        if (alarm !== undefined) seeAlarm(alarm, principal);
        else unscoped(principal);
        const named = alarm ?? what;
        const filter = {
          ...(named !== undefined && { what: named }),
          ...(who !== undefined && { who }),
          ...(kind !== undefined && { kind }),
          ...(from !== undefined && { fromMs: Date.parse(from) }),
          ...(to !== undefined && { toMs: Date.parse(to) }),
        };
        const { entries, next } = journal.list(filter, { order, after: cursorOf(query), limit });
        return { next: next === null ? null : String(next), items: entries.map(entryObject) };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/journal/head',
      right: 'read',
      summary: 'The newest entry by number and hash: kept elsewhere, it fixes everything up to it',
      answer: schemas.journalHead,
      handle: ({ principal }) => {
        unscoped(principal);
        return { head: journal.head() };
      },
    }),
    verifyRoute(clock, sources),
    route({
      method: 'GET',
      url: '/v1/journal/:seq',
      right: 'read',
      summary: 'One entry',
      params: schemas.journalParams,
      answer: schemas.journalEntry,
      handle: ({ params, principal }) => {
        unscoped(principal);
        const entry = journal.get(params.seq);
        if (entry) return entryObject(entry);
        throw new Fault('api_not_found', 'never', bilingual('api-no-entry', { seq: params.seq }));
      },
    }),
  ];
}

// One at a time: who asks meanwhile gets the answer of the one that runs, unless it brings a head.
function verifyRoute(clock: Clock, { journal, heads }: JournalSources): Route {
  const never = new AbortController().signal;
  const turn = () => clock.sleep(0, never);
  let running: Promise<unknown> = Promise.resolve();
  const verified = (head: Head | null): Promise<Verdict> => {
    const next = running.then(async () => {
      // What is noted while the entries are gone through may be of entries behind the last.
      const noted = heads(journal.head());
      const all = head ? [...noted.heads, head] : noted.heads;
      return verify(journal, all, noted.flaws, turn);
    });
    running = next.catch(() => {});
    return next;
  };
  return route({
    method: 'GET',
    url: '/v1/journal/verify',
    right: 'administer',
    summary: 'Whether any entry was changed, taken out, put in, moved or cut off',
    query: schemas.verifyQuery,
    answer: schemas.journalVerdict,
    handle: async ({ query, principal }) => {
      unscoped(principal);
      const { flaws, ...verdict } = await verified(headOf(query.head));
      return { sound: flaws.length === 0, ...verdict, flaws: [...flaws] };
    },
  });
}

function headOf(text: string | undefined): Head | null {
  const [seq, hash] = (text ?? '').split(':');
  return seq && hash ? { seq: Number(seq), hash } : null;
}

function cursorOf({ after }: { readonly after?: string | undefined }): number | null {
  if (after === undefined) return null;
  const seq = Number(after);
  if (Number.isSafeInteger(seq)) return seq;
  throw new Fault('api_bad_request', 'never', bilingual('api-no-cursor', { after }));
}
