// Figures of the path over a month, from the faults that were kept. Pure.
//
// The path of a gateway is available while the gateway is heard and everything that all paths share
// works: the cloud runs, takes in, has room, evaluates, and can tell somebody. Its availability is
// that time of the time it was supervised, faults of seconds included; two faults at once count
// once. That of the whole is the mean over gateways, by time.
//
// A false fault is one that ended by itself within CONFIRMED_MS, before anybody was called, with
// nothing lost: the supervision was quicker than the trouble was worth.
import { localIso } from '../../core/local-time.ts';
import type { ComponentKind } from './component.ts';

/** As long a fault lasts before people are called. */
export const CONFIRMED_MS = 60_000;

/** Of which each breaks the path of every gateway. */
export const sharedKinds: ReadonlySet<ComponentKind> = new Set([
  'cloud',
  'ingest',
  'inbox',
  'alarms',
]);

export interface PathFault {
  readonly kind: ComponentKind;
  readonly id: string;
  readonly fromMs: number;
  /** Null: it goes on. */
  readonly toMs: number | null;
  readonly why: string;
  readonly detail: string;
  readonly isFalse: boolean;
}

export interface Supervised {
  readonly gateway: string;
  readonly fromMs: number;
  /** Null: it still is. */
  readonly toMs: number | null;
}

export interface PathFigures {
  /** 0 to 1; null where nothing was supervised. */
  readonly availability: number | null;
  readonly supervisedMs: number;
  readonly brokenMs: number;
  /** That began within the month. */
  readonly faults: number;
  readonly falseFaults: number;
  readonly longestMs: number;
}

export interface MonthFigures {
  readonly all: PathFigures;
  readonly gateways: ReadonlyMap<string, PathFigures>;
  /** By kind, of all components. */
  readonly kinds: ReadonlyMap<ComponentKind, Pick<PathFigures, 'faults' | 'falseFaults'>>;
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export function isShared({ kind, id }: Pick<PathFault, 'kind' | 'id'>): boolean {
  return sharedKinds.has(kind) || (kind === 'notifier' && id === '');
}

/** `nowMs` ends a month that is not over. */
export function figuresOf(
  month: Span,
  nowMs: number,
  supervised: readonly Supervised[],
  faults: readonly PathFault[],
): MonthFigures {
  const end = Math.min(month.toMs, nowMs);
  const shared = faults.filter(isShared);
  const gateways = new Map<string, PathFigures>();
  for (const { gateway, fromMs, toMs } of supervised) {
    const window = {
      fromMs: Math.max(month.fromMs, fromMs),
      toMs: Math.min(end, toMs ?? end),
    };
    const own = faults.filter(({ kind, id }) => kind === 'gateway' && id === gateway);
    if (window.toMs > window.fromMs) gateways.set(gateway, ofWindow(window, [...own, ...shared]));
  }
  const paths = [...gateways.values()];
  const supervisedMs = sum(paths.map((it) => it.supervisedMs));
  const brokenMs = sum(paths.map((it) => it.brokenMs));
  const counted = faults.filter((it) => isShared(it) || it.kind === 'gateway');
  const total = ofWindow({ fromMs: month.fromMs, toMs: end }, counted);
  const availability = supervisedMs > 0 ? 1 - brokenMs / supervisedMs : null;
  const kinds = new Map<ComponentKind, { faults: number; falseFaults: number }>();
  for (const [kind, list] of Map.groupBy(faults, (it) => it.kind)) {
    const { faults: count, falseFaults } = ofWindow({ fromMs: month.fromMs, toMs: end }, list);
    kinds.set(kind, { faults: count, falseFaults });
  }
  return { all: { ...total, availability, supervisedMs, brokenMs }, gateways, kinds };
}

function ofWindow(window: Span, faults: readonly PathFault[]): PathFigures {
  const spans = faults.map(({ fromMs, toMs }) => ({
    fromMs: Math.max(window.fromMs, fromMs),
    toMs: Math.min(window.toMs, toMs ?? window.toMs),
  }));
  const supervisedMs = Math.max(0, window.toMs - window.fromMs);
  const brokenMs = unionMs(spans);
  const begun = faults.filter(
    ({ fromMs }) => fromMs >= window.fromMs && fromMs < Math.max(window.toMs, window.fromMs + 1),
  );
  return {
    availability: supervisedMs > 0 ? 1 - brokenMs / supervisedMs : null,
    ...{ supervisedMs, brokenMs, faults: begun.length },
    falseFaults: begun.filter(({ isFalse }) => isFalse).length,
    longestMs: Math.max(0, ...spans.map(({ fromMs, toMs }) => toMs - fromMs)),
  };
}

function unionMs(spans: readonly Span[]): number {
  let totalMs = 0;
  let endMs = Number.NEGATIVE_INFINITY;
  for (const { fromMs, toMs } of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    if (toMs <= Math.max(endMs, fromMs)) continue;
    totalMs += toMs - Math.max(endMs, fromMs);
    endMs = toMs;
  }
  return totalMs;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** `2026-11` in local time; undefined for what is no month. */
export function monthNamed(name: string, utcOffsetMs: number): Span | undefined {
  const [, year = '', month = ''] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(name) ?? [];
  if (year === '') return undefined;
  const at = (months: number) => Date.UTC(Number(year), Number(month) - 1 + months) - utcOffsetMs;
  return { fromMs: at(0), toMs: at(1) };
}

export function monthOf(atMs: number, utcOffsetMs: number): string {
  return localIso(atMs, utcOffsetMs).slice(0, 7);
}
