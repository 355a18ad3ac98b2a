// What people do about an alarm, apart from the machine's condition: the states of a case, every
// act on it, and by when each step is due. Pure: cases.ts keeps the cases and asks here.
//
//   new -> acknowledged -> verifying -> dispatched -> on-site -> contained -> closed
//
// From any open state a case ends as false alarm, test or drill, or is merged into another. A
// machine never ends a case and never moves it forward; all it does is open it, escalate what is
// overdue, open it again when its alarm returns soon after its end, and bring it back to `new` when
// an alarm joins it that nobody has acknowledged.
import type { AlarmLevel } from '../../core/alarm/rule.ts';

export const openStates = [
  'new',
  'acknowledged',
  'verifying',
  'dispatched',
  'on-site',
  'contained',
] as const;
export type OpenState = (typeof openStates)[number];
export const endings = ['closed', 'false-alarm', 'test', 'drill', 'merged'] as const;
export type Ending = (typeof endings)[number];
export const caseStates = [...openStates, ...endings] as const;
export type CaseState = (typeof caseStates)[number];

export const caseActs = [
  'acknowledge',
  'verify',
  'dispatch',
  'arrive',
  'contain',
  'close',
  'false-alarm',
  'test',
  'drill',
  'merge',
  'assign',
  'note',
  /** The alarm's: one joins, as the same rule raised again, that nobody has acknowledged. */
  'return',
  /** The clock's: the step is overdue. */
  'escalate',
] as const;
export type CaseActKind = (typeof caseActs)[number];

export const caseRefusals = [
  /** Somebody has done it already. */
  'already',
  'ended',
  /** Nobody has taken the case yet. */
  'unacknowledged',
  /** A crew is on its way or on site: what became of it is to be said first. */
  'crew-out',
  /** Nobody was sent. */
  'no-crew',
  /** A test, a drill or a merged case takes no real alarm. */
  'apart',
] as const;
export type CaseRefusal = (typeof caseRefusals)[number];

export type Move =
  | { readonly kind: 'to'; readonly state: CaseState }
  | { readonly kind: 'stays' }
  | { readonly kind: 'refused'; readonly why: CaseRefusal };

const stays: Move = { kind: 'stays' };
const to = (state: CaseState): Move => ({ kind: 'to', state });
const refused = (why: CaseRefusal): Move => ({ kind: 'refused', why });
const place = (state: OpenState) => openStates.indexOf(state);

export function isEnding(state: CaseState): state is Ending {
  return endings.some((ending) => ending === state);
}

/** Where an act takes a case. */
export function moveOf(state: CaseState, act: CaseActKind): Move {
  if (act === 'note') return stays;
  if (!isEnding(state)) return moveOpen(state, act);
  if (act !== 'return') return refused('ended');
  // What was held for over, or for nothing, is back: somebody is to take it anew.
  return state === 'closed' || state === 'false-alarm' ? to('new') : refused('apart');
}

function moveOpen(state: OpenState, act: Exclude<CaseActKind, 'note'>): Move {
  const isCrewOut = state === 'dispatched' || state === 'on-site';
  switch (act) {
    case 'acknowledge':
      return state === 'new' ? to('acknowledged') : refused('already');
    case 'verify':
      if (state === 'new') return refused('unacknowledged');
      return state === 'acknowledged' ? to('verifying') : refused('already');
    case 'dispatch':
      if (state === 'new') return refused('unacknowledged');
      return isCrewOut ? stays : to('dispatched'); // One more crew.
    case 'arrive':
      if (state === 'new') return refused('unacknowledged');
      if (state === 'dispatched') return to('on-site');
      return refused(place(state) > place('dispatched') ? 'already' : 'no-crew');
    case 'contain':
      if (state === 'new') return refused('unacknowledged');
      return state === 'contained' ? refused('already') : to('contained');
    case 'close':
      if (state === 'new') return refused('unacknowledged');
      return isCrewOut ? refused('crew-out') : to('closed');
    case 'false-alarm':
    case 'test':
    case 'drill':
      return to(act);
    case 'merge':
      return to('merged');
    case 'return':
      return state === 'new' ? stays : to('new');
    case 'assign':
    case 'escalate':
      return stays;
  }
}

/** How long a case may be in each open state. */
export type Limits = Readonly<Record<OpenState, number>>;

const S = 1_000;
const MIN = 60 * S;
const H = 60 * MIN;

/**
 * Defaults, ours: at level I an alarm is acknowledged within a minute and somebody is on the way
 * within ten; each level below has several times as long. Shown as defaults until the cloud's file
 * says otherwise.
 */
export const defaultLimits: Readonly<Record<AlarmLevel, Limits>> = {
  1: limits(60 * S, 5 * MIN, 5 * MIN, 30 * MIN, 4 * H, 24 * H),
  2: limits(3 * MIN, 15 * MIN, 15 * MIN, H, 8 * H, 48 * H),
  3: limits(15 * MIN, H, 2 * H, 4 * H, 24 * H, 72 * H),
  4: limits(H, 8 * H, 24 * H, 24 * H, 72 * H, 7 * 24 * H),
};

function limits(...inOrder: readonly [number, number, number, number, number, number]): Limits {
  const entries = openStates.map((state, at) => [state, inOrder[at]]);
  return Object.fromEntries(entries) as Limits;
}

/** A step of a case is told to so many, one after another; then it stays overdue and shows. */
export const ESCALATIONS_MAX = 3;
/** However short its limit, a step is escalated again no sooner: those told need to react. */
const ESCALATE_AGAIN_MIN_MS = MIN;

/** When a step that is due then and was escalated so often is escalated next; null: no more. */
export function escalateAtMs(
  { dueMs, enteredMs }: { readonly dueMs: number; readonly enteredMs: number },
  escalation: number,
): number | null {
  if (escalation >= ESCALATIONS_MAX) return null;
  return dueMs + escalation * Math.max(ESCALATE_AGAIN_MIN_MS, dueMs - enteredMs);
}

/**
 * Whether an alarm that nobody has acknowledged and that joins an open case gets a time of its own
 * for being acknowledged. It needs none only while the case waits for the same thing already, at a
 * level no lower, and is still to be told further: that comes no later than its own time would.
 */
export function beginsAnew(
  { state, escalation }: { readonly state: CaseState; readonly escalation: number },
  isWorse: boolean,
): boolean {
  return state !== 'new' || isWorse || escalation >= ESCALATIONS_MAX;
}

/**
 * The step that goes on once a case that came back to `new` is acknowledged. What was contained is
 * not so any more, and begins from the front.
 */
export function resumedAfter(state: OpenState, resumes: OpenState | null): OpenState | null {
  if (state === 'new') return resumes;
  return state === 'contained' ? null : state;
}

/** An alarm that is raised so soon after its end belongs to the same case. */
export const RETURN_WITHIN_MS = 10 * MIN;
