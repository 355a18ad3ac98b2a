// Silences over the API. A token that sees a part of the assets is shown what touches that part,
// and silences and ends what lies within it.
import { z } from 'zod';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { SilenceRow } from '../notify/ledger.ts';
import type { Pipeline } from '../notify/pipeline.ts';
import type { Match } from '../notify/route.ts';
import { SILENCE_MAX_MS, SILENCES_MAX } from '../notify/silences.ts';
import type { Principal } from '../registry/registry.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import { iso } from './routes.ts';
import { withinScope } from './stream.ts';

const MINUTE_MS = 60_000;
const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
/** Of one part of a match. */
const NAMES_MAX = 50;
const names = z.array(z.string().trim().min(1).max(200)).min(1).max(NAMES_MAX).readonly();

const match = z.object({
  areas: names.optional(),
  gateways: names.optional(),
  assets: names.optional().describe('asset path prefixes'),
  levels: z
    .array(z.number().int().min(1).max(4))
    .min(1)
    .max(4)
    .readonly()
    .optional()
    .describe('without it II to IV; level I is refused'),
  kinds: names.optional().describe('of rules, or gateway'),
  rules: names.optional(),
});

const starting = z.object({
  match,
  minutes: z
    .number()
    .int()
    .min(1)
    .max(SILENCE_MAX_MS / MINUTE_MS),
  reason: z.string().trim().min(1).max(300).describe('for the record'),
});

const silence = z.object({
  number: z.number().int(),
  match,
  by: z.string(),
  reason: z.string(),
  began: instant,
  until: instant,
});
const params = z.object({ number: z.coerce.number().int().min(1) });

export function silenceRoutes({ silences }: Pick<Pipeline, 'silences'>): Route[] {
  const seen = (number: number, { scope }: Principal) => {
    const found = silences.get(number);
    if (touches(found.match, scope)) return found;
    throw new Fault('silence_unknown', 'never', String(number));
  };
  return [
    route({
      method: 'GET',
      url: '/v1/silences',
      right: 'read',
      summary: `Silences that are on, ${SILENCES_MAX} at most, the oldest first`,
      answer: z.object({ items: z.array(silence) }),
      handle: ({ principal: { scope } }) => {
        const items = silences.list().filter((each) => touches(each.match, scope));
        return { items: items.map(silenceObject) };
      },
    }),
    route({
      method: 'POST',
      url: '/v1/silences',
      right: 'control',
      summary: 'Tell nobody of alarms that fit, for 8 h at most, with a reason; level I never',
      problems: [409],
      body: starting,
      answer: silence,
      handle: ({ body: { match: given, minutes, reason }, principal, from }) => {
        mayRule(given, principal);
        const asked = { match: presentOf(given), forMs: minutes * MINUTE_MS, reason };
        return silenceObject(silences.begin(asked, { name: principal.name, from }));
      },
    }),
    route({
      method: 'POST',
      url: '/v1/silences/:number/end',
      right: 'control',
      summary: 'End a silence before its time',
      problems: [404],
      params,
      answer: silence,
      handle: ({ params: { number }, principal, from }) => {
        mayRule(seen(number, principal).match, principal);
        return silenceObject(silences.end(number, { name: principal.name, from }));
      },
    }),
  ];
}

type Given = z.output<typeof match>;

function presentOf(given: Given): Match {
  return Object.fromEntries(
    Object.entries(given).filter(([, values]) => values !== undefined),
  ) as Match;
}

// What names no assets is of all of them.
function touches({ assets }: Match, scope: string): boolean {
  return (
    assets === undefined ||
    assets.some((asset) => withinScope(scope, asset) || withinScope(asset, scope))
  );
}

function mayRule({ assets = [''] }: Given | Match, { scope }: Principal): void {
  if (assets.every((asset) => withinScope(scope, asset))) return;
  throw new Fault('api_forbidden', 'never', bilingual('silence-scope', { scope }));
}

function silenceObject({ number, match: of, who, reason, beganMs, untilMs }: SilenceRow) {
  return { number, match: of, by: who, reason, began: iso(beganMs), until: iso(untilMs) };
}
