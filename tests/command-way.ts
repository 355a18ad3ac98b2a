// The way of two commands through the cloud's book, from wherever it was left: what was not asked
// for is asked, what waits is released, what is open is sent, what was sent is answered. As a
// program of its own (FILE STEPS) it is killed, by itself, at the step of that number: steps lie
// between any two acts, and before and after each write inside their transactions.
import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Command } from '../protocols/uplink/control.ts';
import { CommandedPlant, li, valve, wish, zhang } from './commanded-plant.ts';

/** What has just been done. */
export type Line =
  | readonly [kind: 'sent', command: Command]
  | readonly [kind: 'asked', id: string]
  | readonly [kind: 'end', nothing: null];

const written = ['commands', 'alarm_journal', 'alarm_approvals'];
const moments = ['BEFORE INSERT', 'AFTER INSERT', 'AFTER UPDATE', 'AFTER DELETE'];

export function goTheWay(
  database: DatabaseSync,
  step: () => void,
  say: (...line: Line) => void,
): void {
  const plant = new CommandedPlant(database);
  if (plant.alarms.newest('gw-1') === null) plant.record();
  database.function('step', () => {
    step();
    return 0;
  });
  for (const table of written) {
    for (const moment of moments) {
      database.exec(`CREATE TEMP TRIGGER "${table} ${moment}" ${moment} ON main.${table}
        BEGIN SELECT step(); END`);
    }
  }
  const send = () => {
    const before = plant.published.length;
    plant.sending.connected();
    plant.turn();
    for (const one of plant.published.slice(before)) {
      step();
      say('sent', one);
      step();
    }
  };
  send();
  for (const asked of [wish({ id: '0'.repeat(32) }), valve({ id: '1'.repeat(32) })]) {
    const id = asked.id!;
    step();
    // Asked again by a caller who heard no answer.
    const { state } = plant.commands.ask(asked, li, '10.0.0.1', plant.nowMs);
    step();
    say('asked', id);
    if (state === 'waiting') plant.decide(id, true, zhang);
    step();
    send();
    plant.reply(id, { readBack: null });
    step();
  }
  say('end', null);
}

if (import.meta.main) {
  const [file = '', steps = ''] = process.argv.slice(2);
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  let left = Number(steps);
  const step = () => {
    if (--left === 0) process.kill(process.pid, 'SIGKILL');
  };
  goTheWay(database, step, (...line) => writeSync(1, `${JSON.stringify(line)}\n`));
}
