// The format of a profile file: one zod value that is type, check and JSON Schema for editors. It
// says what a file looks like; what a schema cannot say (an alarm that never clears, two points on
// one register) is in cross-checks.ts. An error text is a key of the catalogue.
import { z } from 'zod';
import { RULE_STATES_MAX } from '../core/alarm/rule.ts';
import { manners, ruleKinds } from '../core/alarm/rule-form.ts';
import { commandRights, OFFER_STATES_MAX, OFFERS_MAX } from '../core/command.ts';
import { reasons } from '../core/quality.ts';
import type { PointClass } from '../core/reading.ts';
import { pointClasses } from '../core/reading.ts';
import { bilingualForm, durationForm, idForm, TITLE_MAX } from '../core/schema.ts';
import type { Bilingual, MessageKey } from '../core/text/text.ts';
import { unitCodes } from '../core/units.ts';
import { orders } from '../protocols/modbus/address.ts';
import { defaultAlarmSets } from './defaults.ts';

const key = (code: MessageKey) => code;

/** `vendor/model`, as the folders and files under device-profiles are named. */
export const PROFILE_ID_PATTERN = /^[a-z0-9-]{1,32}\/[a-z0-9-]{1,32}$/;

/**
 * How a text begins that still waits for what the manual says: a warning of `profile check`, and no
 * profile of the library has one.
 */
export const PLACEHOLDER = 'PLACEHOLDER';

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
  'output-module': { en: 'output module', zh: '输出模块' },
  siren: { en: 'siren and beacon', zh: '声光报警器' },
  'pump-station': { en: 'pump station', zh: '泵站' },
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

export const scaleKinds = ['decimals', 'exponent', 'factor'] as const;
export type ScaleKind = (typeof scaleKinds)[number];

const readForm = z
  .record(z.string(), z.unknown(), key('not-a-map'))
  .describe(
    'Where the value stands, in the words of the protocol: table, address, type, order, bit',
  );

const normText = z.string().min(1).max(200);

const alarmCommon = {
  ...manners,
  action: bilingualForm
    .optional()
    .describe('What to do, for the person who gets it; a longer text is `action` of the sheet'),
  norm: z
    .union([normText, z.strictObject({ en: normText, zh: normText })])
    .optional()
    .describe('Where the limit comes from: in both languages, or a bare citation for both'),
};

const limitForm = z.strictObject({
  raise: z.number().describe('In alarm from this value on'),
  clear: z
    .number()
    .optional()
    .describe('Normal again beyond it: below raise for high, above for low; default by kind'),
  delay: durationForm
    .optional()
    .describe('Must hold this long before it is an alarm; default by kind, 0s without a unit'),
  off_delay: durationForm
    .optional()
    .describe('Must be gone this long; default by kind, 60s without a unit'),
  ...alarmCommon,
});

const noDataForm = z.strictObject({
  after: durationForm.describe('No good reading for this long'),
  ...alarmCommon,
});

const discreteForm = z.strictObject({
  delay: durationForm.optional().describe('Must hold this long before it is an alarm; default 0s'),
  off_delay: durationForm.optional().describe('Must be gone this long; default 0s'),
  ...alarmCommon,
});

const stateForm = discreteForm.extend({
  is: z
    .array(z.union([z.int(), z.boolean()]))
    .min(1)
    .max(RULE_STATES_MAX)
    .describe('In alarm while the value is one of these'),
});

/** Kinds that have a name of their own above, and the baseline that only a site can know. */
const { limit: _limit, state: _state, 'no-data': _noData, deviation: _, ...further } = ruleKinds;
const furtherKinds = Object.values(further);
type Further = (typeof furtherKinds)[number];

/** Rules beyond limits and states of the value, by id: `others`. */
export const furtherForm = z.discriminatedUnion('kind', furtherKinds as [Further, ...Further[]]);

/** What a device can say of how to read its values: a register beside them. */
const wholeKey = z.string().regex(/^(0|-?[1-9][0-9]{0,8}|0x[0-9a-fA-F]{1,8})$/, key('not-a-whole'));
const unitName = z.string().min(1).max(20);

const unitFromForm = z
  .strictObject({
    read: readForm,
    map: z
      .record(
        wholeKey,
        z.union([
          unitName,
          z.strictObject({
            unit: unitName,
            factor: z.number().describe('Value in the unit of the point = value x factor + offset'),
            offset: z.number().optional().describe('Default 0'),
          }),
        ]),
      )
      .describe('What the register shows -> unit; with a factor where it can be turned into ours'),
  })
  .describe('The unit set in the device. Another one without a factor makes the point bad');

const scaleFromForm = z
  .strictObject({
    read: readForm,
    kind: z
      .enum(scaleKinds)
      .describe('decimals d: raw / 10^d; exponent e: raw x 10^e, SunSpec; factor f: raw x f'),
  })
  .describe('The scale set in the device');

const orderFromForm = z
  .strictObject({ read: readForm, map: z.record(wholeKey, z.enum(orders)) })
  .describe('The word order set in the device');

const mapForm = z
  .strictObject({
    raw: z.tuple([z.number(), z.number()]),
    value: z.tuple([z.number(), z.number()]),
    signal: z
      .literal('4-20mA')
      .optional()
      .describe(
        'raw is 4 and 20 mA: beyond 3.6 and 21 mA bad, beyond 3.8 and 20.5 uncertain (NE 43)',
      ),
  })
  .describe('A straight line through two points, instead of scale and offset');

const stateTextForm = z.strictObject({
  en: z.string().min(1).max(TITLE_MAX),
  zh: z.string().min(1).max(TITLE_MAX),
  in_service: z
    .boolean()
    .optional()
    .describe('false: points that name this one as `mode` are bad, not_in_service; default true'),
});

const stepForm = z.union(
  [
    z.strictObject({ write: readForm.describe('table, address, value or values') }),
    z.strictObject({ read: readForm.describe('table, address, count; 0 is a count') }),
  ],
  key('not-a-step'),
);

export const triggerForm = z
  .strictObject({
    start: stepForm.describe('Sent before the points that name this trigger are read'),
    wait: durationForm.describe(
      'Then nothing is asked of the device for this long; the line is free',
    ),
    stop: stepForm.optional().describe('Sent after they were read, come what may'),
  })
  .describe('What a device needs to be told before it measures');

const commandedForm = z.union([z.number(), z.boolean(), z.string().min(1).max(80)]);

export const commandRangeForm = z.tuple([z.number(), z.number()]);
export const commandRightForm = z.enum(commandRights);
export const revertForm = z.strictObject({
  after: durationForm.describe('When the cloud was not heard for so long while the effect stands'),
  value: commandedForm.describe('Written then'),
});

/** What `write` and each of `commands` may say. */
const commandCommon = {
  range: commandRangeForm
    .optional()
    .describe('What may be given, in the unit of the point; default the range of the point'),
  states: z
    .array(z.union([z.number(), z.boolean()]))
    .min(1)
    .max(OFFER_STATES_MAX)
    .optional()
    .describe('The only values that may be given; default the states of the point'),
  right: commandRightForm.optional().describe('The least right that may give it; default control'),
  two_people: z.boolean().optional().describe('A second person must release it; default false'),
  every: durationForm.optional().describe('Not sooner after the one before it; default no limit'),
  time_to_live: durationForm.optional().describe('How long it is worth doing; default 30s'),
  read_back: z
    .union([
      z.literal(false),
      z.strictObject({
        within: durationForm.optional().describe('The point must show it by then; default 5s'),
        tolerance: z.number().min(0).optional().describe('As nearly as this; default half a step'),
      }),
    ])
    .optional()
    .describe('false: the point does not show what was written'),
  revert: revertForm.optional(),
};

export const writeForm = z
  .strictObject({ title: bilingualForm.optional(), ...commandCommon })
  .describe('The command `set`: whoever commands gives the value that is written');

export const commandForm = z.strictObject({
  title: bilingualForm,
  value: commandedForm.optional().describe('Always this one; without it, a value must be given'),
  write: readForm.optional().describe('Where it is written; default where the point is read'),
  call: readForm.optional().describe('What is called instead, in the words of the protocol'),
  scale: z.number().optional().describe('Written = (value - offset) / scale; default the point’s'),
  offset: z.number().optional().describe('Default that of the point'),
  words: z
    .record(
      z.string().regex(/^(true|false|-?\d{1,9})$/, key('not-a-state')),
      z.union([z.int(), z.boolean()]),
    )
    .optional()
    .describe('What is written for each value, where the device wants a word of its own'),
  ...commandCommon,
});

export const invalidKeyPattern = /^(nan|0x[0-9a-fA-F]{1,16}|-?(0|[1-9][0-9]{0,18})(\.[0-9]+)?)$/;

export const pointForm = z.strictObject({
  title: bilingualForm,
  read: readForm,
  mode: idForm.optional().describe('The point that says whether the device is in service'),
  unit_from: unitFromForm.optional(),
  scale_from: scaleFromForm.optional(),
  order_from: orderFromForm.optional(),
  before: idForm.optional().describe('One of `triggers`, started before this point is read'),
  map: mapForm.optional(),
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
    .record(z.string().regex(/^(true|false|-?\d{1,9})$/, key('not-a-state')), stateTextForm)
    .optional()
    .describe('What each raw value of an enumeration means'),
  alarms: z
    .strictObject({
      high: limitForm.optional(),
      high_high: limitForm.optional(),
      low: limitForm.optional(),
      low_low: limitForm.optional(),
      state: stateForm.optional(),
      not_in_service: discreteForm
        .optional()
        .describe(
          'While the mode says so. Default for a point named as `mode`: level 3, after 60s',
        ),
      no_data: noDataForm.optional(),
      others: z
        .record(idForm, furtherForm)
        .optional()
        .describe('By id: rate, statistic, duration, frozen, comparison, night-flow, cusum'),
    })
    .optional(),
  default_alarms: z
    .enum(Object.keys(defaultAlarmSets) as (keyof typeof defaultAlarmSets)[])
    .optional()
    .describe('A set of customary alarms, marked as defaults; `alarms` goes before it, one by one'),
  write: writeForm.optional(),
  commands: z
    .record(idForm, commandForm)
    .optional()
    .describe(
      `By name, with \`set\` at most ${OFFERS_MAX}; nothing is done unless the site allows it`,
    ),
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
      z.strictObject({
        value: z.union([z.number(), z.boolean(), z.string()]),
        quality: z.literal('uncertain'),
        reason: z.enum(reasons.slice(1)),
      }),
    ],
    key('not-an-expectation'),
  )
  .describe('The value, or { value: null, quality: bad, reason: … }, or uncertain with a value');

const nodesForm = z
  .record(
    idForm,
    z.strictObject({
      value: z.union([z.number(), z.boolean(), z.string()]).optional().describe('Raw'),
      status: z
        .int()
        .min(0)
        .max(0xffff_ffff)
        .optional()
        .describe('StatusCode such as 0x808C0000; default good'),
    }),
  )
  .describe('By point id: what the server says of its node');

export const testForm = z.strictObject({
  name: z.string().min(1).max(200),
  registers: z
    .strictObject({
      holding: registersForm.optional(),
      input: registersForm.optional(),
      coil: registersForm.optional(),
      discrete: registersForm.optional(),
    })
    .optional()
    .describe('Of a profile for Modbus'),
  nodes: nodesForm.optional().describe('Of a profile for OPC UA'),
  expect: z.record(idForm, expectForm),
});

const pattern = z.string().min(1).max(100);

export const identifyForm = z.union(
  [
    z.strictObject({
      read: readForm,
      equals: z
        .union([z.number(), z.string(), z.array(z.number()).min(1)])
        .describe('What stands there; of a list, any'),
    }),
    z.strictObject({
      device_id: z.strictObject({ vendor: pattern.optional(), product: pattern.optional() }),
    }),
  ],
  key('not-an-identification'),
);

export const profileProtocols = ['modbus', 'opcua'] as const;

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
  protocol: z.enum(profileProtocols),
  device: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Settings of the protocol a site may override: unit, timeout, limits, namespaces'),
  wakes_after: durationForm
    .optional()
    .describe('When nothing was asked for this long, the first request may go unanswered'),
  triggers: z.record(idForm, triggerForm).optional(),
  identify: z.array(identifyForm).min(1).optional().describe('In this order; the first that fits'),
  points: z.record(idForm, pointForm),
  caveats: z.array(bilingualForm).optional().describe('What a user of this model should know'),
  tests: z
    .array(testForm)
    .optional()
    .describe('Registers or nodes in, readings out; run without hardware'),
});

export type ProfileSource = z.infer<typeof profileForm>;
export type PointSource = z.infer<typeof pointForm>;
export type WriteSource = z.infer<typeof writeForm>;
export type CommandSource = z.infer<typeof commandForm>;
export type TriggerSource = z.infer<typeof triggerForm>;
export type LimitSource = z.infer<typeof limitForm>;
export type IdentifySource = z.infer<typeof identifyForm>;
export type ProfileTest = z.infer<typeof testForm>;

/** What device-profiles/profile.schema.json holds; a test keeps it current. */
export function profileJsonSchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(profileForm, { io: 'input', target: 'draft-07' });
  return { $schema, title: 'Lifeline device profile, version 1', ...rest };
}
