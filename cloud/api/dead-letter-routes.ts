// What could not be taken, for who looks after the gateways: which messages, whose, why, and how
// they begin. Dead letters belong to no asset, so a token with a scope does not see them.
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Journal } from '../alarms/journal.ts';
import type { InboxReader, KeptLetter } from '../inbox/reader.ts';
import type { Principal } from '../registry/registry.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import { iso } from './routes.ts';
import * as schemas from './schemas.ts';

export type LetterSource = Pick<InboxReader, 'deadLetters' | 'deadLetter'>;

function letterObject(letter: KeptLetter) {
  const { id, atMs, reason, detail, area, gateway, topic, epoch, sequence, readings } = letter;
  return {
    ...{ id, at: iso(atMs), reason, detail, area, gateway, topic },
    ...{ epoch, sequence, readings, size: letter.size },
    begins: Buffer.from(letter.bytes).toString('base64'),
  };
}

/** Who reads what a gateway sent is in the journal. */
export function deadLetterRoutes(clock: Clock, letters: LetterSource, journal: Journal): Route[] {
  const unscoped = ({ scope }: Principal) => {
    if (scope !== '') throw new Fault('api_forbidden', 'never', bilingual('api-letters-scope'));
  };
  return [
    route({
      method: 'GET',
      url: '/v1/dead-letters',
      right: 'administer',
      summary: 'Messages that could not be taken, the newest first, each with its first bytes',
      query: schemas.page,
      answer: schemas.listOf(schemas.deadLetter),
      handle: ({ query, principal }) => {
        unscoped(principal);
        const before = query.after === undefined ? undefined : Number(query.after);
        if (before !== undefined && !Number.isSafeInteger(before)) {
          const detail = bilingual('api-no-cursor', { after: query.after ?? '' });
          throw new Fault('api_bad_request', 'never', detail);
        }
        const found = letters.deadLetters(query.limit, before);
        const last = found.at(-1);
        return {
          items: found.map(letterObject),
          next: last && found.length === query.limit ? String(last.id) : null,
        };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/dead-letters/:id',
      right: 'administer',
      summary: 'One message that could not be taken, with all that is kept of it',
      params: schemas.params.deadLetter,
      answer: schemas.deadLetter,
      handle: ({ params, principal, from }) => {
        unscoped(principal);
        const letter = letters.deadLetter(params.id);
        if (letter) {
          const { reason, gateway, size } = letter;
          const act = { kind: 'dead-letter-read', who: principal.name, from, before: null };
          const after = { reason, gateway, size };
          journal.write({ ...act, atMs: clock.wallMs(), what: `dead-letter ${params.id}`, after });
          return letterObject(letter);
        }
        throw new Fault('api_not_found', 'never', bilingual('api-no-letter', { id: params.id }));
      },
    }),
  ];
}
