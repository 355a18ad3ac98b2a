// The supervision of the path as the API shows it, with the schemas of both.
import { z } from 'zod';
import { bilingual } from '../../core/text/text.ts';
import { componentKinds, nameOf, whyKey } from '../supervision/component.ts';
import type { PathFigures } from '../supervision/figures.ts';
import type { PathTest } from '../supervision/path-tests.ts';
import type { ComponentState } from '../supervision/supervision.ts';
import type { FaultRow } from '../supervision/tables.ts';

const instant = z.iso.datetime();
const text = z.object({ en: z.string(), zh: z.string() });
const kind = z.enum(componentKinds);

export const component = z.object({
  name: z.string().describe('gateway/gw-1, receiver/desk, ingest'),
  kind,
  id: z.string(),
  state: z.enum(['ok', 'broken', 'unknown']),
  since: instant,
  why: z.string().nullable().describe('a code; null of what is ok'),
  detail: z.string().describe('how far a test came, what a receiver answered; often empty'),
  text: text.nullable(),
});

export function componentObject({
  component: it,
  finding,
  sinceMs,
}: ComponentState): z.output<typeof component> {
  const { state, why, detail } = finding;
  return {
    ...{ name: nameOf(it), kind: it.kind, id: it.id, state, since: iso(sinceMs), why, detail },
    text: why === null ? null : bilingual(whyKey(why)),
  };
}

const test = z.object({
  gateway: z.string(),
  every_seconds: z.number(),
  alarm: z.string().nullable(),
  began: instant.nullable(),
  raised: instant.nullable(),
  confirmed: instant.nullable(),
});

export function testObject(
  gateway: string,
  everyMs: number,
  last: PathTest | null,
): z.output<typeof test> {
  return {
    ...{ gateway, every_seconds: everyMs / 1_000, alarm: last?.occurrence ?? null },
    began: last ? iso(last.beganMs) : null,
    raised: last ? iso(last.raisedMs) : null,
    confirmed: last?.confirmedMs == null ? null : iso(last.confirmedMs),
  };
}

export const supervision = z.object({
  status: z.enum(['ok', 'broken', 'unknown']).describe('broken where any part is'),
  components: z.array(component),
  tests: z.array(test).describe('the newest of each gateway that tests the path'),
});

const figures = z.object({
  availability: z.number().nullable().describe('0 to 1; null where nothing was supervised'),
  supervised_seconds: z.number(),
  broken_seconds: z.number(),
  faults: z.int(),
  false_faults: z.int().describe('over within 60 s by themselves, nothing lost'),
  longest_seconds: z.number(),
});

export function figuresObject(it: PathFigures): z.output<typeof figures> {
  const seconds = (ms: number) => Math.round(ms) / 1_000;
  return {
    availability: it.availability === null ? null : Number(it.availability.toFixed(6)),
    supervised_seconds: seconds(it.supervisedMs),
    broken_seconds: seconds(it.brokenMs),
    ...{ faults: it.faults, false_faults: it.falseFaults },
    longest_seconds: seconds(it.longestMs),
  };
}

const fault = z.object({
  component: z.string(),
  from: instant,
  to: instant.nullable().describe('null: it goes on'),
  why: z.string(),
  detail: z.string(),
  false_fault: z.boolean(),
});

export function faultObject(row: FaultRow): z.output<typeof fault> {
  return {
    ...{ component: nameOf(row), from: iso(row.fromMs), why: row.why, detail: row.detail },
    to: row.toMs === null ? null : iso(row.toMs),
    false_fault: row.isFalse,
  };
}

export const monthFigures = z.object({
  month: z.string(),
  from: instant,
  to: instant,
  whole_since: instant.nullable().describe('faults before it were too many to keep'),
  path: figures.describe('over all gateways'),
  gateways: z.array(figures.extend({ gateway: z.string() })),
  kinds: z.array(z.object({ kind, faults: z.int(), false_faults: z.int() })),
  faults: z.array(fault).describe('newest first'),
});

export const monthQuery = z.object({
  month: z
    .string()
    .regex(/^\d{4}-(0[1-9]|1[0-2])$/)
    .optional()
    .describe('2026-11; default the present one'),
  limit: z.coerce.number().int().min(0).max(1_000).default(100).describe('of faults'),
});

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
