// Cases over alarms in memory, for tests of what people do with them.
import { DatabaseSync } from 'node:sqlite';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import { WALL } from '../cloud/alarms/made-records.ts';
import { defaultLimits } from '../cloud/cases/case.ts';
import type { CaseAct } from '../cloud/cases/cases.ts';
import { Cases } from '../cloud/cases/cases.ts';
import type { AlarmLevel } from '../core/alarm/rule.ts';
import { isFault } from '../core/fault.ts';
import { AlarmedPlant } from './alarmed-plant.ts';

export const T0 = WALL + 60_000;
export const MIN = 60_000;
export const li = { name: 'li', from: '10.0.0.1' };
export const zhang = { name: 'zhang', from: '10.0.0.2' };

const databases: DatabaseSync[] = [];

/** After each test. */
export function closeAll(): void {
  for (const database of databases.splice(0)) database.close();
}

/** Over a new database, or as a start of the cloud finds `before`. */
export function open(before?: DatabaseSync, levels: readonly AlarmLevel[] = [1, 3]) {
  const database = before ?? new DatabaseSync(':memory:');
  if (!before) databases.push(database);
  const alarms = new AlarmConsumer(database);
  const cases = new Cases(database, {
    alarms,
    limits: defaultLimits,
    utcOffsetMs: 8 * 3_600_000,
    departmentOf: (asset) => (asset?.startsWith('gas/') ? 'gas company' : ''),
  });
  const plant = new AlarmedPlant(alarms, T0, levels);
  return { database, alarms, cases, plant };
}

export type Opened = ReturnType<typeof open>;

/** Code and English detail of the fault, or `done`. */
export function outcome(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isFault(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'done';
}

export const acknowledge: CaseAct = { kind: 'acknowledge', note: '' };

/** As the alarms' own tick does, without gateways that fall silent meanwhile. */
export function tickAt({ alarms, cases }: Opened, nowMs: number): void {
  if (cases.isDue(nowMs)) alarms.together(() => cases.tick(nowMs));
}

/** Of a case: what, and by whom. */
export const log = ({ cases }: Opened, id: string) =>
  cases.tables.entries(cases.get(id)!.number, 0, 10_000).map(({ kind, by }) => `${kind} ${by}`);

/** What is to be told. */
export const queued = ({ alarms }: Opened) =>
  alarms.tables
    .outgoing(1_000)
    .map(({ transition, escalation }) =>
      escalation ? `${transition} ${escalation.case} ${escalation.count}` : transition,
    );
