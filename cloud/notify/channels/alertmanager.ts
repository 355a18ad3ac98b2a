// Alerts for Prometheus Alertmanager (API v2, POST /api/v2/alerts), so that a routing which is
// there already can be kept. An alarm is one alert: its labels are what does not change, so its end
// and each repetition are the same alert again. Alertmanager forgets an alert of which it hears
// nothing for `resolve_timeout`; an `endsAt` far ahead keeps it until our own end comes.
//
// Accepted is what Alertmanager takes; whether anybody was told is its matter: it confirms nothing.
import { z } from 'zod';
import { secretForm } from '../../../core/schema.ts';
import type { Delivery, Notifier, Outcome } from '../notifier.ts';
import type { ChannelGround } from './channel.ts';
import { channelKind, receiverCommon } from './channel.ts';
import type { Answer, Request } from './exchange.ts';
import { EXCHANGE_TIMEOUT_MS, exchange, outcomeOfStatus, said } from './exchange.ts';
import { checkUrl } from './robot.ts';

/** Some 1 KB each; Alertmanager takes megabytes. */
const DIGEST_MAX = 200;
/** Whoever opened an alarm and never heard of its end sees it no longer than this. */
export const STAYS_MS = 7 * 24 * 3_600_000;
/** The label by which what comes back to us is known as ours. */
export const OWN_LABEL = 'lifeline_alarm';

/** As its users write levels. */
const severities = { 1: 'critical', 2: 'error', 3: 'warning', 4: 'info' } as const;

export const alertmanagerKind = channelKind({
  form: z.strictObject({
    ...receiverCommon,
    kind: z.literal('alertmanager'),
    url: z.string().max(2_000).describe('of Alertmanager, without /api'),
    token: secretForm.optional().describe('bearer token, where something before it asks for one'),
    labels: z
      .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/), z.string().max(200))
      .optional()
      .describe('further labels of every alert'),
  }),
  check: ({ url }, path, problems) => checkUrl(url, path, problems),
  open: (ground, settings) => alertmanager(ground, { ...settings, timeoutMs: EXCHANGE_TIMEOUT_MS }),
});

export interface AlertmanagerOptions {
  readonly url: string;
  readonly token?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs: number;
}

export function alertmanager(
  { clock, fetcher }: Pick<ChannelGround, 'clock' | 'fetcher'>,
  { url, token, labels = {}, timeoutMs }: AlertmanagerOptions,
): Notifier {
  const base = new URL(url.endsWith('/') ? url : `${url}/`);
  const wire = { clock, fetcher, timeoutMs };
  const headers = {
    ...{ 'content-type': 'application/json', 'user-agent': 'lifeline' },
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  const outcomeOf = (answer: Answer | string): Outcome => {
    if (typeof answer === 'string') return { kind: 'retry', why: answer, afterMs: null };
    const unwell = outcomeOfStatus(answer);
    if (!unwell) return { kind: 'sent', confirmedBy: null };
    const words = said(answer.text, [token ?? '']);
    // It has read the alerts and wants none such: a second try would be refused like the first.
    if (answer.status === 400) {
      return { kind: 'give-up', why: `http 400 ${words}`.trim(), isReceiverGone: false };
    }
    return { ...unwell, why: `${unwell.why} ${words}`.trim() };
  };
  return {
    digestMax: DIGEST_MAX,
    send: async ({ deliveries }, signal) => {
      const body = JSON.stringify(deliveries.map((each) => alertOf(each, labels)));
      const target = new URL('api/v2/alerts', base);
      const request: Request = { url: target, method: 'POST', headers, body };
      return outcomeOf(await exchange(wire, request, signal));
    },
    beat: async (_heartbeat, signal) => {
      const target = new URL('-/ready', base);
      const request: Request = { url: target, method: 'GET', headers, body: null };
      const outcome = outcomeOf(await exchange(wire, request, signal));
      return outcome.kind === 'sent' ? null : outcome.why;
    },
  };
}

function alertOf({ alarm, transition }: Delivery, labels: Readonly<Record<string, string>>) {
  const { occurrence, level, area, gateway, asset, key, rule, purpose, title, action } = alarm;
  const isOver = transition === 'cleared' && alarm.clearedMs !== null;
  const endMs = isOver ? alarm.clearedMs! : alarm.raisedMs + STAYS_MS;
  return {
    labels: {
      ...labels,
      ...{ alertname: title.en, severity: severities[level], level: String(level) },
      ...{ area, gateway, point: key, rule, purpose, [OWN_LABEL]: occurrence },
      ...(asset !== null && { asset }),
    },
    annotations: {
      ...{ summary: title.en, summary_zh: title.zh },
      ...(action && { action: action.en, action_zh: action.zh }),
      ...(alarm.value !== null && { value: String(alarm.value), unit: alarm.unit }),
      ...(alarm.limit !== null && { limit: String(alarm.limit) }),
    },
    startsAt: new Date(alarm.beganMs).toISOString(),
    endsAt: new Date(Math.max(endMs, alarm.beganMs)).toISOString(),
  };
}
