import { expect, test } from 'vitest';
import { isId } from '../../core/point.ts';
import {
  CLOUD_STATUS_TOPIC,
  downFilters,
  kindNames,
  kinds,
  parseTopic,
  secondLogin,
  topicOf,
  upFilters,
} from './topics.ts';

test('every kind has one topic, and the topic names it again', () => {
  for (const kind of kindNames) {
    const topic = topicOf('north', 'gw-1', kind);
    expect(topic).toBe(`lifeline/v1/north/gw-1/${kind}`);
    expect(parseTopic(topic)).toEqual({ area: 'north', gateway: 'gw-1', kind });
  }
});

test('anything else is no topic of ours', () => {
  const wrong = [
    '',
    'lifeline/v1/a/b',
    'lifeline/v1/a/b/live/more',
    'lifeline/v2/a/b/live',
    '/lifeline/v1/a/b/live',
    'lifeline/v1/A/b/live',
    'lifeline/v1/a//live',
    'lifeline/v1/+/b/live',
    'lifeline/v1/a/b/#',
    'lifeline/v1/a/b/LIVE',
    'lifeline/v1/a/b/toString',
    `lifeline/v1/${'a'.repeat(65)}/b/live`,
    'lifeline/v1/a/b/live\u0000',
  ];
  for (const topic of wrong) expect(parseTopic(topic)).toBeUndefined();
});

test('a gateway subscribes to its own down kinds by exact topic; the cloud to every up kind', () => {
  const down = downFilters('north', 'gw-1').map(({ filter }) => filter);
  expect(down).toEqual(
    ['ack', 'desired', 'command', 'confirm'].map((kind) => `lifeline/v1/north/gw-1/${kind}`),
  );
  const up = upFilters().map(({ filter }) => filter);
  expect(up).toContain('lifeline/v1/+/+/birth');
  expect(up).toHaveLength(kindNames.length - down.length);
  expect(upFilters('north')[0]?.filter).toBe('lifeline/v1/north/+/birth');
});

test('the login of a second path is no id, and the status of the cloud no topic of a gateway', () => {
  expect(isId(secondLogin('gw-1'))).toBe(false);
  expect(parseTopic(CLOUD_STATUS_TOPIC)).toBeUndefined();
});

test('only what is state is retained, and nothing retained goes at QoS 0', () => {
  const retained = kindNames.filter((kind) => kinds[kind].retain);
  expect(retained).toEqual(['birth', 'status', 'status-2', 'desired', 'reported']);
  for (const kind of retained) expect(kinds[kind].qos).toBe(1);
});
