// Generators for the uplink wire, used by its property tests, and fuzz targets.
//
// Claim one: whatever is sealed or encoded comes back equal. Claim two: whatever bytes come in, the
// answer is a refusal or a Fault `uplink_*`, never another exception; and what is taken is no more
// than the envelope announces.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { RuleProposal } from '../../core/alarm/rule.ts';
import { defaultables, limitSides, RULE_STATES_MAX, statistics } from '../../core/alarm/rule.ts';
import { crc16Modbus, crc32c, fromHex } from '../../core/bytes.ts';
import type { CommandOffer } from '../../core/command.ts';
import { commandReasons, commandRights, OFFERS_MAX, outcomes } from '../../core/command.ts';
import { isFault } from '../../core/fault.ts';
import type { PointDefinition } from '../../core/point.ts';
import { valueTypes } from '../../core/point.ts';
import { qualityCode, reasons } from '../../core/quality.ts';
import { gapCauses, lanes, pointClasses } from '../../core/reading.ts';
import type { FuzzTarget } from '../../tests/fuzz/target.ts';
import { decodeBody, encodeBody } from './body.ts';
import * as control from './control.ts';
import { decodePart, encodePart } from './dictionary.ts';
import { openRecord, readEnvelope, type SealFields, seal } from './envelope.ts';
import { FALLBACK_ALARMS_MAX } from './fallback-wire.ts';
import { originTime } from './origins.ts';
import {
  type Body,
  clockStates,
  type OriginColumns,
  type ReadingColumns,
  refusalReasons,
} from './record.ts';
import { isEarly } from './rule-wire.ts';
import { PATHS_MAX } from './topics.ts';

const digits = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((data) => Buffer.from(data).toString('hex'));
export const hashes = digits(16);
export const epochs = fc
  .tuple(fc.integer({ min: 1, max: 0x7fffffff }), digits(8))
  .map(([opening, random]) => `${opening}-${random}`);
const ids = fc.stringMatching(/^[a-z0-9-]{1,12}$/);
// Well-formed only: a lone surrogate has no UTF-8.
const words = fc.string({ unit: 'grapheme', maxLength: 16 }).map((text) => text.toWellFormed());
const times = fc.oneof(
  fc.integer({ min: 0, max: 100_000 }),
  fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
);
const counts = fc.oneof(fc.nat(1_000), fc.maxSafeNat());
const ranges = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 50 })), {
    maxLength: 20,
  })
  .map((steps) => {
    let next = 0;
    return steps.map(([skip, length]) => {
      const first = next + skip;
      next = first + length + 1;
      return { first, last: first + length };
    });
  });

const numbers = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 0xffff }) },
  { weight: 2, arbitrary: fc.integer({ min: -100, max: 100 }) },
  { weight: 2, arbitrary: fc.float() },
  fc.integer({ min: -0x80000000, max: 0x7fffffff }),
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.maxSafeInteger(),
  fc.double(),
);
const specials = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  words,
);

const qualityCodes = fc
  .tuple(fc.constantFrom('good', 'uncertain', 'bad'), fc.constantFrom(...reasons))
  .map(([quality, reason]) => qualityCode(quality as 'good', reason));

/** Source less monotonic time, server less source; null where the device does not say. */
interface Said {
  readonly status: number;
  readonly source: number | null;
  readonly server: number | null;
}

const distances = fc.oneof(
  { weight: 4, arbitrary: fc.constant(1_767_225_600_000) },
  fc.integer({ min: 1_767_225_500_000, max: 1_767_225_700_000 }),
  fc.integer({ min: -10_000_000_000_000, max: 200_000_000_000_000 }),
);
const said: fc.Arbitrary<Said> = fc.record({
  status: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(0xffffffff)),
  source: fc.option(distances, { freq: 5 }),
  server: fc.option(fc.oneof(fc.constant(0), fc.integer({ min: -90, max: 9_000 })), { freq: 3 }),
});

interface Cell {
  readonly aliasStep: number;
  readonly timeStep: number;
  readonly quality: number;
  readonly value: number | bigint | string | null;
  readonly said: Said | null;
}

const cells: fc.Arbitrary<Cell> = fc.record({
  aliasStep: fc.oneof({ weight: 8, arbitrary: fc.constant(1) }, fc.integer({ min: -5, max: 40 })),
  timeStep: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -90, max: 9000 })),
  quality: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, qualityCodes),
  value: fc.oneof({ weight: 10, arbitrary: numbers }, specials),
  said: fc.option(said),
});

/** From each cell a reading; null makes its quality bad, as the contract wants. */
export function columnsOf(list: readonly Cell[], startMs: number): ReadingColumns {
  const special = new Map<number, bigint | string | null>();
  const columns = {
    count: list.length,
    alias: new Uint32Array(list.length),
    monoMs: new Float64Array(list.length),
    quality: new Uint8Array(list.length),
    numbers: new Float64Array(list.length),
    special,
  };
  let alias = 0;
  let time = startMs;
  list.forEach((cell, at) => {
    alias = Math.max(0, alias + cell.aliasStep);
    time += cell.timeStep;
    columns.alias[at] = alias;
    columns.monoMs[at] = time;
    columns.quality[at] = cell.value === null ? qualityCode('bad', 'timeout') : cell.quality;
    columns.numbers[at] = typeof cell.value === 'number' ? cell.value : Number.NaN;
    if (typeof cell.value !== 'number') special.set(at, cell.value);
  });
  const origins = originsOf(list, columns.monoMs);
  return origins ? { ...columns, origins } : columns;
}

// Null where no cell says anything: so it comes back. Times a year 9999 is past are none.
function originsOf(list: readonly Cell[], monoMs: Float64Array): OriginColumns | null {
  const origins = {
    status: Uint32Array.from(list, ({ said: it }) => it?.status ?? 0),
    sourceMs: Float64Array.from(list, ({ said: it }, at) =>
      originTime(it && it.source !== null ? it.source + monoMs[at]! : null),
    ),
    serverMs: new Float64Array(list.length).fill(Number.NaN),
  };
  list.forEach(({ said: it }, at) => {
    if (!it || it.server === null) return;
    const { [at]: source = Number.NaN } = origins.sourceMs;
    origins.serverMs[at] = originTime(
      (Number.isNaN(source) ? 1_767_225_600_000 : source) + it.server,
    );
  });
  const isAny = origins.status.some((code) => code > 0);
  const hasTime = [...origins.sourceMs, ...origins.serverMs].some((ms) => !Number.isNaN(ms));
  return isAny || hasTime ? origins : null;
}

export const readings = fc
  .tuple(fc.array(cells, { minLength: 1, maxLength: 120, size: 'max' }), times)
  .chain(([list, startMs]) =>
    fc
      .boolean()
      .map((isSaid) =>
        columnsOf(isSaid ? list : list.map((cell) => ({ ...cell, said: null })), startMs),
      ),
  );

const bilinguals = fc.record({ en: words, zh: words });
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const levels = fc.constantFrom(1 as const, 2 as const, 3 as const, 4 as const);
const lengths = fc.double({ min: 1, max: 1e12, noNaN: true });
const whole = fc.record({
  id: ids,
  level: levels,
  onDelayMs: finite,
  offDelayMs: finite,
  title: bilinguals,
  action: fc.option(bilinguals),
});
const further = fc.record(
  {
    cause: bilinguals,
    consequence: bilinguals,
    timeAvailableMs: lengths,
    basis: bilinguals,
    isLatching: fc.constant(true as const),
    isSelfAcknowledging: fc.constant(true as const),
    reAlarmMs: lengths,
    defaults: fc.subarray([...defaultables], { minLength: 1 }),
  },
  { requiredKeys: [] },
);
const limited = {
  side: fc.constantFrom(...limitSides),
  limit: finite,
  deadband: finite,
};
const minutes = fc.nat(1_440);
const conditions = {
  limit: fc.record({ kind: fc.constant('limit' as const), ...limited }),
  'no-data': fc.record({ kind: fc.constant('no-data' as const), silentMs: finite }),
  state: fc.record({
    kind: fc.constant('state' as const),
    states: fc.array(fc.integer(), { minLength: 1, maxLength: RULE_STATES_MAX }),
  }),
  rate: fc.record({ kind: fc.constant('rate' as const), ...limited, overMs: finite }),
  statistic: fc.record({
    kind: fc.constant('statistic' as const),
    ...limited,
    statistic: fc.constantFrom(...statistics),
    windowMs: finite,
  }),
  duration: fc.record({
    kind: fc.constant('duration' as const),
    ...limited,
    totalMs: finite,
    windowMs: finite,
  }),
  frozen: fc.record({ kind: fc.constant('frozen' as const), band: finite, forMs: finite }),
  comparison: fc.record({
    kind: fc.constant('comparison' as const),
    ...limited,
    other: fc.tuple(ids, ids).map((parts) => parts.join('/')),
    by: fc.constantFrom('difference' as const, 'ratio' as const),
  }),
  'night-flow': fc.record({
    kind: fc.constant('night-flow' as const),
    ...limited,
    fromMin: minutes,
    untilMin: minutes,
    utcOffsetMin: fc.integer({ min: -840, max: 840 }),
  }),
  cusum: fc.record({
    kind: fc.constant('cusum' as const),
    ...limited,
    target: finite,
    slack: finite,
    everyMs: finite,
  }),
} satisfies Record<RuleProposal['kind'], unknown>;
const rules = fc
  .tuple(whole, fc.oneof(...Object.values(conditions)), further)
  .map(([common, condition, more]): RuleProposal => ({ ...common, ...condition, ...more }));
// On the wire the first three kinds stand before the later ones.
const ruleLists = fc
  .array(rules, { maxLength: 4 })
  .map((list) => [...list.filter(isEarly), ...list.filter((rule) => !isEarly(rule))]);
const given = fc.oneof(
  finite,
  fc.boolean(),
  words,
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
);
const offers: fc.Arbitrary<CommandOffer> = fc.record({
  id: ids,
  title: bilinguals,
  fixed: fc.option(given),
  range: fc.option(
    fc.tuple(finite, finite).map(([a, b]) => (a < b ? [a, b] : [b, a]) as [number, number]),
  ),
  states: fc.option(fc.array(fc.oneof(finite, fc.boolean()), { minLength: 1, maxLength: 4 })),
  right: fc.constantFrom(...commandRights),
  twoPeople: fc.boolean(),
  everyMs: fc.nat(),
  timeToLiveMs: lengths,
  revert: fc.option(fc.record({ afterMs: lengths, value: given })),
});
const offerLists = fc.uniqueArray(offers, {
  selector: ({ id }) => id,
  minLength: 1,
  maxLength: OFFERS_MAX,
  size: 'small',
});
const definition = {
  device: ids,
  point: ids,
  name: bilinguals,
  unit: fc.constantFrom('1', 'kPa', '%{LEL}', 'm3/h'),
  type: fc.constantFrom(...valueTypes),
  scale: finite,
  offset: finite,
  range: fc.option(fc.tuple(finite, finite)),
  class: fc.constantFrom(...pointClasses),
  periodMs: finite,
  deadband: finite,
  asset: fc.option(fc.stringMatching(/^[A-Za-z0-9-]{1,9}(\/[A-Za-z0-9-]{1,9}){0,7}$/)),
  rules: ruleLists,
};
export const points: fc.Arbitrary<PointDefinition> = fc.record(
  { ...definition, commands: offerLists },
  { requiredKeys: Object.keys(definition) as (keyof typeof definition)[] },
);

export const parts = fc.oneof(
  fc.record({ kind: fc.constant('manifest' as const), pages: fc.array(hashes, { maxLength: 9 }) }),
  fc.record({ kind: fc.constant('page' as const), points: fc.array(points, { maxLength: 5 }) }),
);

const anyBody = fc.record({
  clock: fc.record({
    wallOffsetMs: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
    state: fc.constantFrom(...clockStates),
    errorMs: fc.nat(),
  }),
  readings: fc.option(readings, { freq: 4 }),
  isState: fc.boolean(),
  coverage: fc.array(
    fc.record({
      firstAlias: fc.nat(),
      points: fc.nat(2 ** 20),
      fromMonoMs: times,
      toMonoMs: times,
      taken: counts,
      unchanged: counts,
      failed: counts,
    }),
    { maxLength: 4 },
  ),
  gaps: fc.array(
    fc.record({
      cause: fc.constantFrom(...gapCauses),
      epoch: epochs,
      firstAlias: fc.nat(),
      points: fc.nat(2 ** 20),
      fromMonoMs: times,
      toMonoMs: times,
      readings: counts,
      estimated: fc.boolean(),
      sequences: ranges,
    }),
    { maxLength: 4 },
  ),
  clockSteps: fc.array(
    fc.record({
      monoMs: times,
      fromOffsetMs: times,
      toOffsetMs: times,
      state: fc.constantFrom(...clockStates),
    }),
    { maxLength: 3 },
  ),
  dictionary: fc.option(parts),
  isFill: fc.boolean(),
});
/** A fill is no state record, and only what is one says so. */
export const bodies: fc.Arbitrary<Body> = anyBody.map(({ isFill, ...body }) =>
  isFill && !body.isState ? { ...body, isFill } : body,
);

export const sealFields: fc.Arbitrary<SealFields> = fc.record({
  lane: fc.constantFrom(...lanes),
  epoch: epochs,
  sequence: fc.oneof(fc.integer({ min: 1, max: 9_999 }), fc.integer({ min: 1 })),
  manifest: fc.oneof(fc.constant(''), hashes),
  taken: counts,
  unchanged: counts,
  givenUp: counts,
});

interface Codec<Message> {
  readonly messages: fc.Arbitrary<Message>;
  readonly encode: (message: Message) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => Message;
}

function codec<Message>(
  messages: fc.Arbitrary<Message>,
  encode: (message: Message) => Uint8Array,
  decode: (bytes: Uint8Array) => Message,
): Codec<Message> {
  return { messages, encode, decode };
}

const filledWords = words.map((text) => text || 'x');

const fallbacks = fc.record({
  id: ids,
  act: fc.constantFrom('fire' as const, 'release' as const),
  alarms: fc.array(fc.record({ occurrence: filledWords, device: ids, point: ids, rule: ids }), {
    minLength: 1,
    maxLength: FALLBACK_ALARMS_MAX,
  }),
});
const givenCommands = fc.record({
  id: filledWords,
  issuer: filledWords,
  epoch: epochs,
  sequence: fc.nat(),
  timeToLiveMs: fc.nat(),
  device: ids,
  point: ids,
  command: ids,
  value: fc.oneof(numbers, specials, fc.boolean()),
  second: words,
  why: words,
});
const commands: fc.Arbitrary<control.Command> = fc
  .tuple(givenCommands, fc.option(fallbacks))
  .map(([command, fallback]) => (fallback ? { ...command, fallback } : command));
export const controls = {
  ack: codec(
    fc.record({
      storeId: filledWords,
      epochs: fc.array(
        fc.record({
          epoch: epochs,
          stored: ranges,
          refused: fc.array(
            fc.record({ sequence: fc.nat(), reason: fc.constantFrom(...refusalReasons) }),
            { maxLength: 5 },
          ),
          wanted: ranges,
        }),
        { maxLength: 4 },
      ),
      needed: fc.array(hashes, { maxLength: 5 }),
      creditBytes: counts,
    }),
    control.encodeAck,
    control.decodeAck,
  ),
  birth: codec(
    fc.record({
      storeIdSeen: words,
      software: words,
      configuration: words,
      manifest: fc.oneof(fc.constant(''), hashes),
      epochs: fc.array(fc.record({ epoch: epochs, held: ranges, next: fc.integer({ min: 1 }) }), {
        maxLength: 5,
      }),
    }),
    control.encodeBirth,
    control.decodeBirth,
  ),
  status: codec(
    fc.record({
      connection: fc.nat(),
      online: fc.boolean(),
      clock: fc.constantFrom(...clockStates),
      paths: fc.integer({ min: 1, max: PATHS_MAX }),
    }),
    control.encodeStatus,
    control.decodeStatus,
  ),
  cloudStatus: codec(
    fc.record({ online: fc.boolean() }),
    control.encodeCloudStatus,
    control.decodeCloudStatus,
  ),
  configuration: codec(
    fc.record({ revision: fc.nat(), hash: hashes, document: fc.uint8Array() }),
    control.encodeConfigurationState,
    control.decodeConfigurationState,
  ),
  command: codec(commands, control.encodeCommand, control.decodeCommand),
  reply: codec(
    fc.record({
      id: filledWords,
      outcome: fc.constantFrom(...outcomes),
      reason: fc.constantFrom(...commandReasons),
      detail: words,
      epoch: epochs,
      monoMs: times,
      readBack: fc.oneof(numbers, specials, fc.boolean()),
      issued: fc.option(commands),
    }),
    control.encodeReply,
    control.decodeReply,
  ),
  confirm: codec(
    fc.record({ occurrence: filledWords, by: words, atMs: fc.nat() }),
    control.encodeConfirm,
    control.decodeConfirm,
  ),
} as const;

interface Mutation {
  readonly kind: 'flip' | 'cut' | 'insert' | 'remove' | 'repeat';
  readonly at: number;
  readonly data: Uint8Array;
}

// Varints without end, lengths of 2^32 and more, groups, the tags of our own fields.
const nasty = fc.constantFrom(
  ...['ffffffffffffffffffff01', 'ffffffff0f', 'ffffffffffffff7f', '80', '0b', '0c', '2a', '00'],
  ...['0a00', '2a00', '3200', '2a040a020080', '08ffffffff07', '18', '20', '7f'],
);

export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('flip', 'cut', 'insert', 'remove', 'repeat'),
    at: fc.nat(),
    data: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      nasty.map((text) => fromHex(text)!),
    ),
  }),
  { minLength: 1, maxLength: 4 },
) as fc.Arbitrary<Mutation[]>;

export function mutate(bytes: Uint8Array, list: readonly Mutation[]): Uint8Array {
  let out = Buffer.from(bytes);
  for (const { kind, at, data } of list) {
    const place = out.length === 0 ? 0 : at % out.length;
    const rest = out.subarray(place);
    if (kind === 'flip') {
      for (let i = 0; i < Math.min(data.length, rest.length); i++) out[place + i]! ^= data[i]!;
    } else if (kind === 'cut') out = out.subarray(0, place);
    else if (kind === 'insert') out = Buffer.concat([out.subarray(0, place), data, rest]);
    else if (kind === 'remove') {
      out = Buffer.concat([out.subarray(0, place), rest.subarray(data.length)]);
    } else out = Buffer.concat([out, rest.subarray(0, 256)]);
  }
  return Uint8Array.from(out);
}

/** Makes both checks of a damaged record hold again, so that the damage is met further in. */
export function withChecks(bytes: Uint8Array): Uint8Array {
  const start = bytes[4] ?? 0;
  if (start < 13 || start > bytes.length) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(start - 6, crc32c(bytes, start), true);
  view.setUint16(start - 2, crc16Modbus(bytes, 0, start - 2), true);
  return bytes;
}

/** Runs it; true when it gave a value, false at a Fault `uplink_*`; anything else is thrown on. */
export function isTaken(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (isFault(error) && error.code.startsWith('uplink_')) return false;
    throw error;
  }
}

/** A body in plain values, to compare: arrays for columns, special values by place. */
export function plainOf(body: Body) {
  const { readings, ...rest } = body;
  if (!readings) return { ...rest, readings: null };
  const { count, alias, monoMs, quality, special } = readings;
  const columns = { alias: [...alias], monoMs: [...monoMs], quality: [...quality] };
  const sorted = [...special].sort(([a], [b]) => a - b);
  return {
    ...rest,
    readings: {
      ...{ count, ...columns, numbers: [...readings.numbers], special: sorted },
      ...(readings.origins && { origins: plainOrigins(readings.origins) }),
    },
  };
}

function plainOrigins({ status, sourceMs, serverMs }: OriginColumns) {
  return { status: [...status], sourceMs: [...sourceMs], serverMs: [...serverMs] };
}

/** Every claim about foreign bytes, over one mutated record. */
export function swallow(fields: SealFields, body: Body, list: readonly Mutation[]): void {
  const { bytes } = seal(fields, body);
  const damaged = mutate(bytes, list);
  readEnvelope(damaged);
  isTaken(() => openRecord(damaged));
  const checked = withChecks(Uint8Array.from(damaged));
  readEnvelope(checked);
  isTaken(() => openRecord(checked));
  const context = { readings: body.readings?.count ?? 0, firstMonoMs: 0 };
  isTaken(() => decodeBody(mutate(encodeBody(body, 0), list), context));
  if (body.dictionary) {
    const part = mutate(encodePart(body.dictionary), list);
    isTaken(() => encodePart(decodePart(part)));
  }
}

const GOLDEN = 64;
const sampled = <Each>(arbitrary: fc.Arbitrary<Each>) =>
  fc.sample(arbitrary, { numRuns: GOLDEN, seed: 20_261_122 });

/** Made when first needed: the property tests beside it do without. */
function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => (made ??= make());
}

const goldenRecords = once(() =>
  fc
    .sample(fc.tuple(sealFields, bodies), { numRuns: GOLDEN, seed: 20_261_122 })
    .map(([fields, body]) => seal(fields, body).bytes),
);
const goldenBodies = once(() => sampled(bodies).map((body) => encodeBody(body, 0)));
const goldenParts = once(() => sampled(parts).map(encodePart));
const goldenControls = once(() =>
  (Object.values(controls) as Codec<unknown>[]).map(({ messages, encode, decode }) => ({
    golden: sampled(messages).map(encode),
    decode,
  })),
);

/** Columns of one length, and no more readings than the envelope counts. */
function checkBody(bytes: Uint8Array, count: number): void {
  const { readings: columns } = decodeBody(bytes, { readings: count, firstMonoMs: 0 }).body;
  if (!columns) return;
  const { alias, monoMs, quality, numbers: numeric, special, origins } = columns;
  for (const { length } of [alias, monoMs, quality, numeric]) assert.equal(length, count);
  assert(special.size <= count);
  if (!origins) return;
  const { status, sourceMs, serverMs } = origins;
  for (const { length } of [status, sourceMs, serverMs]) assert.equal(length, count);
  for (const ms of [...sourceMs, ...serverMs]) {
    if (!Number.isNaN(ms)) assert.equal(new Date(ms).getTime(), ms); // It can be shown.
  }
}

export const uplinkTargets: readonly FuzzTarget[] = [
  {
    name: 'uplink-record',
    about: 'sealed records, their envelopes and bodies',
    swallow: (draw) => {
      const damaged = draw.mutated(goldenRecords());
      for (const bytes of [damaged, withChecks(Uint8Array.from(damaged))]) {
        readEnvelope(bytes);
        isTaken(() => openRecord(bytes));
      }
      isTaken(() => checkBody(draw.mutated(goldenBodies()), draw.integer(0, 120)));
    },
  },
  {
    name: 'uplink-dictionary',
    about: 'parts of dictionaries',
    swallow: (draw) => {
      const bytes = draw.mutated(goldenParts());
      isTaken(() => encodePart(decodePart(bytes)));
    },
  },
  {
    name: 'uplink-control',
    about: 'acks, births, states, commands, replies',
    swallow: (draw) => {
      const { golden, decode } = draw.pick(goldenControls());
      isTaken(() => decode(draw.mutated(golden)));
    },
  },
];
