// Where a receiver says later, in its own word, what becomes of what it was sent. A token that is
// bound to a receiver speaks for that one alone; one that operates speaks for all receivers of a
// notification, as a desk does. A token that says what it cannot know is refused, and that stands
// in the journal: it was copied, or a receiver is confused about who it is.
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Journal } from '../alarms/journal.ts';
import { DELIVERIES_LIST_MAX } from '../notify/ledger.ts';
import { occurrenceOf } from '../notify/notifier.ts';
import type { Pipeline } from '../notify/pipeline.ts';
import type { Principal } from '../registry/registry.ts';
import { rights } from '../registry/registry.ts';
import type { FindAlarm } from './alarm-routes.ts';
import { Pace } from './pace.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import * as schemas from './schemas.ts';

/** Of one token: a program that is wrong without end must not fill the journal. */
export const REFUSALS_JOURNALLED_PER_HOUR = 20;
const HOUR_MS = 3_600_000;

export interface ConfirmationSources {
  readonly notify: Pick<Pipeline, 'confirm' | 'deliveries'> & {
    readonly answers: Pick<Pipeline['answers'], 'answer'>;
  };
  readonly journal: Pick<Journal, 'note'>;
  readonly find: FindAlarm;
}

interface Said {
  readonly id: string;
  readonly principal: Principal;
  readonly from: string;
}

export function confirmationRoutes(clock: Clock, sources: ConfirmationSources): Route[] {
  const { notify, find } = sources;
  const refusals = new Pace(clock, { max: REFUSALS_JOURNALLED_PER_HOUR, perMs: HOUR_MS });
  const deliveriesOf = (id: string) =>
    notify
      .deliveries({ occurrence: occurrenceOf(id), limit: DELIVERIES_LIST_MAX })
      .filter((each) => each.id === id);

  // Whoever asks for what is not theirs learns no more of it than that.
  const refuse = (said: Said, receiver: string | null): Fault => {
    const isOthers = deliveriesOf(said.id).some(({ sentMs }) => sentMs !== null);
    const why = isOthers && receiver !== null ? 'another receiver' : 'never sent';
    const { principal, from, id } = said;
    if (refusals.take(principal.name)) {
      const actor = { name: principal.name, from };
      const after = { delivery: id, receiver, why };
      const what = occurrenceOf(id);
      sources.journal.note('confirmation-refused', actor, what, null, after, clock.wallMs());
    }
    return why === 'never sent'
      ? new Fault('api_not_found', 'never', bilingual('api-no-delivery', { id }))
      : new Fault('confirmation_foreign', 'never', bilingual('confirmation-not-yours', { id }));
  };

  return [
    route({
      method: 'POST',
      url: '/v1/confirmations',
      right: 'confirm',
      summary: 'A receiver says in its own word that it has an alarm, and who saw it',
      problems: [404],
      body: schemas.confirmation,
      answer: schemas.confirmation,
      handle: ({ body, principal, from }) => {
        const { confirmed: id, by, word } = body;
        const said = { id, principal, from };
        const bound = principal.receiver;
        if (bound === undefined) mayOperate(principal);
        // Who sees a part of the assets confirms for that part only.
        if (bound === undefined && principal.scope !== '') find(occurrenceOf(id), principal);
        const receiver = bound ?? body.receiver;
        const actor = { name: principal.name, from };
        if (receiver === undefined) {
          if (word !== 'confirmed') {
            const detail = bilingual('confirmation-receiver-needed', { word });
            throw new Fault('api_bad_request', 'never', detail);
          }
          const done = notify.confirm(id, by, clock.wallMs(), actor);
          if (done === 'unknown') throw refuse(said, null);
          return body;
        }
        const isForeign = body.receiver !== undefined && body.receiver !== receiver;
        const own = deliveriesOf(id).find((each) => each.receiver === receiver);
        if (!own || isForeign) throw refuse(said, body.receiver ?? receiver);
        const done = notify.answers.answer(own.number, word, by, clock.wallMs(), actor);
        if (done === 'unknown') throw refuse(said, receiver);
        return body;
      },
    }),
  ];
}

function mayOperate({ name, right }: Principal): void {
  if (rights.indexOf(right) >= rights.indexOf('operate')) return;
  const detail = bilingual('api-right-needed', { name, has: right, needed: 'operate' });
  throw new Fault('api_forbidden', 'never', detail);
}
