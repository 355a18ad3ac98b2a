// Drills: marked alarms that go the whole way, from the gateway's own point to the people, and the
// report of who was told and who confirmed, step by step.
//
//   start -> running: each step sets a drill point when it is due and takes it back after `hold`
//         -> ended: all steps are over and either confirmed or late, or a person ended it
//
// The alarm of a step is the first of its gateway's drill point that the cloud received after the
// command was asked for; its deliveries are those of every alarm. So the report reads what is
// recorded anyway, and stands for a drill of last year as for one that runs. What a step asked of a
// gateway goes through the book of commands, with its checks, in the name of who started the drill.
//
// On disk in the registry's database: a drill that was running when the cloud died goes on, and
// what fell due meanwhile is done late; a command is asked for once under an id of its own.
import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { hex } from '../../core/bytes.ts';
import { Fault, isFault } from '../../core/fault.ts';
import { DRILL_POINT, pointId, SELF_DEVICE } from '../../core/point.ts';
import type { Random } from '../../core/random.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { Actor } from '../alarms/occurrences.ts';
import { machine } from '../alarms/occurrences.ts';
import type { AlarmTables } from '../alarms/tables.ts';
import type { Commanded } from '../commands/command.ts';
import type { Commands } from '../commands/commands.ts';
import type { Delivery } from '../notify/notifier.ts';
import type { Principal } from '../registry/registry.ts';
import { Statements } from '../statements.ts';
import type { Scenario, Step } from './scenario.ts';

export const DRILLS_RUNNING_MAX = 4;
export const DRILLS_LIST_MAX = 200;
/** Beyond the last that was to happen; then it ends whatever is missing. */
const GRACE_MS = 30_000;
/** Alarms of a gateway that are looked through for that of a step. */
const LOOK_BACK = 200;

export interface DrillStep extends Step {
  /** When its command was asked for; null before. */
  readonly beganMs: number | null;
  /** Why it could not be asked for: the code of a fault. */
  readonly refused: string | null;
  readonly isTakenBack: boolean;
  readonly occurrence: string | null;
}

export interface Drill {
  readonly number: number;
  readonly title: Scenario['title'];
  readonly by: string;
  readonly from: string;
  readonly why: string;
  readonly startedMs: number;
  readonly endedMs: number | null;
  /** Who ended it before its time. */
  readonly endedBy: string | null;
  readonly steps: readonly DrillStep[];
}

interface Kept extends Drill {
  readonly principal: Principal;
  /** Of its commands' ids: asked for again after a crash, each is the same command. */
  readonly seed: string;
}

export interface DrillOptions {
  readonly tables: AlarmTables;
  readonly commands: Pick<Commands, 'ask' | 'find'>;
  readonly deliveries: (occurrence: string) => readonly Delivery[];
}

/** A step with all that is recorded of it. */
export interface StepFacts {
  readonly step: DrillStep;
  readonly command: Commanded | null;
  readonly alarm: Alarm | null;
  readonly deliveries: readonly Delivery[];
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS drills (
    number INTEGER PRIMARY KEY AUTOINCREMENT, is_running INTEGER NOT NULL, document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS drills_running ON drills (number) WHERE is_running = 1;`;

export class Drills {
  readonly #random: Random;
  readonly #statements: Statements;
  readonly #options: DrillOptions;

  constructor(random: Random, database: DatabaseSync, options: DrillOptions) {
    this.#random = random;
    database.exec(SCHEMA);
    this.#statements = new Statements(database);
    this.#options = options;
  }

  /**
   * Throws a Fault: `drill_busy` where too many run, or another one has the same point of a
   * gateway; and what the book of commands says where a gateway cannot be asked now.
   */
  start(scenario: Scenario, why: string, principal: Principal, from: string, nowMs: number): Drill {
    this.#mustBeFree(scenario);
    const nothing = { beganMs: null, refused: null, isTakenBack: false, occurrence: null };
    const drill: Omit<Kept, 'number'> = {
      ...{ title: scenario.title, by: principal.name, from, why, startedMs: nowMs },
      ...{ endedMs: null, endedBy: null, principal, seed: hex(this.#random.bytes(16)) },
      steps: scenario.steps.map((step) => ({ ...step, ...nothing })),
    };
    const { tables } = this.#options;
    const number = tables.transact(() => {
      const sql = 'INSERT INTO drills (is_running, document) VALUES (1, ?)';
      const row = Number(this.#statements.run(sql, JSON.stringify(drill)).lastInsertRowid);
      const after = { title: drill.title, why, steps: scenario.steps };
      tables.journal.note(
        'drill-started',
        { name: drill.by, from },
        nameOf(row),
        null,
        after,
        nowMs,
      );
      return row;
    });
    this.tick(nowMs);
    return this.get(number);
  }

  /** Takes back what is up. Throws Fault `drill_unknown`, `drill_over`. */
  end(number: number, actor: Actor, nowMs: number): Drill {
    const drill = this.#kept(number);
    if (drill.endedMs !== null) {
      throw new Fault('drill_over', 'never', bilingual('drill-over', { number }));
    }
    const steps = drill.steps.map((step, at) => this.#takeBack(drill, step, at, nowMs));
    this.#close({ ...drill, steps }, actor, nowMs);
    return this.get(number);
  }

  /** Throws Fault `drill_unknown`. */
  get(number: number): Drill {
    const { principal: _, seed: __, ...drill } = this.#kept(number);
    return drill;
  }

  /** Newest first. */
  list(limit: number): Drill[] {
    const sql = 'SELECT number, document FROM drills ORDER BY number DESC LIMIT ?';
    return this.#statements
      .all(sql, Math.min(limit, DRILLS_LIST_MAX))
      .map((row) => this.get(Number(row['number'])));
  }

  facts({ number }: Drill): StepFacts[] {
    const drill = this.#kept(number);
    return drill.steps.map((step, at) => this.#factsOf(drill, step, at));
  }

  /** Once a second: what is due is done, what came about is noted, what is through is ended. */
  tick(nowMs: number): void {
    for (const drill of this.#running()) {
      const steps = drill.steps.map((step, at) => {
        const begun = this.#begin(drill, step, at, nowMs);
        const noted = this.#noted(begun);
        const isHeld = noted.beganMs !== null && nowMs < noted.beganMs + noted.holdMs;
        return isHeld ? noted : this.#takeBack(drill, noted, at, nowMs);
      });
      const after = { ...drill, steps };
      const isOver = steps.every((step, at) => this.#isThrough(drill, step, at, nowMs));
      if (isOver) this.#close(after, machine, nowMs);
      else if (steps.some((step, at) => step !== drill.steps[at])) this.#keep(after);
    }
  }

  #begin(drill: Kept, step: DrillStep, at: number, nowMs: number): DrillStep {
    if (step.beganMs !== null || step.refused !== null) return step;
    if (nowMs < drill.startedMs + step.atMs) return step;
    const refused = this.#ask(drill, step, commandId(drill, at, 'up'), true, nowMs);
    return refused === null ? { ...step, beganMs: nowMs } : { ...step, refused };
  }

  // Its gateway would end it by itself, later: what cannot be taken back now is not tried again.
  #takeBack(drill: Kept, step: DrillStep, at: number, nowMs: number): DrillStep {
    if (step.beganMs === null || step.isTakenBack) return step;
    this.#ask(drill, step, commandId(drill, at, 'down'), false, nowMs);
    return { ...step, isTakenBack: true };
  }

  #ask(
    { principal, from, why, number }: Kept,
    { gateway, level }: DrillStep,
    id: string,
    value: boolean,
    nowMs: number,
  ): string | null {
    const point = { device: SELF_DEVICE, point: `${DRILL_POINT}${level}`, command: 'set' };
    const wish = { id, gateway, ...point, value, timeToLiveMs: null };
    try {
      this.#options.commands.ask(
        { ...wish, why: `${nameOf(number)}: ${why}` },
        principal,
        from,
        nowMs,
      );
      return null;
    } catch (error) {
      if (!isFault(error)) throw error;
      return error.code;
    }
  }

  #noted(step: DrillStep): DrillStep {
    const { gateway, level, beganMs, occurrence } = step;
    if (beganMs === null || occurrence !== null) return step;
    const key = pointId(gateway, SELF_DEVICE, `${DRILL_POINT}${level}`);
    const found = this.#options.tables
      .list({ state: 'all', gateway, limit: LOOK_BACK })
      .filter((alarm) => alarm.key === key && alarm.raisedReceivedMs >= beganMs)
      .at(-1);
    return found ? { ...step, occurrence: found.occurrence } : step;
  }

  #factsOf(drill: Kept, step: DrillStep, at: number): StepFacts {
    const { beganMs, occurrence } = step;
    return {
      step,
      command: beganMs === null ? null : this.#command(commandId(drill, at, 'up')),
      alarm: occurrence === null ? null : this.#options.tables.get(occurrence),
      deliveries: occurrence === null ? [] : this.#options.deliveries(occurrence),
    };
  }

  #isThrough(drill: Kept, step: DrillStep, at: number, nowMs: number): boolean {
    const { refused, beganMs, occurrence, isTakenBack, holdMs, confirmWithinMs } = step;
    if (refused !== null) return true;
    if (beganMs === null || !isTakenBack) return false;
    if (nowMs > beganMs + Math.max(holdMs, confirmWithinMs) + GRACE_MS) return true;
    if (occurrence === null) return false;
    const { cleared, confirmedMs } = stateOf(this.#factsOf(drill, step, at));
    return cleared && confirmedMs !== null;
  }

  #close(drill: Kept, actor: Actor, nowMs: number): void {
    const { tables } = this.#options;
    const endedBy = actor === machine ? null : actor.name;
    const after = { ...drill, endedMs: nowMs, endedBy };
    tables.transact(() => {
      this.#keep(after);
      tables.journal.note('drill-ended', actor, nameOf(drill.number), null, { endedBy }, nowMs);
    });
  }

  #keep({ number, ...document }: Kept): void {
    const sql = 'UPDATE drills SET is_running = ?, document = ? WHERE number = ?';
    this.#statements.run(sql, document.endedMs === null ? 1 : 0, JSON.stringify(document), number);
  }

  #kept(number: number): Kept {
    const row = this.#statements.one('SELECT document FROM drills WHERE number = ?', number);
    if (row) return { ...(JSON.parse(String(row['document'])) as Omit<Kept, 'number'>), number };
    throw new Fault('drill_unknown', 'never', bilingual('drill-none', { number }));
  }

  #running(): Kept[] {
    return this.#statements
      .all('SELECT number FROM drills WHERE is_running = 1 ORDER BY number')
      .map((row) => this.#kept(Number(row['number'])));
  }

  #command(id: string): Commanded | null {
    try {
      return this.#options.commands.find(id);
    } catch (error) {
      if (isFault(error) && error.code === 'command_unknown') return null;
      throw error;
    }
  }

  #mustBeFree({ steps }: Scenario): void {
    const running = this.#running();
    if (running.length >= DRILLS_RUNNING_MAX) {
      const detail = bilingual('drills-beyond', { max: DRILLS_RUNNING_MAX });
      throw new Fault('drill_busy', 'later', detail);
    }
    for (const { gateway, level } of steps) {
      const other = running.find((drill) =>
        drill.steps.some((step) => step.gateway === gateway && step.level === level),
      );
      if (!other) continue;
      const detail = bilingual('drill-point-taken', { gateway, level, number: other.number });
      throw new Fault('drill_busy', 'later', detail);
    }
  }
}

const nameOf = (number: number) => `drill ${number}`;

function commandId({ seed }: Kept, at: number, way: 'up' | 'down'): string {
  return createHash('sha256').update(`${seed} ${at} ${way}`).digest('hex').slice(0, 32);
}

export interface StepState {
  /** When somebody had it, and who; null where nobody did. */
  readonly confirmedMs: number | null;
  readonly confirmedBy: string | null;
  readonly cleared: boolean;
  /** Of those that had to be told, who was not. */
  readonly untold: readonly string[];
  /** From the gateway's seeing it to the confirmation; null without one. */
  readonly tookMs: number | null;
  readonly isAsExpected: boolean;
}

export function stateOf({ step, alarm, deliveries }: StepFacts): StepState {
  const calls = deliveries.filter(({ transition }) => transition !== 'cleared');
  const confirmed = calls
    .filter(({ confirmedMs }) => confirmedMs !== null)
    .sort((a, b) => a.confirmedMs! - b.confirmedMs!)[0];
  const own = confirmed && {
    confirmedMs: confirmed.confirmedMs,
    confirmedBy: confirmed.confirmedBy,
  };
  const desk = {
    confirmedMs: alarm?.acknowledgedMs ?? null,
    confirmedBy: alarm?.acknowledgedBy ?? null,
  };
  const isDeskFirst =
    desk.confirmedMs !== null && (!own || desk.confirmedMs < (own.confirmedMs ?? 0));
  const { confirmedMs, confirmedBy } = own && !isDeskFirst ? own : desk;
  const told = new Set(
    calls.flatMap(({ receiver, person, sentMs }) => (sentMs === null ? [] : [receiver, person])),
  );
  const untold = step.told.filter((id) => !told.has(id));
  // The gateway's label of its own clock may be off: then from when the cloud received it.
  const fromMs = alarm && Math.min(alarm.beganMs, alarm.raisedReceivedMs);
  const tookMs = confirmedMs === null || fromMs === null ? null : confirmedMs - fromMs;
  const isInTime = tookMs !== null && tookMs <= step.confirmWithinMs;
  return {
    ...{ confirmedMs, confirmedBy, cleared: alarm !== null && alarm.clearedMs !== null },
    ...{ untold, tookMs, isAsExpected: alarm !== null && isInTime && untold.length === 0 },
  };
}
