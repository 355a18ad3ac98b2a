// An event on a topic of the cloud's own broker, for panels, flows and programs of the site that
// hear MQTT: JSON as a webhook gets it, with the id of the delivery. *Accepted* means that the
// cloud gave it to its connection with the broker; MQTT says nothing of who heard it, and nobody
// confirms there: that is done by link, by API or at the desk. A retained event is what a panel
// shows that connects later, so a topic for each area keeps one area's end from hiding another's
// beginning.
//
// The topics of the gateways (`lifeline/…`) and those of brokers (`$…`) are not ours to speak on.
import { z } from 'zod';
import { isSiteTopic } from '../../broker/rights.ts';
import type { Notifier } from '../notifier.ts';
import { eventOf } from '../notifier.ts';
import type { ChannelGround } from './channel.ts';
import { channelKind, receiverCommon } from './channel.ts';
import { filled, unknownFields } from './template.ts';

/** Names of an alarm that are names of topics, too. */
const topicFields = ['area', 'gateway', 'level'] as const;
const TOPIC_LENGTH_MAX = 200;

export const mqttKind = channelKind({
  form: z.strictObject({
    ...receiverCommon,
    kind: z.literal('mqtt'),
    topic: z.string().min(1).max(TOPIC_LENGTH_MAX).describe('may name {area}, {gateway}, {level}'),
    retain: z.boolean().optional().describe('kept for who connects later; default false'),
    heartbeats: z
      .string()
      .min(1)
      .max(TOPIC_LENGTH_MAX)
      .optional()
      .describe('topic that hears each few seconds that the path lives; default none'),
  }),
  check: ({ topic, heartbeats }, path, problems) => {
    const fields: readonly string[] = topicFields;
    for (const found of unknownFields(topic, (name) => fields.includes(name))) {
      problems.add([...path, 'topic'], 'channel-field-unknown', { found });
    }
    for (const [name, value] of Object.entries({ topic, heartbeats })) {
      if (value !== undefined && !isSiteTopic(value.replaceAll(/\{[a-z]+\}/g, 'x'))) {
        problems.add([...path, name], 'channel-topic', { found: value });
      }
    }
  },
  open: (ground, settings) => mqttNotifier(ground, settings),
});

export interface MqttOptions {
  readonly topic: string;
  readonly retain?: boolean | undefined;
  readonly heartbeats?: string | undefined;
}

export function mqttNotifier(
  { publish }: Pick<ChannelGround, 'publish'>,
  { topic, retain = false, heartbeats }: MqttOptions,
): Notifier {
  const unheard = 'no connection to the broker';
  return {
    send: async ({ deliveries: [delivery] }, signal) => {
      if (signal.aborted) return { kind: 'retry', why: 'aborted', afterMs: null };
      const { area, gateway, level } = delivery.alarm;
      const fields = new Map(Object.entries({ area, gateway, level: String(level) }));
      const body = JSON.stringify({ id: delivery.id, ...eventOf(delivery) });
      const options = { qos: 1, retain } as const;
      const isGiven = publish(filled(topic, fields, 'plain'), Buffer.from(body), options);
      const isSent = await Promise.race([isGiven, abortOf(signal)]);
      if (isSent === null) return { kind: 'retry', why: 'aborted', afterMs: null };
      if (!isSent) return { kind: 'retry', why: unheard, afterMs: null };
      return { kind: 'sent', confirmedBy: null };
    },
    ...(heartbeats !== undefined && {
      beat: async ({ id, atMs, everyMs }, signal) => {
        const body = JSON.stringify({ id, at: new Date(atMs).toISOString(), every_ms: everyMs });
        const options = { qos: 0, retain: false } as const;
        const isGiven = publish(heartbeats, Buffer.from(body), options);
        return (await Promise.race([isGiven, abortOf(signal)])) ? null : unheard;
      },
    }),
  };
}

function abortOf(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}
