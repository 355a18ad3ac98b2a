import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Condition, ConditionEffect, ConditionEvent, Letter, Refusal } from './state.ts';
import { change, isHidden, letterOf, NORMAL, PLAIN } from './state.ts';

const shelf = { untilMs: 3_600_000, isOneShot: false, by: 'operator', reason: 'works on the line' };
const removal = { untilMs: 7_200_000, workOrder: 'WO-17', by: 'maintenance', reason: 'sensor' };
const it = (more: Partial<Condition>): Condition => ({ ...NORMAL, occurrence: 'now', ...more });

const at: Record<Letter, Condition> = {
  A: it({}),
  B: it({ active: true, acknowledged: false }),
  C: it({ active: true }),
  D: it({ acknowledged: false }),
  E: it({ latched: true, acknowledged: false }),
  F: it({ latched: true }),
  G: it({ shelf }),
  H: it({ isSuppressed: true }),
  I: it({ removal }),
};

type Case =
  | Exclude<ConditionEvent['kind'], 'ends'>
  | 'acknowledge an earlier one'
  | 'reset an earlier one'
  | 'ends, plain'
  | 'ends, latching'
  | 'ends, no acknowledgement needed';

const events: Record<Case, ConditionEvent> = {
  begins: { kind: 'begins', occurrence: 'next' },
  'ends, plain': { kind: 'ends' },
  'ends, latching': { kind: 'ends' },
  'ends, no acknowledgement needed': { kind: 'ends' },
  bad: { kind: 'bad' },
  acknowledge: { kind: 'acknowledge', occurrence: 'now' },
  'acknowledge an earlier one': { kind: 'acknowledge', occurrence: 'before' },
  reset: { kind: 'reset', occurrence: 'now' },
  'reset an earlier one': { kind: 'reset', occurrence: 'before' },
  're-alarms': { kind: 're-alarms' },
  shelve: { kind: 'shelve', shelf },
  unshelve: { kind: 'unshelve' },
  suppress: { kind: 'suppress' },
  unsuppress: { kind: 'unsuppress' },
  remove: { kind: 'remove', removal },
  return: { kind: 'return' },
};

type Cell = readonly [Letter, ...(Exclude<ConditionEffect['kind'], 'refused'> | Refusal)[]];

const superseded = (letter: Letter) => ({
  'acknowledge an earlier one': [letter, 'superseded'] as const,
  'reset an earlier one': [letter, 'superseded'] as const,
});
const quiet = (letter: Letter) => ({
  'ends, plain': [letter] as const,
  'ends, latching': [letter] as const,
  'ends, no acknowledgement needed': [letter] as const,
});
const hide = {
  shelve: ['G', 'shelved'],
  suppress: ['H', 'suppressed'],
  remove: ['I', 'removed'],
} as const;
const shown = (letter: Letter) => ({
  bad: [letter] as const,
  unshelve: [letter, 'not-so'] as const,
  unsuppress: [letter] as const,
  return: [letter, 'not-so'] as const,
  ...superseded(letter),
});
/** Underneath, the condition is normal here; what happens to an active one is tested below. */
const hidden = (letter: Letter) => ({
  begins: [letter, 'raised'] as const,
  bad: [letter] as const,
  acknowledge: [letter, 'hidden'] as const,
  reset: [letter, 'hidden'] as const,
  're-alarms': [letter] as const,
  ...quiet(letter),
  ...superseded(letter),
});

// No Partial: a new letter or event does not compile until every cell is decided.
const table: Record<Letter, Record<Case, Cell>> = {
  A: {
    begins: ['B', 'raised'],
    acknowledge: ['A', 'already'],
    reset: ['A', 'not-so'],
    're-alarms': ['A'],
    ...quiet('A'),
    ...shown('A'),
    ...hide,
  },
  B: {
    begins: ['B'],
    'ends, plain': ['D', 'cleared'],
    'ends, latching': ['E', 'cleared'],
    'ends, no acknowledgement needed': ['A', 'cleared'],
    acknowledge: ['C', 'acknowledged'],
    reset: ['B', 'active'],
    're-alarms': ['B'],
    ...shown('B'),
    ...hide,
  },
  C: {
    begins: ['C'],
    'ends, plain': ['A', 'cleared'],
    'ends, latching': ['F', 'cleared'],
    'ends, no acknowledgement needed': ['A', 'cleared'],
    acknowledge: ['C', 'already'],
    reset: ['C', 'active'],
    're-alarms': ['B', 'annunciated'],
    ...shown('C'),
    ...hide,
  },
  D: {
    begins: ['B', 'superseded', 'raised'],
    acknowledge: ['A', 'acknowledged'],
    reset: ['D', 'not-so'],
    're-alarms': ['D'],
    ...quiet('D'),
    ...shown('D'),
    ...hide,
  },
  E: {
    begins: ['B', 'superseded', 'raised'],
    acknowledge: ['F', 'acknowledged'],
    reset: ['D', 'reset'],
    're-alarms': ['E'],
    ...quiet('E'),
    ...shown('E'),
    ...hide,
  },
  F: {
    begins: ['B', 'superseded', 'raised'],
    acknowledge: ['F', 'already'],
    reset: ['A', 'reset'],
    're-alarms': ['F'],
    ...quiet('F'),
    ...shown('F'),
    ...hide,
  },
  G: {
    shelve: ['G', 'already'],
    unshelve: ['A', 'unshelved'],
    suppress: ['H', 'suppressed'],
    unsuppress: ['G'],
    remove: ['I', 'removed'],
    return: ['G', 'not-so'],
    ...hidden('G'),
  },
  H: {
    shelve: ['H', 'hidden'],
    unshelve: ['H', 'not-so'],
    suppress: ['H'],
    unsuppress: ['A', 'unsuppressed'],
    remove: ['I', 'removed'],
    return: ['H', 'not-so'],
    ...hidden('H'),
  },
  I: {
    shelve: ['I', 'hidden'],
    unshelve: ['I', 'not-so'],
    suppress: ['I', 'suppressed'],
    unsuppress: ['I'],
    remove: ['I', 'already'],
    return: ['A', 'returned'],
    ...hidden('I'),
  },
};

function policyOf(name: string) {
  return {
    isLatching: name === 'ends, latching',
    needsAcknowledge: name !== 'ends, no acknowledgement needed',
  };
}

const said = (effects: readonly ConditionEffect[]) =>
  effects.map((effect) => (effect.kind === 'refused' ? effect.why : effect.kind));

for (const [letter, cells] of Object.entries(table)) {
  for (const [name, [to, ...effects]] of Object.entries(cells)) {
    test(`${letter}: ${name} -> ${to}`, () => {
      const [after, done] = change(at[letter as Letter], events[name as Case], policyOf(name));
      expect([letterOf(after), ...said(done)]).toEqual([to, ...effects]);
    });
  }
}

const ways = [
  ['shelve', 'unshelve', 'unshelved'],
  ['suppress', 'unsuppress', 'unsuppressed'],
  ['remove', 'return', 'returned'],
] as const;

test.each(ways)('who comes back from %s is judged anew', (hide, show, name) => {
  const through = (condition: Condition) => {
    const [under] = change(condition, events[hide]);
    const [after, effects] = change(under, events[show]);
    return [letterOf(after), ...said(effects)];
  };
  expect(through(at.A)).toEqual(['A', name]);
  expect(through(at.D)).toEqual(['A', name]);
  expect(through(at.B)).toEqual(['B', name, 'annunciated']);
  expect(through(at.C)).toEqual(['B', name, 'annunciated']);
  // What latched is not unlatched by looking away.
  expect(through(at.E)).toEqual(['F', name]);
  expect(through(at.F)).toEqual(['F', name]);
});

test('two reasons to be hidden: the last one that ends shows it again', () => {
  const [shelved] = change(at.C, events.shelve);
  const [both] = change(shelved, events.remove);
  const [one, effects] = change(both, events.return);
  expect([letterOf(one), ...said(effects)]).toEqual(['G', 'returned']);
  expect(letterOf(change(one, events.unshelve)[0])).toBe('B');
});

test('a one-shot shelf ends with the return to normal, a timed one does not', () => {
  const once = { kind: 'shelve', shelf: { ...shelf, isOneShot: true } } as const;
  const [oneShot] = change(at.B, once);
  expect(said(change(oneShot, events['ends, plain'])[1])).toEqual(['cleared', 'unshelved']);
  const [timed] = change(at.B, events.shelve);
  expect(letterOf(change(timed, events['ends, plain'])[0])).toBe('G');
});

test('what changes underneath is told, and told as hidden', () => {
  const [, effects] = change(at.G, events.begins);
  expect(effects).toEqual([{ kind: 'raised', occurrence: 'next', isHidden: true }]);
});

test('a condition that never was is normal, and nothing of it can be acknowledged', () => {
  expect(letterOf(NORMAL)).toBe('A');
  const [after, effects] = change(NORMAL, { kind: 'acknowledge', occurrence: 'x' });
  expect([after, said(effects)]).toEqual([NORMAL, ['superseded']]);
});

test('a condition that comes back is a new occurrence, never the old one again', () => {
  const [back] = change(at.D, events.begins);
  expect(back).toEqual(it({ active: true, acknowledged: false, occurrence: 'next' }));
});

test('whatever happens: active is what began and did not end, and a refusal changes nothing', () => {
  const anyEvent = fc.constantFrom(...Object.values(events));
  const anyPolicy = fc.record({ isLatching: fc.boolean(), needsAcknowledge: fc.boolean() });
  fc.assert(
    fc.property(fc.array(fc.tuple(anyEvent, anyPolicy), { maxLength: 40 }), (steps) => {
      let condition = NORMAL;
      let isActive = false;
      for (const [event, policy] of steps) {
        const [after, effects] = change(condition, event, policy);
        if (event.kind === 'begins') isActive = true;
        if (event.kind === 'ends') isActive = false;
        expect(after.active).toBe(isActive);
        if (effects.some(({ kind }) => kind === 'refused')) expect(after).toBe(condition);
        // Nothing is both latched and active, and only what is shown can have been acknowledged.
        expect(after.latched && after.active).toBe(false);
        if (said(effects).includes('acknowledged')) expect(isHidden(after)).toBe(false);
        condition = after;
      }
    }),
  );
  expect(PLAIN).toEqual({ isLatching: false, needsAcknowledge: true });
});
