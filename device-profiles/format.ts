// The format of a profile file: one zod value that is type, check and JSON Schema for editors. It
// says what a file looks like; what a schema cannot say (an alarm that never clears, two points on
// one register) is in cross-checks.ts. An error text is a key of the catalogue.
import { z } from 'zod';
import { reasons } from '../core/quality.ts';
import type { PointClass } from '../core/reading.ts';
import { pointClasses } from '../core/reading.ts';
import { alarmLevelForm, bilingualForm, durationForm, idForm } from '../core/schema.ts';
import type { Bilingual, MessageKey } from '../core/text/text.ts';
import { unitCodes } from '../core/units.ts';

const key = (code: MessageKey) => code;

/** `vendor/model`, as the folders and files under device-profiles are named. */
export const PROFILE_ID_PATTERN = /^[a-z0-9-]{1,32}\/[a-z0-9-]{1,32}$/;

/** A dictionary page of 64 KB holds about 300 points; no device model comes near. */
export const POINTS_MAX = 256;

export const deviceKinds = {
  'gas-detector': { en: 'gas detector', zh: '气体探测器' },
  'flow-meter': { en: 'flow meter', zh: '流量计' },
  'pressure-transmitter': { en: 'pressure transmitter', zh: '压力变送器' },
  'level-transmitter': { en: 'level transmitter', zh: '液位计' },
  'heat-meter': { en: 'heat meter', zh: '热量表' },
  'water-quality': { en: 'water quality sensor', zh: '水质传感器' },
  'weather-station': { en: 'weather station', zh: '气象站' },
  'tilt-sensor': { en: 'tilt sensor', zh: '倾角传感器' },
  'strain-sensor': { en: 'strain sensor', zh: '应变传感器' },
  'displacement-sensor': { en: 'displacement sensor', zh: '位移传感器' },
  'temperature-sensor': { en: 'temperature sensor', zh: '温度传感器' },
  'power-meter': { en: 'power meter', zh: '电能表' },
  'input-module': { en: 'input module', zh: '采集模块' },
  drive: { en: 'pump drive', zh: '水泵变频器' },
} as const satisfies Record<string, Bilingual>;
export type DeviceKind = keyof typeof deviceKinds;

export const statuses = {
  official: { en: 'from the manufacturer’s document', zh: '依据厂家文件' },
  project: { en: 'from a maintained open project', zh: '依据持续维护的开源项目' },
  community: { en: 'from a third party, not confirmed', zh: '依据第三方资料，未经证实' },
} as const satisfies Record<string, Bilingual>;

/** How often a point is read when its profile does not say. */
export const defaultPolls = {
  'life-safety': '2s',
  compliance: '10s',
  trend: '30s',
} as const satisfies Record<PointClass, string>;

const readForm = z
  .record(z.string(), z.unknown(), key('not-a-map'))
  .describe(
    'Where the value stands, in the words of the protocol: table, address, type, order, bit',
  );

const alarmCommon = {
  level: alarmLevelForm,
  title: bilingualForm.optional().describe('Default: the title of the point and the kind of alarm'),
  action: bilingualForm.optional().describe('What to do, for the person who gets it'),
  norm: z.string().min(1).max(200).optional().describe('Where the limit comes from'),
};

const limitForm = z.strictObject({
  raise: z.number().describe('In alarm from this value on'),
  clear: z.number().describe('Normal again beyond this value: below raise for high, above for low'),
  delay: durationForm.optional().describe('Must hold this long before it is an alarm; default 0s'),
  off_delay: durationForm.optional().describe('Must be gone this long; default 60s'),
  ...alarmCommon,
});

const noDataForm = z.strictObject({
  after: durationForm.describe('No good reading for this long'),
  ...alarmCommon,
});

export const invalidKeyPattern = /^(nan|0x[0-9a-fA-F]{1,16}|-?(0|[1-9][0-9]{0,18})(\.[0-9]+)?)$/;

export const pointForm = z.strictObject({
  title: bilingualForm,
  read: readForm,
  scale: z.number().optional().describe('Value = raw x scale + offset; default 1'),
  offset: z.number().optional().describe('In the unit of the point; default 0'),
  unit: z
    .enum(unitCodes, key('unknown-unit'))
    .optional()
    .describe('UCUM code; default 1, a number without unit'),
  range: z
    .tuple([z.number(), z.number()])
    .optional()
    .describe('What the device can measure; outside of it the reading is bad'),
  class: z.enum(pointClasses).optional().describe('Default trend'),
  poll: durationForm.optional().describe('Default by class: 2s, 10s, 30s'),
  deadband: z
    .number()
    .min(0)
    .optional()
    .describe('A change up to this, in the unit of the point, may be left out of the report'),
  invalid: z
    .record(z.string().regex(invalidKeyPattern, key('not-a-raw-value')), z.enum(reasons.slice(1)))
    .optional()
    .describe('Raw values that are no measurement: decimal, 0xFFFF as bit pattern, or nan'),
  states: z
    .record(z.string().regex(/^(true|false|-?\d{1,9})$/, key('not-a-state')), bilingualForm)
    .optional()
    .describe('What each raw value of an enumeration means'),
  alarms: z
    .strictObject({
      high: limitForm.optional(),
      high_high: limitForm.optional(),
      low: limitForm.optional(),
      low_low: limitForm.optional(),
      no_data: noDataForm.optional(),
    })
    .optional(),
  caveat: bilingualForm.optional().describe('What a user of this point should know'),
});

const registersForm = z
  .record(
    z.string().regex(/^(0|[1-9][0-9]{0,4}|0x[0-9a-fA-F]{1,4})$/, key('not-a-register')),
    z.array(z.int().min(0).max(0xffff)).min(1),
  )
  .describe('First address and what stands from there on');

const expectForm = z
  .union(
    [
      z.number(),
      z.boolean(),
      z.string(),
      z.strictObject({
        value: z.null(),
        quality: z.literal('bad'),
        reason: z.enum(reasons.slice(1)),
      }),
    ],
    key('not-an-expectation'),
  )
  .describe('The value, or { value: null, quality: bad, reason: … }');

export const testForm = z.strictObject({
  name: z.string().min(1).max(200),
  registers: z.strictObject({
    holding: registersForm.optional(),
    input: registersForm.optional(),
    coil: registersForm.optional(),
    discrete: registersForm.optional(),
  }),
  expect: z.record(idForm, expectForm),
});

const pattern = z.string().min(1).max(100);

export const identifyForm = z.union(
  [
    z.strictObject({ read: readForm, equals: z.union([z.number(), z.string()]) }),
    z.strictObject({
      device_id: z.strictObject({ vendor: pattern.optional(), product: pattern.optional() }),
    }),
  ],
  key('not-an-identification'),
);

/** The format of a profile file, version 1. */
export const profileForm = z.strictObject({
  version: z.literal(1),
  profile: z.strictObject({
    id: z.string().regex(PROFILE_ID_PATTERN, key('not-a-profile-id')).describe('vendor/model'),
    revision: z
      .string()
      .regex(/^\d{1,4}\.\d{1,4}\.\d{1,4}$/, key('not-a-revision'))
      .describe('Rises with every change that is released: "1.0.0"'),
    kind: z.enum(Object.keys(deviceKinds) as DeviceKind[]),
    vendor: z.string().min(1).max(80),
    models: z.array(z.string().min(1).max(80)).min(1),
    title: bilingualForm,
    source: z.strictObject({
      document: z.string().min(1).max(300).describe('Title, revision, page; public'),
      link: z
        .string()
        .regex(/^https?:\/\/\S+$/, key('not-a-link'))
        .optional(),
      status: z.enum(Object.keys(statuses) as (keyof typeof statuses)[]),
    }),
  }),
  protocol: z.literal('modbus'),
  device: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Settings of the protocol a site may override: unit, timeout, limits'),
  identify: z.array(identifyForm).min(1).optional().describe('In this order; the first that fits'),
  points: z.record(idForm, pointForm),
  caveats: z.array(bilingualForm).optional().describe('What a user of this model should know'),
  tests: z.array(testForm).optional().describe('Registers in, readings out; run without hardware'),
});

export type ProfileSource = z.infer<typeof profileForm>;
export type PointSource = z.infer<typeof pointForm>;
export type LimitSource = z.infer<typeof limitForm>;
export type IdentifySource = z.infer<typeof identifyForm>;
export type ProfileTest = z.infer<typeof testForm>;

/** What device-profiles/profile.schema.json holds; a test keeps it current. */
export function profileJsonSchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(profileForm, { io: 'input', target: 'draft-07' });
  return { $schema, title: 'Lifeline device profile, version 1', ...rest };
}
