// What the API offers of the supervision of the alarm path. Its parts are the plant's and the
// cloud's own, not of an asset: a token with a scope sees none of it.
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Principal } from '../registry/registry.ts';
import { monthNamed, monthOf } from '../supervision/figures.ts';
import type { PathTests } from '../supervision/path-tests.ts';
import type { Supervision } from '../supervision/supervision.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import * as objects from './supervision-objects.ts';

export interface SupervisionSources {
  readonly supervision: Supervision;
  readonly tests: PathTests;
  readonly gateways: () => readonly { readonly id: string }[];
  readonly utcOffsetMs: number;
}

export function supervisionRoutes(clock: Clock, sources: SupervisionSources): Route[] {
  const { supervision, tests, gateways, utcOffsetMs } = sources;
  return [
    route({
      method: 'GET',
      url: '/v1/supervision',
      right: 'read',
      summary: 'Each part of the alarm path: whether it works, since when and why not',
      answer: objects.supervision,
      handle: ({ principal }) => {
        checkWhole(principal);
        const components = supervision.list().map(objects.componentObject);
        return {
          status: supervision.summary.state,
          components,
          tests: gateways().flatMap(({ id }) => {
            const everyMs = tests.everyMs(id);
            return everyMs === null ? [] : [objects.testObject(id, everyMs, tests.last(id))];
          }),
        };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/supervision/figures',
      right: 'read',
      summary: 'Availability, faults and false faults of the alarm path in a month',
      query: objects.monthQuery,
      answer: objects.monthFigures,
      handle: ({ query, principal }) => {
        checkWhole(principal);
        const nowMs = clock.wallMs();
        const month = query.month ?? monthOf(nowMs, utcOffsetMs);
        const span = monthNamed(month, utcOffsetMs)!;
        const { all, gateways: each, kinds } = supervision.figures(span, nowMs);
        const { wholeSinceMs } = supervision.tables;
        return {
          month,
          ...{ from: objects.iso(span.fromMs), to: objects.iso(span.toMs) },
          whole_since: wholeSinceMs > span.fromMs ? objects.iso(wholeSinceMs) : null,
          path: objects.figuresObject(all),
          gateways: [...each].map(([gateway, it]) => ({ gateway, ...objects.figuresObject(it) })),
          kinds: [...kinds].map(([kind, { faults, falseFaults }]) => ({
            ...{ kind, faults, false_faults: falseFaults },
          })),
          faults: supervision.faults(span, query.limit).map(objects.faultObject),
        };
      },
    }),
  ];
}

function checkWhole({ scope, name }: Principal): void {
  if (scope === '') return;
  throw new Fault('api_forbidden', 'never', bilingual('supervision-scoped', { name }));
}
