// The format of a gateway file: one zod value that is type, check and JSON Schema for editors. It
// says what a file looks like; what a schema cannot say (a link nobody defined, a limit without
// hysteresis after an override) is in gateway.ts. An error text is a key of the catalogue.
import { z } from 'zod';
import { OFFER_STATES_MAX, OFFERS_MAX } from '../../core/command.ts';
import { datums } from '../../core/point.ts';
import {
  alarmLevelForm,
  assetForm,
  bilingualForm,
  durationForm,
  idForm,
  sizeForm,
} from '../../core/schema.ts';
import type { MessageKey } from '../../core/text/text.ts';
import { commandRangeForm, commandRightForm, revertForm } from '../../device-profiles/format.ts';
import { LINE_SETTINGS_PATTERN, lineSettings } from '../../protocols/line-settings.ts';
import { framings } from '../../protocols/modbus/address.ts';
import { ENDPOINT_PATTERN, modes, policies } from '../../protocols/opcua/place.ts';
import { protocols } from '../../protocols/registry.ts';

const key = (code: MessageKey) => code;

/** Each is about 400 bytes of a file that holds 1 MB, and a label of the metrics. */
export const DEVICES_MAX = 2000;
export const LINKS_MAX = 500;
const LABELS_MAX = 20;
const SETTINGS_MAX = 200;

const HOST_PATTERN = /^[A-Za-z0-9.:_-]{1,253}$/;
const URL_PATTERN = /^mqtts?:\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[1-9][0-9]{0,4})?$/;
/** A number each, so that no name server is asked for a network of one's own. */
const ADDRESS_PATTERN = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){2,7})$/;
/** A device file, or a name that leads to one. */
const PORT_PATTERN = /^\/[^\s]{1,254}$/;
/** The path of a Unix socket has room for 107 bytes. */
const SOCKET_PATTERN = /^(\/[\x21-\x7e]{1,106}|[A-Za-z0-9._-]{1,253}:[1-9][0-9]{0,4})$/;
/** 1 to 64 bytes: printable ASCII, or `hex:` and pairs of digits. */
export const PACKET_PATTERN = /^(hex:( ?[0-9a-fA-F]{2}){1,64}|(?!hex:)[\x20-\x7e]{1,64})$/;
/** `vendor/model@1`: any revision 1.x.y; `@1.4.0` only that one. */
const PROFILE_PATTERN = /^[a-z0-9-]{1,32}\/[a-z0-9-]{1,32}@[0-9]{1,4}(\.[0-9]{1,4}){0,2}$/;
/** `points.ch4.alarms.high.raise` */
const SETTING_PATTERN = /^points\.[a-z0-9-]+(\.[a-z0-9_-]+){1,4}$/;

const hostForm = z
  .string(key('not-a-host'))
  .regex(HOST_PATTERN, key('not-a-host'))
  .describe('Address or name; an address needs no name server');
const portForm = z.int().min(1).max(65_535);

const lineSettingsForm = z
  .string(key('not-line-settings'))
  .regex(LINE_SETTINGS_PATTERN, { message: key('not-line-settings'), abort: true })
  .refine((text) => lineSettings(text) !== undefined, key('not-line-settings'));

const packetForm = z
  .string(key('not-a-packet'))
  .regex(PACKET_PATTERN, key('not-a-packet'))
  .describe('Text as it is sent, or bytes: "hex:c0 01"');

const echoForm = z
  .boolean()
  .optional()
  .describe('The adapter gives back what is sent on a two-wire line; default false');

const framingForm = z.enum(framings);
const serialFramingForm = z.enum(['rtu', 'ascii']).optional().describe('Default rtu');

const everyLink = {
  protocol: z.enum(protocols.map(({ name }) => name)),
  timeout: durationForm.optional().describe('Of one request; default by protocol, 1s for Modbus'),
  answer: durationForm
    .optional()
    .describe('What a device behind it takes to answer, for the arithmetic; default 10ms'),
};
const inFlightForm = z
  .int()
  .min(1)
  .max(16)
  .optional()
  .describe('Requests at once with framing tcp; default 1');
const behindForm = lineSettingsForm
  .optional()
  .describe('Of the serial line behind a converter, such as 9600-8N1: its speed is reckoned with');

const tcpForm = z.strictObject({
  ...everyLink,
  kind: z.literal('tcp').describe('A device or converter that listens'),
  host: hostForm,
  port: portForm.optional().describe('Default 502'),
  connect_timeout: durationForm.optional().describe('Default 3s'),
  in_flight: inFlightForm,
  framing: framingForm.optional().describe('Default tcp; rtu for a transparent converter'),
  serial: behindForm,
  backup: z
    .strictObject({ host: hostForm, port: portForm.optional().describe('Default 502') })
    .optional()
    .describe('A second way to the same devices, used while the first fails'),
});

const serialForm = z.strictObject({
  ...everyLink,
  kind: z.literal('serial').describe('A serial port of this gateway'),
  port: z
    .string(key('not-a-port'))
    .regex(PORT_PATTERN, key('not-a-port'))
    .describe('/dev/serial/by-id/...: a name that stays when ports are numbered anew'),
  serial: lineSettingsForm.optional().describe('Default 9600-8N1'),
  framing: serialFramingForm,
  echo: echoForm,
});

const tcpServerForm = z.strictObject({
  ...everyLink,
  kind: z.literal('tcp-server').describe('A terminal unit (DTU) dials in'),
  listen: z.strictObject({
    host: hostForm.optional().describe('Default 127.0.0.1'),
    port: portForm.describe('Several links may share one: the identity tells them apart'),
    insecure: z.boolean().optional().describe('Allows it beyond this machine; default false'),
  }),
  identity: packetForm.describe('Registration packet the unit sends first: text, or "hex:c0 01"'),
  heartbeat: packetForm.optional().describe('What the unit sends to stay connected; taken out'),
  framing: framingForm.optional().describe('Default rtu'),
  in_flight: inFlightForm,
  serial: behindForm,
});

const simForm = z.strictObject({
  ...everyLink,
  kind: z.literal('sim').describe('A simulated serial line'),
  socket: z
    .string(key('not-a-socket'))
    .regex(SOCKET_PATTERN, key('not-a-socket'))
    .describe('Of the line simulator: /path/of/socket or host:port'),
  serial: lineSettingsForm.optional().describe('Default 9600-8N1'),
  framing: serialFramingForm,
  echo: echoForm,
});

const brokerForm = z
  .string(key('not-a-broker'))
  .regex(URL_PATTERN, key('not-a-broker'))
  .describe('mqtts://host:port, or mqtt:// without encryption');
const localAddressForm = z
  .string(key('not-an-address'))
  .regex(ADDRESS_PATTERN, key('not-an-address'))
  .optional()
  .describe('Source address of the connection: the network it goes by, where there are several');
const insecureForm = z
  .boolean()
  .optional()
  .describe('Allows mqtt:// beyond this machine; default false');

const secondForm = z
  .strictObject({
    url: brokerForm,
    credentials: z.string().min(1).optional().describe('Default those of the first path'),
    local_address: localAddressForm,
    insecure: insecureForm,
    cost: z.enum(['metered', 'free']).optional().describe('Default metered'),
    trends: z
      .enum(['never', 'when_first_is_down'])
      .optional()
      .describe('Live readings of class trend; default when_first_is_down'),
    backlog: z
      .boolean()
      .optional()
      .describe(
        'What an outage left, while the first path is down; default where it costs nothing',
      ),
  })
  .describe('A second path to the cloud: another broker, or another network to the same one');

const batchForm = z.int().min(1).max(10_000).optional();
const pkiFileForm = z.string().min(1).max(255).describe('Beside this file');

const opcuaForm = z.strictObject({
  ...everyLink,
  kind: z.literal('opcua').describe('An OPC UA server'),
  endpoint: z
    .string(key('not-an-endpoint'))
    .regex(ENDPOINT_PATTERN, key('not-an-endpoint'))
    .describe('opc.tcp://host:4840/path'),
  security: z
    .strictObject({
      policy: z.enum(policies).optional().describe('Default Basic256Sha256'),
      mode: z.enum(modes).optional().describe('Default SignAndEncrypt'),
      host: hostForm
        .optional()
        .describe('The name its certificate has, where it is not that of the endpoint'),
      expired: z
        .enum(['refuse', 'accept'])
        .optional()
        .describe('A trusted certificate that has ended; default refuse'),
    })
    .optional(),
  insecure: z.boolean().optional().describe('Allows policy None; default false'),
  identity: z
    .union([
      z.strictObject({
        user: z.string().min(1).max(255),
        password: z.string().min(1).describe('${secret:name} or ${env:NAME}'),
      }),
      z.strictObject({ certificate: pkiFileForm, key: pkiFileForm }),
    ])
    .optional()
    .describe('Default anonymous'),
  session_timeout: durationForm.optional().describe('The server keeps a session so long; 60s'),
  publishing: durationForm.optional().describe('How often it tells what changed; default 500ms'),
  keepalive: durationForm.optional().describe('At the latest it says that nothing did; default 5s'),
  limits: z
    .strictObject({
      read: batchForm,
      write: batchForm,
      monitor: batchForm,
      translate: batchForm,
      history: batchForm,
    })
    .optional()
    .describe('Most in one request, where the server is wrong about its own'),
});

const linkForm = z
  .discriminatedUnion('kind', [tcpForm, serialForm, tcpServerForm, simForm, opcuaForm])
  .describe('How bytes get to the devices');

/** `run.stop`: a point and one of its commands. */
const OFFER_PATTERN = /^[a-z0-9-]{1,64}\.[a-z0-9-]{1,64}$/;
const EVERY_OFFER = '*';
/** Points of a profile times what each may offer, were all listed. */
const ALLOWED_MAX = 256 * OFFERS_MAX;
/** Each is looked at before every command of the point it guards. */
export const INTERLOCKS_MAX = 256;

const offerName = z
  .string(key('not-an-offer'))
  .regex(OFFER_PATTERN, key('not-an-offer'))
  .describe('point.command, such as run.stop; set is the command of a point with write');

const narrowedForm = z.strictObject({
  range: commandRangeForm.optional().describe('Within that of the profile'),
  right: commandRightForm.optional().describe('Not less than the profile asks'),
  two_people: z.boolean().optional().describe('true where the profile does not ask for it'),
  every: durationForm.optional().describe('Not shorter than the profile says'),
  revert: revertForm.optional().describe('Where the profile has none, or sooner'),
});

const commandsForm = z
  .strictObject({
    allow: z
      .array(z.union([z.literal(EVERY_OFFER), offerName], key('not-an-offer')))
      .max(ALLOWED_MAX)
      .describe('Commands of its profile that may be given: point.command, or "*" for all'),
    set: z
      .record(z.string().regex(OFFER_PATTERN, key('not-an-offer')), narrowedForm)
      .optional()
      .describe('What is narrower here than in the profile'),
  })
  .describe('What may be commanded; without it, nothing');

const valueForm = z.union([z.number(), z.boolean(), z.string().min(1).max(80)]);

const pointName = z
  .string(key('not-a-watch'))
  .regex(/^[a-z0-9-]{1,64}\/[a-z0-9-]{1,64}$/, key('not-a-watch'))
  .describe('device/point of this gateway');

const interlockForm = z.strictObject({
  id: idForm,
  title: bilingualForm.describe('Why the command is refused, for the person who gave it'),
  guard: z.strictObject({
    device: idForm,
    point: idForm,
    commands: z
      .array(idForm)
      .min(1)
      .max(OFFERS_MAX)
      .optional()
      .describe('Default all of the point'),
    values: z
      .array(valueForm)
      .min(1)
      .max(OFFER_STATES_MAX)
      .optional()
      .describe('Only when one of these would be written; default whatever is written'),
  }),
  while: z
    .strictObject({
      point: pointName,
      above: z.number().optional(),
      below: z.number().optional(),
      is: z
        .array(z.union([z.int(), z.boolean()]))
        .min(1)
        .max(OFFER_STATES_MAX)
        .optional(),
    })
    .describe('It holds then: one of above, below, is. Also while the point is bad or stale'),
  stale: durationForm.optional().describe('A reading older than this is none; default 30s'),
});

/** Each keeps what it waits for; a site has a siren, a fan, a valve. */
export const FALLBACKS_MAX = 32;
const FALLBACK_NAMES_MAX = 256;
const fallbackForm = z.strictObject({
  id: idForm,
  when: z
    .strictObject({
      levels: z.array(alarmLevelForm).min(1).max(4).optional().describe('Default [1, 2]'),
      devices: z.array(idForm).min(1).max(FALLBACK_NAMES_MAX).optional(),
      points: z
        .array(pointName)
        .min(1)
        .max(FALLBACK_NAMES_MAX)
        .optional()
        .describe('Default every point of class life-safety'),
      rules: z.array(idForm).min(1).max(FALLBACK_NAMES_MAX).optional().describe('Default all'),
    })
    .optional()
    .describe('For which alarms; what is given narrows'),
  confirm_within: durationForm.optional().describe('Of the raise; default 90s'),
  cloud_away: z
    .enum(['wait', 'at_once'])
    .optional()
    .describe('While the cloud cannot be reached: wait as long, or drive at once; default wait'),
  output: z.strictObject({
    device: idForm,
    point: idForm,
    command: idForm.optional().describe('Offered and allowed; default set'),
    value: valueForm.optional().describe('Where the command has none of its own'),
  }),
  release: z
    .union([
      z.literal('never'),
      z.strictObject({
        when: z
          .array(z.enum(['confirmed', 'cleared']))
          .max(2)
          .optional()
          .describe('Default both: whichever comes first'),
        after: durationForm.optional().describe('At the latest so long after it was driven'),
        command: idForm.optional().describe('Default the command of the output'),
        value: valueForm.optional().describe('Default the opposite of a boolean'),
      }),
    ])
    .optional()
    .describe('When the output is released; never: a person has to'),
});

const deviceForm = z.strictObject({
  id: idForm,
  link: idForm,
  unit: z.int().min(0).max(255).optional().describe('Default 1'),
  profile: z
    .string(key('not-a-profile-reference'))
    .regex(PROFILE_PATTERN, key('not-a-profile-reference'))
    .describe('vendor/model@revision'),
  name: bilingualForm.optional(),
  asset: assetForm.optional(),
  poll: durationForm
    .optional()
    .describe('Of all its points but those with a setting of their own; default by profile'),
  settings: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Of the protocol, laid over those of the profile: limits and the like'),
  set: z
    .record(z.string().regex(SETTING_PATTERN, key('not-a-setting')), z.unknown())
    .refine((map) => Object.keys(map).length <= SETTINGS_MAX, key('too-many-settings'))
    .optional()
    .describe('Values of the profile that are other here: points.ch4.alarms.high.raise: 20'),
  commands: commandsForm.optional(),
});

/** The format of a gateway file, version 1. */
export const gatewayForm = z.strictObject({
  version: z.literal(1),
  gateway: z.strictObject({
    id: idForm,
    area: idForm.describe('District or utility: the unit of rights and of partition'),
    name: bilingualForm,
    position: z
      .strictObject({
        latitude: z.number().min(-90).max(90),
        longitude: z.number().min(-180).max(180),
        datum: z.enum(datums).describe('Phone maps in China are gcj02, off by up to 500 m'),
      })
      .optional(),
    labels: z
      .record(idForm, z.string().min(1).max(80))
      .refine((map) => Object.keys(map).length <= LABELS_MAX, key('too-many-labels'))
      .optional(),
  }),
  cloud: z.strictObject({
    url: brokerForm,
    credentials: z
      .string()
      .min(1)
      .describe('${secret:name}, a file in secrets/ beside this one, or ${env:NAME}'),
    insecure: insecureForm,
    local_address: localAddressForm,
    second: secondForm.optional(),
  }),
  outbox: z
    .strictObject({
      folder: z.string().min(1).max(255).optional().describe('Default outbox, beside this file'),
      size: sizeForm.optional().describe('Most it takes on disk; default 1GiB'),
    })
    .optional(),
  pki: z
    .strictObject({
      folder: z.string().min(1).max(255).optional().describe('Default pki, beside this file'),
    })
    .optional()
    .describe('Certificates for OPC UA: of this gateway, and of the servers it trusts'),
  status: z
    .strictObject({
      host: hostForm.optional().describe('Default 127.0.0.1'),
      port: z.int().min(0).max(65_535).optional().describe('Default 9180; 0 takes a free one'),
      insecure: z.boolean().optional().describe('Allows it beyond this machine; default false'),
    })
    .optional(),
  links: z
    .record(idForm, linkForm)
    .refine((map) => Object.keys(map).length <= LINKS_MAX, key('too-many-links')),
  devices: z.array(deviceForm).max(DEVICES_MAX),
  path_test: z
    .strictObject({ every: durationForm.describe('30s to 1d; 15m suits most') })
    .optional()
    .describe('A test alarm of the gateway itself goes the whole way to the receivers, so often'),
  interlocks: z
    .array(interlockForm)
    .max(INTERLOCKS_MAX)
    .optional()
    .describe('When a command is refused at this gateway, whoever gives it'),
  fallback: z
    .array(fallbackForm)
    .max(FALLBACKS_MAX)
    .optional()
    .describe('What is driven here when nobody confirms an alarm in time'),
});

export type GatewaySource = z.infer<typeof gatewayForm>;
export type LinkSource = z.infer<typeof linkForm>;
export type CommandsSource = z.infer<typeof commandsForm>;
export type NarrowedSource = z.infer<typeof narrowedForm>;
export type InterlockSource = z.infer<typeof interlockForm>;
export type FallbackSource = z.infer<typeof fallbackForm>;
export type DeviceSource = z.infer<typeof deviceForm>;

/** What edge/config/gateway.schema.json holds; a test keeps it current. */
export function gatewayJsonSchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(gatewayForm, { io: 'input', target: 'draft-07' });
  return { $schema, title: 'Lifeline gateway, version 1', ...rest };
}
