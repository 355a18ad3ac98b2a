import { expect, test } from 'vitest';
import type { LimitRule } from '../core/alarm/rule.ts';
import { silentLog } from '../core/log.ts';
import type { PointDefinition } from '../core/point.ts';
import { decodeConfigurationState, encodeConfigurationState } from '../protocols/uplink/control.ts';
import type { Decided } from '../protocols/uplink/decided.ts';
import { encodeDecided, NOTHING_DECIDED } from '../protocols/uplink/decided.ts';
import { hashOfBytes } from '../protocols/uplink/dictionary.ts';
import { RulesInForce } from './rules.ts';

const high = (limit: number): LimitRule => ({
  ...{ id: 'high', kind: 'limit', side: 'high', limit, deadband: 1, level: 2 },
  ...{ onDelayMs: 0, offDelayMs: 0, title: { en: '', zh: '' }, action: null },
});

const point: PointDefinition = {
  ...{ device: 'd', point: 'p', name: { en: 'p', zh: 'p' }, unit: 'bar', type: 'number' },
  ...{ scale: 1, offset: 0, range: null, class: 'life-safety', periodMs: 1000, deadband: 0 },
  ...{ asset: null, rules: [high(10)] },
};

function outbox() {
  const words = new Map<string, string>();
  return {
    word: (name: string) => words.get(name),
    setWord: (name: string, text: string) => void words.set(name, text),
  };
}

function desired(revision: number, ...list: readonly Decided[]): Uint8Array {
  const document = encodeDecided(list);
  return encodeConfigurationState({ revision, hash: hashOfBytes(document), document });
}

const decided = (rule: LimitRule | null): Decided => ({
  device: 'd',
  point: 'p',
  id: 'high',
  rule,
});
const limitsOf = (rules: RulesInForce) =>
  rules.points[0]!.rules.map((rule) => 'limit' in rule && rule.limit);

test('what people decided is in force instead of the proposal, and nothing of it where they retired it', () => {
  const rules = new RulesInForce(silentLog, outbox(), [point]);
  expect(limitsOf(rules)).toEqual([10]);
  expect(decodeConfigurationState(rules.reported)).toMatchObject({ hash: NOTHING_DECIDED });
  expect(rules.take(desired(1, decided(high(20))))).toBe(true);
  expect(limitsOf(rules)).toEqual([20]);
  expect(rules.take(desired(2, decided(null)))).toBe(true);
  expect(limitsOf(rules)).toEqual([]);
  const { hash, document } = decodeConfigurationState(rules.reported);
  expect([hash, document.length]).toEqual([hashOfBytes(encodeDecided([decided(null)])), 0]);
});

test('a restart without a network goes on with what was decided', () => {
  const words = outbox();
  new RulesInForce(silentLog, words, [point]).take(desired(3, decided(high(20))));
  const again = new RulesInForce(silentLog, words, [point]);
  expect(limitsOf(again)).toEqual([20]);
  expect(again.take(desired(3, decided(high(20))))).toBe(false);
});

test('an old revision, a wrong hash and nonsense change nothing', () => {
  const rules = new RulesInForce(silentLog, outbox(), [point]);
  rules.take(desired(5, decided(high(20))));
  const document = encodeDecided([decided(high(30))]);
  const wrong = encodeConfigurationState({ revision: 6, hash: 'f'.repeat(32), document });
  for (const payload of [desired(4, decided(high(30))), wrong, Uint8Array.of(1, 2, 3)]) {
    expect(rules.take(payload)).toBe(false);
  }
  expect(limitsOf(rules)).toEqual([20]);
});
