// A siren, a lamp relay, a modem for messages: something at a gateway that is told to do something,
// through the book of commands like what a person commands, in the name of its receiver and with
// the right that the file gives it.
//
//   done         sent: the gateway says that the device did it. Nobody has confirmed anything
//   refused      given up where asking again would be refused again, else to be tried again
//   expired, failed, uncertain, a gateway that is away     to be tried again
//
// A try that was cut short, by a crash of the cloud as well, finds its own command again: the id of
// a command follows from receiver, delivery, repetition and number of the try. An alarm that is
// over sends `reset`, unless another alarm that was told to the same receiver still stands. A call
// that comes when its alarm is over, as the next step or a repetition until somebody confirms,
// commands nothing, where it is no text.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../../core/clock.ts';
import { type CommandReason, commandRights, SET_COMMAND } from '../../../core/command.ts';
import { durationMs } from '../../../core/duration.ts';
import { isFault } from '../../../core/fault.ts';
import type { Value } from '../../../core/reading.ts';
import { durationForm, idForm } from '../../../core/schema.ts';
import type { Commanded, CommandWish } from '../../commands/command.ts';
import { phaseOf } from '../../commands/command.ts';
import type { Principal } from '../../registry/registry.ts';
import { messageOf } from '../message.ts';
import type { Delivery, Notice, Notifier, Outcome } from '../notifier.ts';
import { isCall } from '../notifier.ts';
import { type Wording, wordingOf } from '../wording.ts';
import { channelKind, receiverCommon } from './channel.ts';
import { messageFields, noticeFields } from './fields.ts';
import { filled, unknownFields } from './template.ts';

/** How often the book is looked at for the outcome. */
const LOOK_MS = 200;
/** Tries of one delivery; with the pipeline's pauses that is days. */
export const COMMAND_TRIES_MAX = 100;
/** What waits is one command: a siren sounds once for all. */
const DIGEST_MAX = 100;
export const OVER = 'the alarm is over: nothing was commanded';

/** The commands of the sites, as a receiver uses them. */
export interface SiteCommands {
  /** Throws the faults of the book of commands. Tells whoever is to be told. */
  readonly ask: (wish: CommandWish, principal: Principal) => Commanded;
  readonly find: (id: string) => Commanded | null;
  /** Whether the offer waits for a second person; undefined while there is no such offer. */
  readonly needsSecond: (wish: CommandWish) => boolean | undefined;
  /** Whether an alarm other than these stands that the receiver was called to. */
  readonly isCalled: (receiver: string, besides: ReadonlySet<string>) => boolean;
  /** Whether the condition of the alarm is over, acknowledged or not. */
  readonly isOver: (occurrence: string) => boolean;
}

const valueForm = z
  .union([z.number(), z.boolean(), z.string().max(2_000)])
  .optional()
  .describe('where the command has none of its own; text is a template of the message');

export const commandKind = channelKind({
  form: z.strictObject({
    ...receiverCommon,
    kind: z.literal('command'),
    ...{ gateway: idForm, device: idForm, point: idForm },
    command: idForm.optional().describe('default set'),
    value: valueForm,
    right: z.enum(commandRights).optional().describe('that the receiver has; default operate'),
    reset: z
      .strictObject({ command: idForm.optional(), value: valueForm })
      .optional()
      .describe('when every alarm that it was called to is over; default nothing'),
    within: durationForm.optional().describe('how long it is worth doing; default as offered'),
  }),
  quotas: [{ messages: 10, perMs: 60_000, reserve: 5 }],
  check: ({ value, reset }, path, problems) => {
    const known = new Set<string>(messageFields);
    for (const [place, template] of [
      [['value'], value],
      [['reset', 'value'], reset?.value],
    ] as const) {
      if (typeof template !== 'string') continue;
      for (const found of unknownFields(template, (name) => known.has(name))) {
        problems.add([...path, ...place], 'channel-field-unknown', { found });
      }
    }
  },
  open: (ground, settings) => {
    const {
      id,
      gateway,
      device,
      point,
      command = SET_COMMAND,
      value,
      right = 'operate',
    } = settings;
    const { reset, within } = settings;
    const wording = wordingOf(ground.wording, settings);
    return commandNotifier(ground, {
      ...{ receiver: id, gateway, device, point, right, wording },
      order: { command, value },
      reset: reset ? { command: reset.command ?? SET_COMMAND, value: reset.value } : null,
      timeToLiveMs: within === undefined ? null : durationMs(within),
    });
  },
});

interface Order {
  readonly command: string;
  readonly value: number | boolean | string | undefined;
}

export interface CommandReceiver {
  readonly receiver: string;
  readonly gateway: string;
  readonly device: string;
  readonly point: string;
  readonly right: Principal['right'];
  readonly wording: Wording;
  readonly order: Order;
  readonly reset: Order | null;
  readonly timeToLiveMs: number | null;
}

export function commandNotifier(
  { clock, site }: { readonly clock: Pick<Clock, 'sleep'>; readonly site?: SiteCommands },
  options: CommandReceiver,
): Notifier {
  const { receiver, right, reset } = options;
  const principal: Principal = { name: `receiver ${receiver}`, right, scope: '' };
  return {
    digestMax: DIGEST_MAX,
    send: async (notice, signal) => {
      if (signal.aborted) return again('aborted');
      if (!site) return givenUp('no command leaves from here');
      const calling = notice.deliveries.some(({ transition }) => isCall(transition));
      const order = calling ? options.order : reset;
      const own = new Set(notice.deliveries.map(({ alarm }) => alarm.occurrence));
      const isHeld = !calling && order !== null && site.isCalled(receiver, own);
      if (order === null || isHeld) return { kind: 'sent', confirmedBy: null };
      // Its end was told already or never will be: nobody would silence the siren. Words are said.
      const isSaid = typeof order.value === 'string';
      if (calling && !isSaid && [...own].every((occurrence) => site.isOver(occurrence))) {
        return { kind: 'sent', confirmedBy: null, note: OVER };
      }
      const id = nextId(site, receiver, notice.deliveries[0]);
      if (id === null) return givenUp(`commanded ${COMMAND_TRIES_MAX} times in vain`);
      const wish = wishOf(id, options, order, notice);
      const asked = site.find(id) ?? ask(site, wish, principal);
      if ('kind' in asked) return asked;
      for (let known = asked; ; known = site.find(id) ?? known) {
        if (known.settlement) return outcomeOf(known);
        if (signal.aborted) return again('no outcome of the command yet');
        await clock.sleep(LOOK_MS, signal);
      }
    },
  };
}

const again = (why: string): Outcome => ({ kind: 'retry', why, afterMs: null });
const givenUp = (why: string): Outcome => ({ kind: 'give-up', why, isReceiverGone: false });

/** The command of an earlier try that is done or has no outcome yet, or the one to give now. */
function nextId(site: SiteCommands, receiver: string, { id, repeats }: Delivery): string | null {
  for (let nth = 0; nth < COMMAND_TRIES_MAX; nth++) {
    const named = createHash('sha256').update([receiver, id, repeats, nth].join('\n'));
    const command = named.digest('hex').slice(0, 32);
    const known = site.find(command);
    if (!known || phaseOf(known) !== 'settled' || known.state === 'done') return command;
  }
  return null;
}

function wishOf(
  id: string,
  { gateway, device, point, wording, timeToLiveMs }: CommandReceiver,
  { command, value }: Order,
  notice: Notice,
): CommandWish {
  const message = messageOf(notice, wording);
  const fields = new Map(noticeFields(notice, message, wording.language));
  const given: Value = typeof value === 'string' ? filled(value, fields, 'plain') : (value ?? null);
  const why = `alarm ${notice.deliveries[0].id}`;
  return { id, gateway, device, point, command, value: given, why, timeToLiveMs };
}

function ask(site: SiteCommands, wish: CommandWish, principal: Principal): Commanded | Outcome {
  // Nobody would come to release it: it would wait a quarter of an hour and lapse.
  if (site.needsSecond(wish)) return givenUp('the command waits for a second person');
  try {
    return site.ask(wish, principal);
  } catch (error) {
    if (!isFault(error)) throw error;
    // The points of a gateway are known only when it has told them.
    const isPassing = error.retry !== 'never' || error.code === 'command_point_unknown';
    return isPassing ? again(error.code) : givenUp(error.code);
  }
}

/** What asking again would not change. */
const lasting: ReadonlySet<CommandReason> = new Set([
  ...(['not_offered', 'value_unfit', 'out_of_range', 'needs_second'] as const),
]);

function outcomeOf({ settlement }: Commanded): Outcome {
  const { outcome, reason } = settlement!;
  if (outcome === 'done') return { kind: 'sent', confirmedBy: null };
  const why = reason === 'none' ? `command ${outcome}` : `command ${outcome} (${reason})`;
  return outcome === 'refused' && lasting.has(reason) ? givenUp(why) : again(why);
}
