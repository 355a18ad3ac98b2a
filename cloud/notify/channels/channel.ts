// A kind of channel, as a value: how its receivers are written in the cloud's file, what is checked
// beyond the form, how many messages it takes, and how it is opened. The list of all is in
// channels.ts; nothing else names them.
import { z } from 'zod';
import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import type { Path, Problems } from '../../../core/problems.ts';
import type { Random } from '../../../core/random.ts';
import { durationForm, idForm } from '../../../core/schema.ts';
import type { Notifier } from '../notifier.ts';
import type { Wording } from '../wording.ts';
import type { SiteCommands } from './command.ts';

export const messageLanguages = ['zh', 'en', 'both'] as const;
export type MessageLanguage = (typeof messageLanguages)[number];

const quotaForm = z
  .array(
    z.strictObject({
      messages: z.int().min(1).max(1_000_000),
      per: durationForm,
      reserve: z.int().min(0).optional().describe('of them kept for level I; default 0'),
    }),
  )
  .max(5)
  .describe('what the channel takes, where that is not what its provider publishes');

/** What is said of every receiver. */
export const receiverCommon = {
  id: idForm,
  language: z.enum(messageLanguages).optional().describe('of its messages; default that of notify'),
  quota: quotaForm.optional(),
  heartbeat: z
    .boolean()
    .optional()
    .describe('told each few seconds that the path lives, where its kind can; default true'),
};

/** At most `messages` in any `perMs`; the last `reserve` of them go to level I alone. */
export interface Quota {
  readonly messages: number;
  readonly perMs: number;
  readonly reserve: number;
}

/** One receiver as the file says it, secrets read. */
export interface ReceiverSettings extends Readonly<Record<string, unknown>> {
  readonly id: string;
  readonly kind: string;
  readonly language?: MessageLanguage | undefined;
  readonly heartbeat?: boolean | undefined;
  readonly quota?: z.output<typeof quotaForm> | undefined;
}

/** What a channel is given. */
export interface ChannelGround {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly fetcher: typeof fetch;
  /** At the cloud's own broker; false where it did not get there. */
  readonly publish: (
    topic: string,
    payload: Uint8Array,
    options: { readonly qos: 0 | 1; readonly retain: boolean },
  ) => Promise<boolean>;
  /** What sites can be told to do; absent where no command leaves, as in a check of a file. */
  readonly site?: SiteCommands;
  /** Of a receiver that says nothing of its own; `wordingOf` gives that of one. */
  readonly wording: Wording;
}

export interface ChannelKind {
  readonly kind: string;
  readonly form: z.ZodObject<z.ZodRawShape & { kind: z.ZodLiteral<string> }>;
  /** What the provider takes of one receiver; none where nothing is published. */
  readonly quotas: readonly Quota[];
  /** Adds what the form cannot say. Secrets that were not found are told already. */
  readonly check: (settings: ReceiverSettings, path: Path, problems: Problems) => void;
  /** Throws a Fault for what `check` would have found. */
  readonly open: (ground: ChannelGround, settings: ReceiverSettings) => Notifier;
}

/** Binds a form and what reads it, so that the compiler checks one against the other. */
export function channelKind<Shape extends z.ZodRawShape & { kind: z.ZodLiteral<string> }>(typed: {
  readonly form: z.ZodObject<Shape>;
  readonly quotas?: readonly Quota[];
  readonly check?: (settings: z.output<z.ZodObject<Shape>>, path: Path, problems: Problems) => void;
  readonly open: (ground: ChannelGround, settings: z.output<z.ZodObject<Shape>>) => Notifier;
}): ChannelKind {
  const { form, quotas = [], check = () => {}, open } = typed;
  return {
    kind: form.shape.kind.value,
    form: form as unknown as ChannelKind['form'],
    quotas,
    // The file was parsed by this very form.
    check: check as unknown as ChannelKind['check'],
    open: open as unknown as ChannelKind['open'],
  };
}
