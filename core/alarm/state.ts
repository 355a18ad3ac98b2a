// The condition of the machine as people see it, after ISA-18.2 / IEC 62682. What does not depend
// on one another is kept apart, as OPC UA Part 9 models it, and the standard's letter is derived:
// active, acknowledged, latched, and three ways to be hidden, each with its own author: shelved by
// an operator, suppressed by the design of the plant, out of service for maintenance. Underneath
// what hides it a condition goes on changing, and every change is told with `isHidden`, so that
// figures can be made with and without it.
//
//   A normal                              F latched, acknowledged: needs a reset
//   B active, unacknowledged              G shelved
//   C active, acknowledged                H suppressed by design
//   D returned, unacknowledged            I out of service
//   E latched, unacknowledged             shown in the order I, H, G before the others
//
// Delays are over before an event comes here (evaluate.ts): `begins` and `ends` are final. Every
// excursion is an occurrence with a name of its own; a condition that comes back is a new
// occurrence, and the one before is superseded whether or not somebody had acknowledged it. A bad
// value holds whatever is.
//
// Who leaves hiding is judged anew: normal is A, active is B and annunciated again, whatever was
// acknowledged before. What latched stays latched through it, and calls nobody: only a reset ends
// that (F).
import { unreachable } from '../fault.ts';

export const letters = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I'] as const;
export type Letter = (typeof letters)[number];

export interface Shelf {
  /** Wall time at which it ends by itself. */
  readonly untilMs: number;
  /** Ends also when the alarm returns to normal. */
  readonly isOneShot: boolean;
  readonly by: string;
  readonly reason: string;
}

export interface Removal {
  /** Wall time at which it is over, whether or not somebody said so. */
  readonly untilMs: number;
  readonly workOrder: string;
  readonly by: string;
  readonly reason: string;
}

export interface Condition {
  readonly active: boolean;
  readonly acknowledged: boolean;
  /** Returned to normal, and shown until somebody resets it. */
  readonly latched: boolean;
  /** The newest occurrence; null before the first. Only this one can be acknowledged. */
  readonly occurrence: string | null;
  readonly shelf: Shelf | null;
  readonly isSuppressed: boolean;
  readonly removal: Removal | null;
}

export const NORMAL: Condition = Object.freeze({
  active: false,
  acknowledged: true,
  latched: false,
  occurrence: null,
  shelf: null,
  isSuppressed: false,
  removal: null,
});

/** What the class of an alarm says of its states. */
export interface Policy {
  /** Stays after its return to normal until it is reset. */
  readonly isLatching: boolean;
  /** False: who returns to normal needs no acknowledgement. */
  readonly needsAcknowledge: boolean;
}

export const PLAIN: Policy = { isLatching: false, needsAcknowledge: true };

export type ConditionEvent =
  | { readonly kind: 'begins'; readonly occurrence: string }
  | { readonly kind: 'ends' }
  | { readonly kind: 'bad' }
  | { readonly kind: 'acknowledge'; readonly occurrence: string }
  | { readonly kind: 'reset'; readonly occurrence: string }
  /** Acknowledged long ago and still active, or a worse limit is passed: told as if new. */
  | { readonly kind: 're-alarms' }
  | { readonly kind: 'shelve'; readonly shelf: Shelf }
  | { readonly kind: 'unshelve' }
  | { readonly kind: 'suppress' }
  | { readonly kind: 'unsuppress' }
  | { readonly kind: 'remove'; readonly removal: Removal }
  | { readonly kind: 'return' };

export type Refusal =
  /** Another occurrence is the newest. */
  | 'superseded'
  /** So it is already. */
  | 'already'
  /** Shelved, suppressed or out of service: nothing of it is shown that could be acknowledged. */
  | 'hidden'
  /** It is not shelved, suppressed, out of service or latched. */
  | 'not-so'
  /** A latched alarm is reset after its condition is normal, not before. */
  | 'active';

export type ConditionEffect =
  | { readonly kind: Told; readonly occurrence: string; readonly isHidden: boolean }
  | { readonly kind: Hiding }
  | { readonly kind: 'refused'; readonly why: Refusal };
type Told = 'raised' | 'cleared' | 'acknowledged' | 'superseded' | 'reset' | 'annunciated';
type Hiding = 'shelved' | 'unshelved' | 'suppressed' | 'unsuppressed' | 'removed' | 'returned';

type Step = [Condition, readonly ConditionEffect[]];

export function isHidden({ shelf, isSuppressed, removal }: Condition): boolean {
  return shelf !== null || isSuppressed || removal !== null;
}

export function letterOf(condition: Condition): Letter {
  const { active, acknowledged, latched, shelf, isSuppressed, removal } = condition;
  if (removal) return 'I';
  if (isSuppressed) return 'H';
  if (shelf) return 'G';
  if (active) return acknowledged ? 'C' : 'B';
  if (latched) return acknowledged ? 'F' : 'E';
  return acknowledged ? 'A' : 'D';
}

/** The one step of the machine. Events that say nothing new have no effect. */
export function change(condition: Condition, event: ConditionEvent, policy = PLAIN): Step {
  switch (event.kind) {
    case 'begins':
      return begins(condition, event.occurrence);
    case 'ends':
      return ends(condition, policy);
    case 'bad':
      return [condition, []];
    case 'acknowledge':
      return acknowledge(condition, event.occurrence);
    case 'reset':
      return reset(condition, event.occurrence);
    case 're-alarms': {
      const { active, acknowledged, occurrence } = condition;
      if (!active || !acknowledged || occurrence === null) return [condition, []];
      return [{ ...condition, acknowledged: false }, [tell('annunciated', occurrence, condition)]];
    }
    case 'shelve':
      if (isHidden(condition)) return refused(condition, condition.shelf ? 'already' : 'hidden');
      return [{ ...condition, shelf: event.shelf }, [{ kind: 'shelved' }]];
    case 'unshelve':
      if (!condition.shelf) return refused(condition, 'not-so');
      return emerge({ ...condition, shelf: null }, 'unshelved');
    case 'suppress':
      if (condition.isSuppressed) return [condition, []];
      return [{ ...condition, isSuppressed: true }, [{ kind: 'suppressed' }]];
    case 'unsuppress':
      if (!condition.isSuppressed) return [condition, []];
      return emerge({ ...condition, isSuppressed: false }, 'unsuppressed');
    case 'remove':
      if (condition.removal) return refused(condition, 'already');
      return [{ ...condition, removal: event.removal }, [{ kind: 'removed' }]];
    case 'return':
      if (!condition.removal) return refused(condition, 'not-so');
      return emerge({ ...condition, removal: null }, 'returned');
    default:
      return unreachable(event);
  }
}

function begins(condition: Condition, occurrence: string): Step {
  if (condition.active) return [condition, []];
  const before = condition.occurrence;
  const isLeft = before !== null && (!condition.acknowledged || condition.latched);
  const raised = tell('raised', occurrence, condition);
  return [
    { ...condition, active: true, acknowledged: false, latched: false, occurrence },
    isLeft ? [tell('superseded', before, condition), raised] : [raised],
  ];
}

function ends(condition: Condition, { isLatching, needsAcknowledge }: Policy): Step {
  const { active, acknowledged, occurrence, shelf } = condition;
  if (!active || occurrence === null) return [condition, []];
  const after: Condition = {
    ...condition,
    active: false,
    latched: isLatching,
    acknowledged: acknowledged || (!needsAcknowledge && !isLatching),
  };
  const cleared = tell('cleared', occurrence, condition);
  if (!shelf?.isOneShot) return [after, [cleared]];
  const [out, effects] = emerge({ ...after, shelf: null }, 'unshelved');
  return [out, [cleared, ...effects]];
}

function acknowledge(condition: Condition, occurrence: string): Step {
  if (occurrence !== condition.occurrence) return refused(condition, 'superseded');
  if (isHidden(condition)) return refused(condition, 'hidden');
  if (condition.acknowledged) return refused(condition, 'already');
  const after = { ...condition, acknowledged: true };
  return [after, [tell('acknowledged', occurrence, condition)]];
}

function reset(condition: Condition, occurrence: string): Step {
  if (occurrence !== condition.occurrence) return refused(condition, 'superseded');
  if (isHidden(condition)) return refused(condition, 'hidden');
  if (condition.active) return refused(condition, 'active');
  if (!condition.latched) return refused(condition, 'not-so');
  return [{ ...condition, latched: false }, [tell('reset', occurrence, condition)]];
}

/** One reason to be hidden is gone; when it was the last, what is left is judged anew. */
function emerge(condition: Condition, kind: Hiding): Step {
  if (isHidden(condition)) return [condition, [{ kind }]];
  const { active, occurrence } = condition;
  const after = { ...condition, acknowledged: !active };
  if (after.acknowledged || occurrence === null) return [after, [{ kind }]];
  return [after, [{ kind }, tell('annunciated', occurrence, after)]];
}

function refused(condition: Condition, why: Refusal): Step {
  return [condition, [{ kind: 'refused', why }]];
}

function tell(kind: Told, occurrence: string, condition: Condition): ConditionEffect {
  return { kind, occurrence, isHidden: isHidden(condition) };
}
