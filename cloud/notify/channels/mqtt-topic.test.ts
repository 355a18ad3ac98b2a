import { expect, test } from 'vitest';
import { Problems } from '../../../core/problems.ts';
import { notifierContract, sampleAlarm, sampleDelivery, sampleNotice } from './channel.contract.ts';
import { mqttKind, mqttNotifier } from './mqtt-topic.ts';

interface Message {
  readonly topic: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly options: object;
}

/** The connection with a broker that takes what it is given, or is away. */
function broker(isThere = true) {
  const messages: Message[] = [];
  const publish = async (topic: string, payload: Uint8Array, options: object) => {
    const body = JSON.parse(Buffer.from(payload).toString('utf8')) as Message['body'];
    if (isThere) messages.push({ topic, body, options });
    return isThere;
  };
  return { messages, publish };
}

notifierContract('mqtt', {
  open: async () => {
    const { messages, publish } = broker();
    return {
      notifier: mqttNotifier({ publish }, { topic: 'site/alarms' }),
      received: async () => messages.map(({ body }) => String(body['id'])),
    };
  },
  broken: () => mqttNotifier(broker(false), { topic: 'site/alarms' }),
});

const quiet = () => new AbortController().signal;

test('a topic names the area and the level, and carries what a webhook would', async () => {
  const { messages, publish } = broker();
  const options = { topic: 'site/{area}/level-{level}', retain: true };
  await mqttNotifier({ publish }, options).send(sampleNotice(), quiet());
  expect(messages).toMatchObject([
    {
      topic: 'site/gas/level-1',
      options: { qos: 1, retain: true },
      body: { id: sampleDelivery().id, type: 'alarm.raised', data: { id: sampleAlarm.occurrence } },
    },
  ]);
});

test('a broker that never says whether it took it holds a send no longer than it is wanted', async () => {
  const publish = () => new Promise<boolean>(() => {});
  const abort = new AbortController();
  const sending = mqttNotifier({ publish }, { topic: 'a' }).send(sampleNotice(), abort.signal);
  abort.abort();
  expect(await sending).toMatchObject({ kind: 'retry', why: 'aborted' });
});

test('heartbeats go to a topic of their own, where there is one', async () => {
  const beat = { id: 'b-1', atMs: 1_795_334_400_000, everyMs: 20_000 };
  const { messages, publish } = broker();
  const notifier = mqttNotifier({ publish }, { topic: 'a', heartbeats: 'a/alive' });
  expect(await notifier.beat!(beat, quiet())).toBeNull();
  expect(messages).toMatchObject([{ topic: 'a/alive', body: { id: 'b-1', every_ms: 20_000 } }]);
  const away = mqttNotifier(broker(false), { topic: 'a', heartbeats: 'a/alive' });
  expect(await away.beat!(beat, quiet())).toBe('no connection to the broker');
  expect(mqttNotifier({ publish }, { topic: 'a' }).beat).toBeUndefined();
});

test('topics of gateways and brokers, wildcards and unknown fields are found in the file', () => {
  const found = (topic: string) => {
    const problems = new Problems('cloud.yaml');
    mqttKind.check({ id: 'x', kind: 'mqtt', topic }, ['r'], problems);
    return problems.findings.map(({ code }) => code);
  };
  expect(found('site/{area}/alarms')).toEqual([]);
  expect(found('lifelines/alarms')).toEqual([]);
  for (const topic of ['lifeline/v1/a/b/down', 'lifeline', '$SYS/x', 'a/#', 'a/+/b', 'a b', '/a']) {
    expect(found(topic), topic).toEqual(['channel-topic']);
  }
  expect(found('site/{title}')).toEqual(['channel-field-unknown']);
});
