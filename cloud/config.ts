// The cloud's configuration: one YAML file, everything wrong with it told at once, secrets only by
// reference. Whatever is reachable beyond this machine without TLS must be asked for with
// `insecure: true`.
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type AlarmLevel, alarmLevels } from '../core/alarm/rule.ts';
import { offsetMinutes, utcOffset } from '../core/alarm/rule-form.ts';
import { readDocument } from '../core/document.ts';
import { durationMs, sizeBytes } from '../core/duration.ts';
import { readFault } from '../core/fault.ts';
import { isLoopback } from '../core/host.ts';
import type { Finding, Problems } from '../core/problems.ts';
import {
  alarmLevelForm,
  durationForm,
  idForm,
  SECRET_PATTERN,
  secretForm,
  sizeForm,
} from '../core/schema.ts';
import { FILE_BYTES_MAX, FILES_BYTES_DEFAULT } from './cases/attachments.ts';
import { defaultLimits, type Limits, type OpenState, openStates } from './cases/case.ts';
import { NOTHING_TOLD, type NotifySettings, notifyForm, readNotify } from './notify/settings.ts';
import { CLOUD_IDENTITY } from './registry/registry.ts';
import { readWarnings, type WarningSettings, warningsForm } from './warnings/settings.ts';

const port = z.int().min(0).max(65_535);
const host = z.string().min(1).max(253);

/** One for each network operator of a city; each is a connection, and every ack goes to all. */
export const OTHER_BROKERS_MAX = 3;
/** Panels and flows of the site at the embedded broker. */
const READERS_MAX = 20;

const caseLimitsForm = z
  .strictObject({
    level: alarmLevelForm,
    acknowledge: durationForm.optional(),
    verify: durationForm.optional(),
    dispatch: durationForm.optional(),
    arrive: durationForm.optional(),
    contain: durationForm.optional(),
    close: durationForm.optional(),
  })
  .describe('how long a case of this level may wait for each step; what is left out is by default');

const casesForm = z.strictObject({
  limits: z.array(caseLimitsForm).max(4).optional(),
  departments: z
    .array(
      z.strictObject({
        asset: z.string().max(600).optional().describe('asset path prefix'),
        department: z.string().min(1).max(200),
      }),
    )
    .max(1_000)
    .optional()
    .describe('who has a new case; the first that fits'),
  files: sizeForm.optional().describe('room for the photos and files of all cases; default 4GiB'),
});

export const cloudForm = z
  .strictObject({
    version: z.literal(1),
    cloud: z.strictObject({
      folder: z.string().min(1).describe('where the cloud keeps its data; relative to this file'),
      insecure: z
        .boolean()
        .optional()
        .describe('allow what is named here without TLS beyond loopback'),
      broker: z.strictObject({
        embedded: z
          .strictObject({
            host: host.optional(),
            port: port.optional(),
            readers: z
              .array(z.strictObject({ name: idForm, credentials: secretForm }))
              .max(READERS_MAX)
              .optional()
              .describe(
                'programs of the site: they hear topics outside lifeline/, and say nothing',
              ),
          })
          .optional(),
        url: z.string().max(300).optional().describe('mqtt:// or mqtts:// of another broker'),
        credentials: secretForm.optional(),
        others: z
          .array(z.strictObject({ url: z.string().max(300), credentials: secretForm.optional() }))
          .max(OTHER_BROKERS_MAX)
          .optional()
          .describe('further brokers it listens at: the second paths of gateways'),
      }),
      inbox: z.strictObject({ size: sizeForm.optional() }).optional(),
      api: z
        .strictObject({
          host: host.optional(),
          port: port.optional(),
          names: z.array(host).max(20).optional().describe('further names the API is called by'),
        })
        .optional(),
      utc_offset: utcOffset
        .optional()
        .describe('where a day of figures begins: local time less UTC; default "+08:00"'),
      cases: casesForm.optional(),
      notify: notifyForm.optional(),
      warnings: warningsForm.optional(),
    }),
  })
  .describe('Configuration of a Lifeline cloud');

export interface OtherBroker {
  readonly url: string;
  readonly password: string;
}

export interface CloudConfig {
  readonly folder: string;
  readonly insecure: boolean;
  readonly broker:
    | {
        readonly kind: 'embedded';
        readonly host: string;
        readonly port: number;
        readonly readers: readonly { readonly name: string; readonly password: string }[];
      }
    | { readonly kind: 'url'; readonly url: string; readonly password: string };
  /** Brokers it listens at as well. */
  readonly otherBrokers: readonly OtherBroker[];
  readonly inboxBytesMax: number;
  readonly api: { readonly host: string; readonly port: number; readonly names: readonly string[] };
  readonly notify: NotifySettings;
  /** Null: nobody is warned by documents. */
  readonly warnings: WarningSettings | null;
  /** Local time less UTC: when a day begins. */
  readonly utcOffsetMs: number;
  readonly cases: {
    readonly limits: Readonly<Record<AlarmLevel, Limits>>;
    readonly departments: readonly { readonly asset: string; readonly department: string }[];
    readonly filesBytesMax: number;
  };
}

/** One day of 200 gateways at 20,000 readings a second and 3 bytes a reading is 5 GB. */
const INBOX_BYTES_DEFAULT = 4 * 1024 ** 3;

/** How a secret that is referred to is read: the text, or undefined when there is none. */
export type SecretReader = (kind: 'secret' | 'env', name: string) => string | undefined;

/** Parses and checks; throws InvalidInput with every finding. `folder` is where the file lies. */
export function parseCloud(
  text: string,
  file: string,
  folder: string,
  readSecret: SecretReader,
): CloudConfig {
  const { value, problems } = readDocument(text, file, cloudForm);
  problems.throwIfAny();
  const { cloud } = value!;
  const secret = (path: readonly (string | number)[], reference: string | undefined) =>
    reference === undefined ? null : resolveSecret(problems, path, reference, readSecret);
  const config: CloudConfig = {
    folder: resolve(folder, cloud.folder),
    insecure: cloud.insecure ?? false,
    broker:
      cloud.broker.url === undefined
        ? {
            kind: 'embedded',
            host: cloud.broker.embedded?.host ?? '127.0.0.1',
            port: cloud.broker.embedded?.port ?? 18_830,
            readers: (cloud.broker.embedded?.readers ?? []).map(({ name, credentials }, at) => {
              const path = ['cloud', 'broker', 'embedded', 'readers', at];
              // It would take the place of the cloud itself.
              if (name === CLOUD_IDENTITY) problems.add(path, 'duplicate-id', { id: name });
              return { name, password: secret([...path, 'credentials'], credentials) ?? '' };
            }),
          }
        : {
            kind: 'url',
            url: cloud.broker.url,
            password: secret(['cloud', 'broker', 'credentials'], cloud.broker.credentials) ?? '',
          },
    otherBrokers: (cloud.broker.others ?? []).map(({ url, credentials }, at) => ({
      url,
      password: secret(['cloud', 'broker', 'others', at, 'credentials'], credentials) ?? '',
    })),
    inboxBytesMax: cloud.inbox?.size ? sizeBytes(cloud.inbox.size) : INBOX_BYTES_DEFAULT,
    api: {
      host: cloud.api?.host ?? '127.0.0.1',
      port: cloud.api?.port ?? 18_470,
      names: cloud.api?.names ?? [],
    },
    notify: cloud.notify
      ? readNotify(cloud.notify, ['cloud', 'notify'], problems, {
          readSecret: (path, reference) => secret(path, reference) ?? '',
          utcOffsetMs: offsetMinutes(cloud.utc_offset) * 60_000,
        })
      : NOTHING_TOLD,
    warnings: cloud.warnings ? readWarnings(cloud.warnings, ['cloud', 'warnings'], problems) : null,
    utcOffsetMs: offsetMinutes(cloud.utc_offset) * 60_000,
    cases: {
      limits: limitsOf(cloud.cases?.limits ?? [], problems),
      departments: (cloud.cases?.departments ?? []).map(({ asset = '', department }) => ({
        ...{ asset, department },
      })),
      filesBytesMax: cloud.cases?.files ? sizeBytes(cloud.cases.files) : FILES_BYTES_DEFAULT,
    },
  };
  if (config.cases.filesBytesMax < FILE_BYTES_MAX) {
    problems.add(['cloud', 'cases', 'files'], 'case-files-room', { least: '8MiB' });
  }
  crossCheck(config, problems);
  problems.throwIfAny();
  return config;
}

/** The step that each open state waits for. */
const awaited = {
  new: 'acknowledge',
  acknowledged: 'verify',
  verifying: 'dispatch',
  dispatched: 'arrive',
  'on-site': 'contain',
  contained: 'close',
} as const satisfies Record<OpenState, string>;

// A limit of seconds would call people for nothing, one of months nobody at all.
const LIMIT_MIN_MS = 10_000;
const LIMIT_MAX_MS = 30 * 86_400_000;

function limitsOf(
  given: readonly z.output<typeof caseLimitsForm>[],
  problems: Problems,
): Record<AlarmLevel, Limits> {
  const limits: Record<AlarmLevel, Limits> = { ...defaultLimits };
  const seen = new Set<number>();
  given.forEach((entry, at) => {
    const path = ['cloud', 'cases', 'limits', at];
    if (seen.has(entry.level)) {
      problems.add([...path, 'level'], 'case-limits-twice', { level: entry.level });
    }
    seen.add(entry.level);
    const own: Record<OpenState, number> = { ...limits[entry.level] };
    for (const state of openStates) {
      const text = entry[awaited[state]];
      if (text === undefined) continue;
      own[state] = durationMs(text);
      if (own[state] >= LIMIT_MIN_MS && own[state] <= LIMIT_MAX_MS) continue;
      problems.add([...path, awaited[state]], 'case-limit-range', { found: text });
    }
    limits[entry.level] = own;
  });
  given.forEach(({ level }, at) => {
    for (const state of openStates) {
      // Of two that are given the lower level is told of it.
      const less = (it: AlarmLevel) => limits[it][state] < limits[level][state];
      const isWrong = (it: AlarmLevel) =>
        it < level ? limits[it][state] > limits[level][state] : !seen.has(it) && less(it);
      const other = alarmLevels.find((it) => it !== level && isWrong(it));
      if (other === undefined) continue;
      const values = { step: awaited[state], one: Math.max(level, other) };
      const path = ['cloud', 'cases', 'limits', at, awaited[state]];
      problems.add(path, 'case-limit-order', { ...values, other: Math.min(level, other) });
    }
  });
  return limits;
}

function resolveSecret(
  problems: Problems,
  path: readonly (string | number)[],
  reference: string,
  readSecret: SecretReader,
): string | null {
  const [, file, variable] = SECRET_PATTERN.exec(reference) ?? [];
  const found = file ? readSecret('secret', file) : readSecret('env', variable ?? '');
  if (found === undefined || found === '') {
    problems.add(path, 'secret-not-found', { name: file ?? variable ?? reference });
    return null;
  }
  return found;
}

/** Whether who listens on the way reads the links, with which anybody confirms. */
export function isReadable(publicUrl: string | null): boolean {
  if (!publicUrl?.startsWith('http:') || !URL.canParse(publicUrl)) return false;
  return !isLoopback(new URL(publicUrl).hostname);
}

function crossCheck(config: CloudConfig, problems: Problems): void {
  const { broker, api, notify, insecure } = config;
  const open: [readonly (string | number)[], string][] = [];
  if (broker.kind === 'embedded' && !isLoopback(broker.host)) {
    open.push([['cloud', 'broker', 'embedded', 'host'], broker.host]);
  }
  const seen = new Set<string>();
  const checkBroker = (url: string, path: readonly (string | number)[]) => {
    const parsed = URL.canParse(url) ? new URL(url) : null;
    if (!parsed || !['mqtt:', 'mqtts:'].includes(parsed.protocol)) {
      problems.add(path, 'not-a-broker-url', { found: url });
    } else if (parsed.protocol === 'mqtt:' && !isLoopback(parsed.hostname)) open.push([path, url]);
    // Twice at one broker, it would end its own connection again and again.
    if (seen.has(url)) problems.add(path, 'broker-twice', { url });
    seen.add(url);
  };
  if (broker.kind === 'url') checkBroker(broker.url, ['cloud', 'broker', 'url']);
  config.otherBrokers.forEach(({ url }, at) => {
    checkBroker(url, ['cloud', 'broker', 'others', at, 'url']);
  });
  if (!isLoopback(api.host)) open.push([['cloud', 'api', 'host'], api.host]);
  if (isReadable(notify.publicUrl)) {
    open.push([['cloud', 'notify', 'public_url'], notify.publicUrl ?? '']);
  }
  if (!insecure)
    for (const [path, found] of open) problems.add(path, 'open-without-tls', { found });
}

/**
 * Reads a file and its secrets: `${secret:name}` is `secrets/name` beside it, or in
 * LIFELINE_SECRETS.
 */
export function loadCloud(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): CloudConfig {
  const folder = dirname(resolve(path));
  const secrets = environment['LIFELINE_SECRETS'] ?? resolve(folder, 'secrets');
  return parseCloud(readCloudFile(path), path, folder, (kind, name) => {
    if (kind === 'env') return environment[name];
    const file = resolve(secrets, name);
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return undefined;
    return readFileSync(file, 'utf8').trim();
  });
}

/**
 * Of a file the part `notify` alone, with its warnings; without its secrets, which nobody who looks
 * at routes needs. Throws InvalidInput with every finding.
 */
export function loadNotify(path: string): {
  readonly settings: NotifySettings;
  readonly findings: readonly Finding[];
} {
  const { value, problems } = readDocument(readCloudFile(path), path, cloudForm);
  problems.throwIfAny();
  const { notify, utc_offset: offset } = value!.cloud;
  const settings = notify
    ? readNotify(notify, ['cloud', 'notify'], problems, {
        readSecret: () => '',
        utcOffsetMs: offsetMinutes(offset) * 60_000,
      })
    : NOTHING_TOLD;
  problems.throwIfAny();
  return { settings, findings: problems.findings };
}

function readCloudFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw readFault(path, error, 'config_unreadable');
  }
}
