// The part `notify` of the cloud's file: who can be told, by which channel, and who is told of what.
// Plain data once it is read; secrets stand in it, so it is never shown.
import { z } from 'zod';
import { durationMs } from '../../core/duration.ts';
import type { Path, Problems } from '../../core/problems.ts';
import { alarmLevelForm, durationForm, idForm, SECRET_PATTERN } from '../../core/schema.ts';
import type { ReceiverSettings } from './channels/channel.ts';
import { type MessageLanguage, messageLanguages } from './channels/channel.ts';
import { channelKinds, kindOf } from './channels/channels.ts';
import { LINK_VALID_MAX_MS, LINK_VALID_MIN_MS, type LinkSettings } from './confirmations.ts';
import type { Route } from './route.ts';

const [firstKind, ...otherKinds] = channelKinds;
const receiverForm = z.discriminatedUnion('kind', [
  firstKind.form,
  ...otherKinds.map(({ form }) => form),
]);

export const notifyForm = z.strictObject({
  language: z.enum(messageLanguages).optional().describe('of messages; default both'),
  receivers: z.array(receiverForm).max(1_000),
  routes: z
    .array(
      z.strictObject({
        levels: z.array(alarmLevelForm).max(4).optional(),
        asset: z.string().max(600).optional().describe('asset path prefix'),
        to: z.array(idForm).min(1).max(20).describe('receivers, in the order of escalation'),
      }),
    )
    .max(1_000),
  confirm_within: durationForm
    .optional()
    .describe('then it counts as undelivered and the next is told; default 60s'),
  public_url: z
    .string()
    .max(200)
    .optional()
    .describe('https:// address by which phones reach this server: for links in messages'),
  link_valid: durationForm
    .optional()
    .describe('how long the link of a message is good, 1m to 1d; default 2h'),
});

export interface NotifySettings extends LinkSettings {
  readonly language: MessageLanguage;
  readonly receivers: readonly ReceiverSettings[];
  readonly routes: readonly Route[];
  readonly confirmWithinMs: number;
}

const CONFIRM_WITHIN_DEFAULT = '60s';
const LINK_VALID_DEFAULT = '2h';

export const NOTHING_TOLD: NotifySettings = {
  language: 'both',
  receivers: [],
  routes: [],
  confirmWithinMs: durationMs(CONFIRM_WITHIN_DEFAULT),
  publicUrl: null,
  linkValidMs: durationMs(LINK_VALID_DEFAULT),
};

/** Reads a secret that is referred to; '' where there is none, which it has told. */
type ReadSecret = (path: Path, reference: string) => string;

/** `path` is where the part stands in its file. */
export function readNotify(
  source: z.output<typeof notifyForm>,
  path: Path,
  problems: Problems,
  readSecret: ReadSecret,
): NotifySettings {
  const receivers = source.receivers.map((receiver, at) => {
    const settings = revealed(receiver, [...path, 'receivers', at], readSecret);
    return settings as ReceiverSettings;
  });
  const ids = new Set<string>();
  receivers.forEach((settings, at) => {
    const place = [...path, 'receivers', at];
    if (ids.has(settings.id)) problems.add([...place, 'id'], 'duplicate-id', { id: settings.id });
    ids.add(settings.id);
    kindOf(settings).check(settings, place, problems);
  });
  const routes = source.routes.map(({ levels = [], asset = '', to }, at) => {
    to.forEach((id, step) => {
      const place = [...path, 'routes', at, 'to', step];
      if (!ids.has(id)) problems.add(place, 'unknown-receiver', { id });
    });
    const match = {
      ...(levels.length > 0 && { levels }),
      ...(asset !== '' && { assets: [asset] }),
    };
    return { id: `route-${at + 1}`, chain: to, match };
  });
  const { language = 'both', confirm_within: within = CONFIRM_WITHIN_DEFAULT } = source;
  const links = readLinks(source, path, problems);
  return { language, receivers, routes, confirmWithinMs: durationMs(within), ...links };
}

function readLinks(
  { public_url: url, link_valid: valid = LINK_VALID_DEFAULT }: z.output<typeof notifyForm>,
  path: Path,
  problems: Problems,
): LinkSettings {
  const publicUrl = url === undefined ? null : url.replace(/\/+$/, '');
  // What stands behind `?` or `#` would swallow the token; a password would be read by everybody.
  if (publicUrl !== null && !/^https?:\/\/[^/?#@\s]+(\/[\w.~/-]*)?$/.test(publicUrl)) {
    problems.add([...path, 'public_url'], 'not-a-public-url', { found: url ?? '' });
  }
  const linkValidMs = durationMs(valid);
  if (linkValidMs < LINK_VALID_MIN_MS || linkValidMs > LINK_VALID_MAX_MS) {
    problems.add([...path, 'link_valid'], 'link-valid-range', { found: valid });
  }
  return { publicUrl, linkValidMs };
}

// A receiver's forms take references for secrets; whatever is one is read.
function revealed(value: unknown, path: Path, readSecret: ReadSecret): unknown {
  if (typeof value === 'string')
    return SECRET_PATTERN.test(value) ? readSecret(path, value) : value;
  if (Array.isArray(value))
    return value.map((each, at) => revealed(each, [...path, at], readSecret));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, each]) => [key, revealed(each, [...path, key], readSecret)]),
  );
}
