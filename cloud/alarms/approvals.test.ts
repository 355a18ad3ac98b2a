import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { isFault } from '../../core/fault.ts';
import { APPROVAL_MS, Approvals } from './approvals.ts';

const li = { name: 'li', from: 'desk-1' };
const zhang = { name: 'zhang', from: 'desk-2' };
const NOW = 1_790_000_000_000;

function opened() {
  const said: string[] = [];
  const approvals = new Approvals(new DatabaseSync(':memory:'), (kind, { name }, what) => {
    said.push(`${kind} ${name} ${what}`);
  });
  return { approvals, said };
}

function codeOf(work: () => void): string {
  try {
    work();
  } catch (error) {
    if (isFault(error)) return error.code;
    throw error;
  }
  return 'done';
}

test('what is asked by one is done when another approves it, and both are in the journal', () => {
  const { approvals, said } = opened();
  approvals.handlers.set('shelve', ({ what }, { name }) => said.push(`shelved ${what} ${name}`));
  const { id } = approvals.ask('shelve', 'alarm-1', { hours: 1 }, li, 'works', NOW);
  expect(codeOf(() => approvals.approve(id, li, NOW + 1))).toBe('approval_same_person');
  approvals.approve(id, zhang, NOW + 2);
  expect(said).toEqual([
    'approval-asked li alarm-1',
    'approval-given zhang alarm-1',
    'shelved alarm-1 zhang',
  ]);
  expect(codeOf(() => approvals.approve(id, zhang, NOW + 3))).toBe('approval_unknown');
});

test('the same wish of one person is one, and lapses after a shift', () => {
  const { approvals } = opened();
  const first = approvals.ask('shelve', 'alarm-1', { hours: 1 }, li, 'works', NOW);
  expect(approvals.ask('shelve', 'alarm-1', { hours: 1 }, li, 'works', NOW + 5).id).toBe(first.id);
  approvals.ask('shelve', 'alarm-1', { hours: 2 }, li, 'works', NOW + 5);
  // Another wish for the same thing takes the place of the first.
  expect(approvals.pending(NOW + 5)).toMatchObject([{ document: { hours: 2 } }]);
  expect(approvals.pending(NOW + 5 + APPROVAL_MS)).toEqual([]);
  expect(codeOf(() => approvals.approve(first.id, zhang, NOW + APPROVAL_MS))).toBe(
    'approval_unknown',
  );
});

test('one person is enough to withdraw', () => {
  const { approvals, said } = opened();
  const { id } = approvals.ask('shelve', 'alarm-1', null, li, 'works', NOW);
  approvals.withdraw(id, li, NOW + 1);
  expect(approvals.pending(NOW + 1)).toEqual([]);
  expect(said.at(-1)).toBe('approval-withdrawn li alarm-1');
});
