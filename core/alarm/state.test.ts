import { expect, test } from 'vitest';
import type { Condition, ConditionEffect, ConditionEvent, Letter } from './state.ts';
import { change, letterOf, NORMAL } from './state.ts';

const at: Record<Letter, Condition> = {
  A: { active: false, acknowledged: true, occurrence: 'now' },
  B: { active: true, acknowledged: false, occurrence: 'now' },
  C: { active: true, acknowledged: true, occurrence: 'now' },
  D: { active: false, acknowledged: false, occurrence: 'now' },
};

type Case = ConditionEvent['kind'] | 'acknowledge an earlier one';
const events: Record<Case, ConditionEvent> = {
  begins: { kind: 'begins', occurrence: 'next' },
  ends: { kind: 'ends' },
  acknowledge: { kind: 'acknowledge', occurrence: 'now' },
  'acknowledge an earlier one': { kind: 'acknowledge', occurrence: 'before' },
  bad: { kind: 'bad' },
};

type Cell = readonly [Letter, ...(ConditionEffect['kind'] | 'already')[]];
// No Partial: a new letter or event does not compile until every cell is decided.
const table: Record<Letter, Record<Case, Cell>> = {
  A: {
    begins: ['B', 'raised'],
    ends: ['A'],
    acknowledge: ['A', 'already'],
    'acknowledge an earlier one': ['A', 'superseded'],
    bad: ['A'],
  },
  B: {
    begins: ['B'],
    ends: ['D', 'cleared'],
    acknowledge: ['C', 'acknowledged'],
    'acknowledge an earlier one': ['B', 'superseded'],
    bad: ['B'],
  },
  C: {
    begins: ['C'],
    ends: ['A', 'cleared'],
    acknowledge: ['C', 'already'],
    'acknowledge an earlier one': ['C', 'superseded'],
    bad: ['C'],
  },
  D: {
    begins: ['B', 'superseded', 'raised'],
    ends: ['D'],
    acknowledge: ['A', 'acknowledged'],
    'acknowledge an earlier one': ['D', 'superseded'],
    bad: ['D'],
  },
};

for (const [letter, cells] of Object.entries(table)) {
  for (const [name, [to, ...effects]] of Object.entries(cells)) {
    test(`${letter}: ${name} -> ${to}`, () => {
      const [after, done] = change(at[letter as Letter], events[name as Case]);
      expect(letterOf(after)).toBe(to);
      expect(done.map((effect) => (effect.kind === 'refused' ? effect.why : effect.kind))).toEqual(
        effects,
      );
    });
  }
}

test('a condition that never was is normal, and nothing of it can be acknowledged', () => {
  expect(letterOf(NORMAL)).toBe('A');
  expect(change(NORMAL, { kind: 'acknowledge', occurrence: 'x' })).toEqual([
    NORMAL,
    [{ kind: 'refused', why: 'superseded' }],
  ]);
});

test('a condition that comes back is a new occurrence, never the old one again', () => {
  const [back] = change(at.D, events.begins);
  expect(back).toEqual({ active: true, acknowledged: false, occurrence: 'next' });
});
