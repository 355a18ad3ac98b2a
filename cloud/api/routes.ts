// What the API offers of gateways, devices, series, history and the account, as a table. Every
// route sees only what its principal's scope lets it see: a series outside it does not exist for
// that caller.
import type { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { QualityCode } from '../../core/quality.ts';
import { isBad, qualityOf } from '../../core/quality.ts';
import type { Origin, Value } from '../../core/reading.ts';
import { bilingual } from '../../core/text/text.ts';
import { originAt } from '../../protocols/uplink/origins.ts';
import type { Current } from '../current.ts';
import type { SeriesEntry } from '../inbox/decoded.ts';
import type { Principal, Registry } from '../registry/registry.ts';
import type { History, Store } from '../store/store.ts';
import { typedValue, valueAt } from '../store/store.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import * as schemas from './schemas.ts';
import { withinScope } from './stream.ts';

/** By the upper two bits of a StatusCode; the fourth is for later use. */
const severities = ['good', 'uncertain', 'bad', 'bad'] as const;

export interface Presence {
  readonly online: boolean;
  readonly heardMs: number;
  readonly clock: string;
  readonly paths: readonly {
    readonly state: 'up' | 'down' | 'unknown';
    readonly sinceMs: number;
    readonly heardMs: number;
  }[];
}

export interface DataSources {
  readonly registry: Registry;
  readonly current: Current;
  /** All series, by number; as the newest dictionary that named them defined them. */
  readonly series: ReadonlyMap<number, SeriesEntry>;
  readonly store: Pick<Store, 'history' | 'gaps' | 'account'>;
  readonly presence: (gateway: string) => Presence | undefined;
  /** State of each part of the cloud, 'ok' or what is wrong. */
  readonly health: () => Readonly<Record<string, string>>;
  /** Of the alarm path; absent: nobody supervises it. */
  readonly path?: () => z.output<typeof schemas.health>['path'];
  /** Gateways were added or removed: the broker must know. */
  readonly onCredentials: () => void;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function visible(entry: SeriesEntry | undefined, { scope }: Principal): entry is SeriesEntry {
  return entry !== undefined && withinScope(scope, entry.definition.asset);
}

function pointName({ gateway, definition }: SeriesEntry): string {
  return `${gateway}/${definition.device}/${definition.point}`;
}

export function valueObject(
  entry: SeriesEntry,
  reading: {
    readonly atMs: number;
    readonly value: Value;
    readonly quality: QualityCode;
    readonly origin?: Origin | null;
  },
): z.output<typeof schemas.valueObject> {
  const { type, unit } = entry.definition;
  const known = qualityOf(reading.quality) ?? { quality: 'uncertain', reason: 'none' };
  const { value } = reading;
  const typed = typeof value === 'number' ? typedValue(value, type === 'boolean') : value;
  return {
    t: iso(reading.atMs),
    v: typeof typed === 'bigint' ? typed.toString() : typed,
    u: unit,
    q: known.quality,
    reason: known.reason,
    ...(reading.origin && originObject(reading.origin)),
  };
}

function originObject({ status, sourceMs, serverMs }: Origin) {
  return {
    status: { code: status, severity: severities[status >>> 30]! },
    ...(sourceMs !== null && { source_at: iso(sourceMs) }),
    ...(serverMs !== null && { server_at: iso(serverMs) }),
  };
}

function seriesObject(clock: Clock, current: Current, entry: SeriesEntry) {
  const { name, asset, unit, periodMs } = entry.definition;
  const now = current.get(entry.series);
  return {
    series: entry.series,
    point: pointName(entry),
    name,
    asset,
    class: entry.definition.class,
    unit,
    period_ms: periodMs,
    current: now ? valueObject(entry, now) : null,
    age_ms: now ? Math.round(clock.wallMs() - now.atMs) : null,
    covered: now ? iso(now.coveredMs) : null,
  };
}

/** The page after a cursor, and the cursor of the next; `items` ascend by `key`. */
function pageOf<T>(
  items: readonly T[],
  key: (item: T) => string,
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
): { items: T[]; next: string | null } {
  const from = after === undefined ? 0 : items.findIndex((item) => key(item) === after) + 1;
  if (after !== undefined && from === 0) {
    throw new Fault('api_bad_request', 'never', bilingual('api-no-cursor', { after }));
  }
  const page = items.slice(from, from + limit);
  const last = page.at(-1);
  return { items: page, next: last && from + limit < items.length ? key(last) : null };
}

function spanOf({ from, to }: { readonly from: string; readonly to: string }) {
  const span = { fromMs: Date.parse(from), toMs: Date.parse(to) };
  if (span.fromMs < span.toMs) return span;
  throw new Fault('api_bad_request', 'never', bilingual('api-no-span', { from, to }));
}

export function dataRoutes(clock: Clock, sources: DataSources): Route[] {
  return [
    ...healthRoutes(sources),
    ...gatewayRoutes(clock, sources),
    ...deviceRoutes(sources),
    ...seriesRoutes(clock, sources),
    ...accountRoutes(clock, sources),
    ...principalRoutes(clock, sources),
  ];
}

const UNSUPERVISED = { state: 'unknown', broken: 0 } as const;

function healthRoutes({ health, path = () => UNSUPERVISED }: DataSources): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/health',
      right: 'public',
      summary: 'Whether the parts of the cloud work',
      answer: schemas.health,
      handle: () => {
        const parts = health();
        const isWell = Object.values(parts).every((state) => state === 'ok');
        const status = isWell ? ('ok' as const) : ('degraded' as const);
        return { status, parts: { ...parts }, path: path() };
      },
    }),
  ];
}

function gatewayRoutes(clock: Clock, sources: DataSources): Route[] {
  const { registry, presence, onCredentials } = sources;
  return [
    route({
      method: 'GET',
      url: '/v1/gateways',
      right: 'read',
      summary: 'Gateways, whether each is online and when it was last heard',
      query: schemas.page,
      answer: schemas.listOf(schemas.gateway),
      handle: ({ query, principal }) => {
        const all = registry.gateways().filter(({ id }) => seesGateway(sources, id, principal));
        const { items, next } = pageOf(all, ({ id }) => id, query);
        return {
          next,
          items: items.map(({ id, area, createdMs }) => {
            const seen = presence(id);
            return {
              id,
              area,
              created: iso(createdMs),
              online: seen?.online ?? false,
              heard: seen && seen.heardMs > 0 ? iso(seen.heardMs) : null,
              clock: seen?.clock ?? 'unknown',
              paths: (seen?.paths ?? []).map(({ state, sinceMs, heardMs }) => ({
                state,
                since: sinceMs > 0 ? iso(sinceMs) : null,
                heard: heardMs > 0 ? iso(heardMs) : null,
              })),
            };
          }),
        };
      },
    }),
    route({
      method: 'POST',
      url: '/v1/gateways',
      right: 'administer',
      summary: 'Enrol a gateway, or give it a new secret',
      problems: [409],
      body: schemas.enrolment,
      answer: schemas.created,
      handle: ({ body, principal, from }) => {
        const actor = { name: principal.name, from };
        const secret = registry.enrolGateway(body.area, body.id, clock.wallMs(), actor);
        onCredentials();
        return { secret };
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/gateways/:gateway',
      right: 'administer',
      summary: 'Remove a gateway; what it sent stays',
      params: schemas.params.gateway,
      answer: schemas.removed,
      handle: ({ params, principal, from }) => {
        const actor = { name: principal.name, from };
        const removed = registry.removeGateway(params.gateway, clock.wallMs(), actor);
        if (!removed) {
          const detail = bilingual('api-no-gateway', { id: params.gateway });
          throw new Fault('api_not_found', 'never', detail);
        }
        onCredentials();
        return { removed };
      },
    }),
  ];
}

function deviceRoutes(sources: DataSources): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/devices',
      right: 'read',
      summary: 'Devices, their newest reading and how many of their points are bad',
      query: schemas.seriesQuery,
      answer: schemas.listOf(schemas.device),
      handle: ({ query, principal }) =>
        pageOf(
          devicesOf(sources, selected(sources, query, principal)),
          (item) => `${item.gateway}/${item.device}`,
          query,
        ),
    }),
  ];
}

// A scoped principal sees a gateway that serves at least one series of its scope.
function seesGateway({ series }: DataSources, gateway: string, principal: Principal): boolean {
  if (principal.scope === '') return true;
  for (const entry of series.values()) {
    if (entry.gateway === gateway && visible(entry, principal)) return true;
  }
  return false;
}

type SeriesQuery = z.output<typeof schemas.seriesQuery>;

function selected({ series }: DataSources, query: SeriesQuery, principal: Principal) {
  const { gateway, device, asset } = query;
  return [...series.values()]
    .filter(
      (entry) =>
        visible(entry, principal) &&
        (gateway === undefined || entry.gateway === gateway) &&
        (device === undefined || entry.definition.device === device) &&
        (asset === undefined || withinScope(asset, entry.definition.asset)),
    )
    .sort((a, b) => a.series - b.series);
}

function devicesOf({ current }: DataSources, entries: readonly SeriesEntry[]) {
  const devices = new Map<string, z.output<typeof schemas.device>>();
  for (const { series, gateway, definition } of entries) {
    const { device, asset } = definition;
    const key = `${gateway}/${device}`;
    const known = devices.get(key) ?? { gateway, device, points: 0, asset, newest: null, bad: 0 };
    const now = current.get(series);
    const at = now ? iso(now.atMs) : null;
    devices.set(key, {
      ...known,
      points: known.points + 1,
      newest: at !== null && (known.newest === null || at > known.newest) ? at : known.newest,
      bad: known.bad + (now && isBad(now.quality) ? 1 : 0),
    });
  }
  return [...devices.values()].sort((a, b) =>
    `${a.gateway}/${a.device}` < `${b.gateway}/${b.device}` ? -1 : 1,
  );
}

function seriesRoutes(clock: Clock, sources: DataSources): Route[] {
  const { current, series, store } = sources;
  const find = (number: number, principal: Principal): SeriesEntry => {
    const entry = series.get(number);
    if (visible(entry, principal)) return entry;
    throw new Fault('api_not_found', 'never', bilingual('api-no-series', { number }));
  };
  return [
    route({
      method: 'GET',
      url: '/v1/series',
      right: 'read',
      summary: 'Series with their current value and its age',
      query: schemas.seriesQuery,
      answer: schemas.listOf(schemas.series),
      handle: ({ query, principal }) => {
        const all = selected(sources, query, principal);
        const { items, next } = pageOf(all, (entry) => String(entry.series), query);
        return { next, items: items.map((entry) => seriesObject(clock, current, entry)) };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/series/:series',
      right: 'read',
      summary: 'One series with its current value and its age',
      params: schemas.params.series,
      answer: schemas.series,
      handle: ({ params, principal }) =>
        seriesObject(clock, current, find(params.series, principal)),
    }),
    route({
      method: 'GET',
      url: '/v1/series/:series/history',
      right: 'read',
      summary: 'Readings as stored, or min, max and mean a bucket; gaps and quality kept',
      problems: [503],
      params: schemas.params.series,
      query: schemas.historyQuery,
      answer: schemas.historyAnswer,
      handle: async ({ params, query, principal }) => {
        const entry = find(params.series, principal);
        const span = spanOf(query);
        const bucketMs = query.bucket_ms ?? null;
        const { limit } = query;
        return historyAnswer(
          entry,
          await store.history({ series: entry.series, ...span, bucketMs, limit }),
        );
      },
    }),
  ];
}

function historyAnswer(entry: SeriesEntry, history: History) {
  const { readings, buckets, gaps, covered, isTruncated } = history;
  const span = ({ fromMs, toMs }: { fromMs: number; toMs: number }) => ({
    from: iso(fromMs),
    to: iso(toMs),
  });
  const isBoolean = entry.definition.type === 'boolean';
  return {
    series: entry.series,
    unit: entry.definition.unit,
    ...(readings && {
      readings: Array.from({ length: readings.count }, (_, at) =>
        valueObject(entry, {
          atMs: readings.atMs[at]!,
          value: valueAt(readings, at, isBoolean),
          quality: readings.quality[at]!,
          origin: originAt(readings.origins, at),
        }),
      ),
    }),
    ...(!readings && {
      buckets: buckets.map(({ fromMs, min, max, mean, count, bad, worst }) => ({
        t: iso(fromMs),
        min,
        max,
        mean,
        count,
        bad,
        q: qualityOf(worst)?.quality ?? ('uncertain' as const),
      })),
    }),
    gaps: gaps.map((gap) => ({ ...span(gap), cause: gap.cause, readings: gap.readings })),
    covered: covered.map(span),
    truncated: isTruncated,
  };
}

const DAY_MS = 86_400_000;

function accountRoutes(clock: Clock, { store, series }: DataSources): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/gaps',
      right: 'read',
      summary: 'What is missing, from when to when, how much, and why; the last day by default',
      problems: [503],
      query: schemas.gapQuery,
      answer: schemas.listOf(schemas.gap),
      handle: async ({ query, principal }) => {
        const toMs = query.to ? Date.parse(query.to) : clock.wallMs() + DAY_MS;
        const fromMs = query.from ? Date.parse(query.from) : clock.wallMs() - DAY_MS;
        const { series: only } = query;
        const found = await store.gaps({
          fromMs,
          toMs,
          ...(only !== undefined && { series: only }),
        });
        const seen = found.filter((gap) =>
          gap.series.some((number) => visible(series.get(number), principal)),
        );
        return {
          next: null,
          items: seen.map((gap) => ({
            gateway: gap.gateway,
            cause: gap.cause,
            from: iso(gap.fromMs),
            to: iso(gap.toMs),
            readings: gap.readings,
            estimated: gap.estimated,
            series: gap.series.filter((number) => visible(series.get(number), principal)),
          })),
        };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/account',
      right: 'administer',
      summary: 'What was taken, stored, left out as unchanged, missed, given up; counted by query',
      problems: [503],
      query: schemas.accountQuery,
      answer: schemas.account,
      handle: async ({ query }) => {
        const pairs = query.epochs?.split(',').filter((pair) => pair !== '') ?? null;
        const account = await store.account(pairs?.map(epochPair) ?? null);
        return {
          taken: account.taken,
          stored: account.stored,
          unchanged: account.unchanged,
          missed: account.missed,
          given_up: account.givenUp,
          failed: account.failed,
          by_cause: { ...account.byCause },
        };
      },
    }),
  ];
}

function epochPair(pair: string): { gateway: string; epoch: string } {
  const [gateway, epoch] = pair.split(':');
  if (gateway && epoch) return { gateway, epoch };
  throw new Fault('api_bad_request', 'never', bilingual('api-no-epoch', { pair }));
}

function principalRoutes(clock: Clock, { registry }: DataSources): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/principals',
      right: 'administer',
      summary: 'Who has a token, with which right and scope',
      answer: schemas.listOf(schemas.token),
      handle: () => ({ items: registry.principals(), next: null }),
    }),
    route({
      method: 'POST',
      url: '/v1/principals',
      right: 'administer',
      summary: 'Issue a token, or a new one for a principal that exists',
      problems: [409],
      body: schemas.token,
      answer: schemas.created,
      handle: ({ body, principal, from }) => {
        const actor = { name: principal.name, from };
        return { secret: registry.issueToken(body, clock.wallMs(), actor) };
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/principals/:name',
      right: 'administer',
      summary: 'Revoke a token',
      params: schemas.params.principal,
      answer: schemas.removed,
      handle: ({ params, principal, from }) => {
        const actor = { name: principal.name, from };
        const removed = registry.revokeToken(params.name, clock.wallMs(), actor);
        if (!removed) {
          const detail = bilingual('api-no-principal', { name: params.name });
          throw new Fault('api_not_found', 'never', detail);
        }
        return { removed };
      },
    }),
  ];
}
