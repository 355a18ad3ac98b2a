// What the robots of group chats have in common (DingTalk, WeCom, Feishu): a message is posted to
// an address that is itself a key, and the answer is 200 with a code in it, whatever came of it.
//
//   0            sent: accepted by the provider. That anybody read it, a robot never says.
//   throttled    to be tried again after the pause; until then the robot takes nothing at all.
//   refused      signature, keyword, address or key are wrong: given up, so that the next of the
//                chain is told at once; a person has to mend the settings.
//   all else     to be tried again, garbage and silence included: rather told twice than never.
//
// The address, the keys and whom a message calls are in no outcome.
import { z } from 'zod';
import { isLoopback } from '../../../core/host.ts';
import type { Path, Problems } from '../../../core/problems.ts';
import { type Message, messageOf, noted } from '../message.ts';
import type { Notice, Notifier, Outcome } from '../notifier.ts';
import { isCall } from '../notifier.ts';
import type { Wording } from '../wording.ts';
import type { ChannelGround } from './channel.ts';
import type { Answer, Request } from './exchange.ts';
import { EXCHANGE_TIMEOUT_MS, exchange, jsonOf, outcomeOfStatus, said } from './exchange.ts';

/** A message names so many people at most: who is called by all is called by none. */
export const MENTIONS_MAX = 20;

/** What a file says of every robot. */
export const robotCommon = {
  url: z.string().max(2_000).optional().describe('of another server than that of the provider'),
  keyword: z.string().min(1).max(40).optional().describe('that the robot asks for in each message'),
  everybody: z.boolean().optional().describe('level I calls the whole group; default false'),
};

export const mobilesForm = z
  .array(z.string().regex(/^\+?[0-9-]{5,20}$/))
  .max(MENTIONS_MAX)
  .optional()
  .describe('mobile numbers that level I calls by name');

/** An address with a key in it goes over TLS, or stays on this machine. */
export function checkUrl(url: string | undefined, path: Path, problems: Problems): void {
  if (url === undefined) return;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.username || parsed.password) {
    problems.add([...path, 'url'], 'not-a-webhook-url', { found: url });
  } else if (parsed.protocol === 'http:' && !isLoopback(parsed.hostname)) {
    problems.add([...path, 'url'], 'channel-without-tls', { host: parsed.hostname });
  }
}

export interface Robot {
  /** As it stands in outcomes. */
  readonly name: string;
  /** The codes of its answers. */
  readonly codes: {
    readonly of: (answer: Readonly<Record<string, unknown>>) => unknown;
    readonly words: (answer: Readonly<Record<string, unknown>>) => unknown;
    /** With the pause in milliseconds. */
    readonly throttled: ReadonlyMap<number, number>;
    readonly refused: ReadonlyMap<number, string>;
  };
  /** Pause after an HTTP 429 that names none. */
  readonly pauseMs: number;
  /** What may stand in no outcome. */
  readonly secrets: readonly string[];
  readonly keyword: string | undefined;
  readonly wording: Wording;
  readonly request: (message: Message, notice: Notice) => Request;
}

/** Level I calls people by name, where the message asks somebody to come. */
export function isCalling({ deliveries: [{ alarm, transition }] }: Notice): boolean {
  return alarm.level === 1 && isCall(transition);
}

export function robotNotifier(
  { clock, fetcher }: Pick<ChannelGround, 'clock' | 'fetcher'>,
  robot: Robot,
  { digestMax, timeoutMs = EXCHANGE_TIMEOUT_MS }: { digestMax: number; timeoutMs?: number },
): Notifier {
  const wire = { clock, fetcher, timeoutMs };
  return {
    digestMax,
    send: async (notice, signal) => {
      const message = withKeyword(messageOf(notice, robot.wording), robot.keyword);
      const answer = await exchange(wire, robot.request(message, notice), signal);
      if (typeof answer === 'string') return { kind: 'retry', why: answer, afterMs: null };
      return noted(outcomeOf(robot, answer), message);
    },
  };
}

/** Names come from sites: what WeCom and Feishu would take for a call of people is none. */
function callingNobody(text: string): string {
  return text.replaceAll(/<(?=@|\/?at\b)/gi, '＜');
}

function withKeyword(message: Message, keyword: string | undefined): Message {
  if (keyword === undefined) return message;
  const having = (text: string) => (text.includes(keyword) ? text : `${keyword} ${text}`);
  return { ...message, text: having(message.text), markdown: having(message.markdown) };
}

// The code counts before the status: a provider has been seen to throttle with 500.
function outcomeOf({ name, codes, pauseMs, secrets }: Robot, answer: Answer): Outcome {
  const parsed = jsonOf(answer.text);
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  const found = isObject ? (parsed as Readonly<Record<string, unknown>>) : {};
  const code = codes.of(found);
  if (typeof code === 'number') {
    const pause = codes.throttled.get(code);
    if (pause !== undefined) {
      const afterMs = answer.retryAfterMs ?? pause;
      return { kind: 'retry', why: `${name} throttles (${code})`, afterMs, isReceiverBusy: true };
    }
    const words = said(codes.words(found), secrets);
    const detail = words === '' ? `${code}` : `${code}: ${words}`;
    const refused = codes.refused.get(code);
    if (refused !== undefined) {
      const why = `${name} refuses the ${refused} (${detail})`;
      return { kind: 'give-up', why, isReceiverGone: false };
    }
    if (code !== 0) {
      return { kind: 'retry', why: `${name} refuses (${detail})`, afterMs: answer.retryAfterMs };
    }
  }
  const unwell = outcomeOfStatus(answer);
  if (unwell) {
    const isBusy = unwell.kind === 'retry' && unwell.isReceiverBusy === true;
    return isBusy ? { ...unwell, afterMs: unwell.afterMs ?? pauseMs } : unwell;
  }
  if (code === 0) return { kind: 'sent', confirmedBy: null };
  return { kind: 'retry', why: `${name} answers what nobody can read`, afterMs: null };
}

const MORE = '\n… 其余见值班台 / more at the desk';

/**
 * The text without what calls people, or as many of its lines as fit with a word that there is more
 * and the place where a person confirms. A line that alone is half of it is cut, between two signs.
 */
export function fitted(
  text: string,
  bytesMax: number,
  { bytesOf, link }: { readonly bytesOf: (text: string) => number; readonly link: string | null },
): string {
  const plain = callingNobody(text);
  if (bytesOf(plain) <= bytesMax) return plain;
  const end = link === null ? MORE : `${MORE}\n${link}`;
  const signs = Array.from(plain);
  const begun = (count: number) => `${signs.slice(0, count).join('')}${end}`;
  let [low, high] = [0, signs.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (bytesOf(begun(middle)) <= bytesMax) low = middle;
    else high = middle - 1;
  }
  const lineEnd = signs.lastIndexOf('\n', low);
  return begun(lineEnd > low / 2 ? lineEnd : low);
}
