import { expect, test } from 'vitest';
import { FINDINGS_MAX, InvalidInput, Problems } from './problems.ts';

function many(count: number): Problems {
  const problems = new Problems('a.yaml');
  for (let at = 0; at < count; at++) problems.add([at], 'unknown-key', { key: `${at}` });
  return problems;
}

test('what is not listed is counted, also in what is thrown', () => {
  const problems = many(FINDINGS_MAX + 7);
  expect(problems.findings).toHaveLength(FINDINGS_MAX);
  expect(problems.beyond).toBe(7);
  expect(() => problems.throwIfAny()).toThrow(InvalidInput);
  expect(() => problems.throwIfAny()).toThrow(expect.objectContaining({ beyond: 7 }));
});

test('a mistake made a thousand times does not hide another', () => {
  const problems = many(1000);
  problems.add(['b'], 'missing-key', { key: 'b' });
  problems.add(['c'], 'missing-key', { key: 'c' });
  expect(problems.findings.map(({ code }) => code).slice(-3)).toEqual([
    'unknown-key',
    'missing-key',
    'missing-key',
  ]);
  expect(problems.findings.length + problems.beyond).toBe(1002);
});

test('an error is no less one because a hundred warnings stood before it', () => {
  const problems = new Problems('a.yaml');
  for (let at = 0; at < FINDINGS_MAX; at++) {
    problems.add([at], 'unknown-key', { key: '' }, { severity: 'warning' });
  }
  expect(problems.failed).toBe(false);
  problems.add([], 'unknown-key', { key: '' });
  expect(problems.failed).toBe(true);
});
