import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RuleProposal } from '../../core/alarm/rule.ts';
import { defaultables } from '../../core/alarm/rule.ts';
import type { CommandOffer } from '../../core/command.ts';
import type { PointDefinition } from '../../core/point.ts';
import {
  buildDictionary,
  decodePart,
  encodePart,
  hashOfPart,
  PAGE_BYTES_MAX,
  resolveManifest,
} from './dictionary.ts';
import { openRecord, seal } from './envelope.ts';
import { ProtoReader } from './proto.ts';
import type { DictionaryPart } from './record.ts';
import { parts, points } from './uplink.fuzz.ts';

const point: PointDefinition = {
  device: 'gas-head-1',
  point: 'methane',
  name: { en: 'Methane', zh: '甲烷' },
  unit: '%{LEL}',
  type: 'number',
  scale: 0.1,
  offset: 0,
  range: [0, 100],
  class: 'life-safety',
  periodMs: 1_000,
  deadband: 0.5,
  asset: 'gas/MP-1193/well-07',
  rules: [
    {
      kind: 'limit',
      id: 'high',
      level: 2,
      onDelayMs: 0,
      offDelayMs: 10_000,
      title: { en: 'Methane high', zh: '甲烷浓度高' },
      action: { en: 'Ventilate', zh: '通风' },
      side: 'high',
      limit: 20,
      deadband: 2,
    },
  ],
};

const numbered = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ ...point, point: `p-${at}` }));

function lookupOf(list: readonly { hash: string; part: DictionaryPart }[]) {
  const byHash = new Map(list.map(({ hash, part }) => [hash, part]));
  return (hash: string) => byHash.get(hash);
}

test('a part comes back equal and keeps its name', () => {
  fc.assert(
    fc.property(parts, (part) => {
      const back = decodePart(encodePart(part));
      expect(back).toEqual(part);
      expect(hashOfPart(back)).toBe(hashOfPart(part));
    }),
    { numRuns: 200 },
  );
});

test('a list of points is what its manifest resolves to, in order', () => {
  fc.assert(
    fc.property(fc.array(points, { maxLength: 20 }), (list) => {
      const { manifest, parts: made } = buildDictionary(list);
      expect(resolveManifest(manifest, lookupOf(made))).toEqual(list);
    }),
    { numRuns: 50 },
  );
});

test('ten thousand points make pages of at most 64 KiB, each a record within the limits', () => {
  const list = numbered(10_000);
  const { manifest, parts: made } = buildDictionary(list);
  expect(made.length).toBeGreaterThan(10);
  for (const { hash, part } of made) {
    expect(encodePart(part).length).toBeLessThanOrEqual(PAGE_BYTES_MAX);
    const { bytes } = recordOf(part);
    expect(openRecord(bytes)).toMatchObject({ dictionaryHash: hash, body: { dictionary: part } });
  }
  expect(made.at(-1)?.hash).toBe(manifest);
  expect(resolveManifest(manifest, lookupOf(made))).toEqual(list);
});

function recordOf(dictionary: DictionaryPart) {
  const lane = 'event' as const;
  const key = { lane, epoch: '1-0000000000000000', sequence: 1, manifest: '' };
  return seal(
    { ...key, taken: 0, unchanged: 0, givenUp: 0 },
    {
      clock: { wallOffsetMs: 0, state: 'unknown', errorMs: 0 },
      readings: null,
      isState: false,
      coverage: [],
      gaps: [],
      clockSteps: [],
      dictionary,
    },
  );
}

test('what is missing is named: first the manifest, then its pages', () => {
  const { manifest, parts: made } = buildDictionary(numbered(2_000));
  expect(resolveManifest(manifest, () => undefined)).toEqual({ missing: [manifest] });
  const lookup = lookupOf(made.filter(({ part }) => part.kind === 'manifest'));
  const pages = made.slice(0, -1).map(({ hash }) => hash);
  expect(resolveManifest(manifest, lookup)).toEqual({ missing: pages });
});

test('a change to one point renames its page and the manifest, and no page before it', () => {
  const before = buildDictionary(numbered(2_000));
  const after = buildDictionary(numbered(2_000).with(1_999, { ...point, point: 'other' }));
  const kept = before.parts.filter(({ hash }) => after.parts.some((part) => part.hash === hash));
  expect(kept.length).toBe(before.parts.length - 2);
  expect(after.manifest).not.toBe(before.manifest);
});

test('an empty dictionary is a manifest without pages', () => {
  const { manifest, parts: made } = buildDictionary([]);
  expect(made).toHaveLength(1);
  expect(resolveManifest(manifest, lookupOf(made))).toEqual([]);
});

test('a hash that names the wrong kind of part is malformed', () => {
  const { manifest, parts: made } = buildDictionary([point]);
  const malformed = expect.objectContaining({ code: 'uplink_malformed' });
  expect(() => resolveManifest(made[0]!.hash, lookupOf(made))).toThrow(malformed);
  expect(() => resolveManifest(manifest, () => made.at(-1)!.part)).toThrow(malformed);
});

test('a text or a rule list past its limit is refused with the name of the point', () => {
  const tooLarge = expect.objectContaining({
    code: 'uplink_too_large',
    message: expect.stringContaining('gas-head-1/methane'),
  });
  const name = { en: 'x'.repeat(600), zh: '' };
  expect(() => buildDictionary([{ ...point, name }])).toThrow(tooLarge);
  const rules = Array(17).fill(point.rules[0]);
  expect(() => buildDictionary([{ ...point, rules }])).toThrow(tooLarge);
});

test('the largest point within its limits fits a page, and one byte more is refused', () => {
  const say = (bytes: number) => ({ en: 'x'.repeat(bytes), zh: 'y'.repeat(bytes) });
  const most: RuleProposal = {
    ...{ kind: 'state', id: 'i'.repeat(64), level: 4, states: Array(16).fill(-(2 ** 51)) },
    ...{ onDelayMs: 1.5, offDelayMs: 1.5, timeAvailableMs: 1.5, reAlarmMs: 1.5 },
    ...{ isLatching: true, isSelfAcknowledging: true, defaults: defaultables },
    title: say(512),
    action: say(512),
    cause: say(512),
    consequence: say(64),
    basis: say(64),
  };
  const whole = { ...point, rules: Array<RuleProposal>(16).fill(most) };
  const [page] = buildDictionary([whole]).parts;
  expect(encodePart(page!.part).length).toBeLessThanOrEqual(PAGE_BYTES_MAX);
  const tooLarge = expect.objectContaining({ code: 'uplink_too_large' });
  const more = { ...most, basis: { en: 'x'.repeat(65), zh: 'y'.repeat(64) } };
  expect(() => buildDictionary([{ ...point, rules: [more] }])).toThrow(tooLarge);
});

const rise: RuleProposal = {
  ...{ kind: 'rate', id: 'rise', level: 2, onDelayMs: 0, offDelayMs: 0, overMs: 60_000 },
  ...{ title: { en: 'Rises', zh: '上升' }, action: null, side: 'high', limit: 5, deadband: 1 },
};

test('a rule of a kind that came later is left out by a reader who does not know it', () => {
  const rules = [...point.rules, rise, { ...rise, id: 'rise-2' }];
  const bytes = encodePart({ kind: 'page', points: [{ ...point, rules }] });
  const rate = Buffer.from([0x92, 0x01]); // Tag of field 18.
  const at = Buffer.from(bytes).indexOf(rate);
  const later = Uint8Array.from(bytes);
  later.set([0xca, 0x01], at); // Field 25: a kind of some later writer.
  const read = decodePart(later);
  const ids = read.kind === 'page' ? read.points[0]?.rules.map(({ id }) => id) : [];
  expect(ids).toEqual(['high', 'rise-2']);
});

test('a reader of before the later kinds never meets one: they stand in a field of their own', () => {
  const rules = [rise, ...point.rules];
  const bytes = encodePart({ kind: 'page', points: [{ ...point, rules }] });
  const page = new ProtoReader(bytes);
  page.next();
  const points = page.message();
  points.next();
  const fields = points.message();
  const seen: number[] = [];
  while (fields.next()) {
    seen.push(fields.field);
    fields.skip();
  }
  expect(seen.filter((field) => field >= 13)).toEqual([13, 14]);
});

test('a part that holds no manifest and no page, or both, is malformed', () => {
  const manifest = encodePart({ kind: 'manifest', pages: [] });
  const page = encodePart({ kind: 'page', points: [] });
  const malformed = expect.objectContaining({ code: 'uplink_malformed' });
  expect(() => decodePart(new Uint8Array(0))).toThrow(malformed);
  expect(() => decodePart(Buffer.concat([manifest, page]))).toThrow(malformed);
});

const start: CommandOffer = {
  ...{ id: 'start', title: { en: 'Start', zh: '启动' }, fixed: true, range: null, states: null },
  ...{ right: 'control', twoPeople: false, everyMs: 0, timeToLiveMs: 30_000, revert: null },
};

test('an offer that makes no sense is malformed: a page of it is refused whole', () => {
  const malformed = expect.objectContaining({ code: 'uplink_malformed' });
  const read = (commands: readonly CommandOffer[]) =>
    decodePart(encodePart({ kind: 'page', points: [{ ...point, commands }] }));
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ ...start, id: `c-${at}` }));
  expect(read(many(16))).toMatchObject({ points: [{ commands: many(16) }] });
  const states = Array<number>(33).fill(1);
  const wrong: readonly (readonly CommandOffer[])[] = [
    [start, start],
    many(17),
    ...[{ id: 'No Id' }, { range: [2, 1] as const }, { states }, { timeToLiveMs: 0 }].map(
      (part) => [{ ...start, ...part }],
    ),
    ...[
      { everyMs: -1 },
      { fixed: Number.NaN },
      { range: [0, Number.POSITIVE_INFINITY] as const },
    ].map((part) => [{ ...start, ...part }]),
    [{ ...start, revert: { afterMs: 0, value: 1 } }],
  ];
  for (const commands of wrong) expect(() => read(commands), inspect(commands)).toThrow(malformed);
});

test('an offer past a limit is refused by the writer with the name of the point', () => {
  const tooLarge = expect.objectContaining({
    code: 'uplink_too_large',
    message: expect.stringContaining('gas-head-1/methane'),
  });
  const say = (bytes: number) => ({ en: 'x'.repeat(bytes), zh: '' });
  const page = Array.from({ length: 16 }, (_, at) => ({ ...start, id: `c-${at}` }));
  for (const commands of [
    [{ ...start, title: say(513) }],
    [{ ...start, fixed: 'x'.repeat(256) }],
    [{ ...start, states: Array<number>(33).fill(1) }],
    [...page, start],
  ]) {
    expect(() => buildDictionary([{ ...point, commands }])).toThrow(tooLarge);
  }
  const long = { en: 'x'.repeat(512), zh: 'y'.repeat(512) };
  const rule = { ...point.rules[0]!, title: long, action: say(1_024), cause: say(1_024) };
  const full = {
    ...point,
    rules: Array.from({ length: 16 }, () => ({ ...rule, basis: say(256) })),
  };
  expect(buildDictionary([full]).parts).toHaveLength(2);
  const commands = page.map((offer) => ({ ...offer, title: long }));
  expect(() => buildDictionary([{ ...full, commands }])).toThrow(tooLarge);
});

test('an offer of a right that a later writer knows is left out, the others are taken', () => {
  const stop: CommandOffer = { ...start, id: 'stop', right: 'administer' };
  const bytes = encodePart({ kind: 'page', points: [{ ...point, commands: [start, stop] }] });
  const later = Uint8Array.from(bytes);
  later[Buffer.from(bytes).lastIndexOf(Buffer.from([0x30, 0x02])) + 1] = 0x03;
  const page = decodePart(later);
  expect(page.kind === 'page' && page.points[0]?.commands?.map(({ id }) => id)).toEqual(['start']);
});
