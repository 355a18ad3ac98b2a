// The condition of the machine as people see it, after ISA-18.2 / IEC 62682. Two flags that do not
// depend on one another are kept, `active` and `acknowledged`, and the standard's letter is derived
// from them, as OPC UA Part 9 models it: shelving, latching and out of service become further
// flags, never further states.
//
// Delays are over before an event comes here (evaluate.ts): `begins` and `ends` are final. Every
// excursion is an occurrence with a name of its own; a condition that comes back is a new
// occurrence, and the one before is superseded whether or not somebody had acknowledged it. A bad
// value holds whatever is.
import { unreachable } from '../fault.ts';

/**
 * A normal; B active, unacknowledged; C active, acknowledged; D returned to normal, unacknowledged.
 */
export const letters = ['A', 'B', 'C', 'D'] as const;
export type Letter = (typeof letters)[number];

export interface Condition {
  readonly active: boolean;
  readonly acknowledged: boolean;
  /** The newest occurrence; null before the first. Only this one can be acknowledged. */
  readonly occurrence: string | null;
}

export const NORMAL: Condition = { active: false, acknowledged: true, occurrence: null };

export type ConditionEvent =
  | { readonly kind: 'begins'; readonly occurrence: string }
  | { readonly kind: 'ends' }
  | { readonly kind: 'acknowledge'; readonly occurrence: string }
  | { readonly kind: 'bad' };

export type ConditionEffect =
  | { readonly kind: 'raised'; readonly occurrence: string }
  | { readonly kind: 'cleared'; readonly occurrence: string }
  | { readonly kind: 'acknowledged'; readonly occurrence: string }
  | { readonly kind: 'superseded'; readonly occurrence: string }
  | { readonly kind: 'refused'; readonly why: 'superseded' | 'already' };

export function letterOf({ active, acknowledged }: Omit<Condition, 'occurrence'>): Letter {
  if (active) return acknowledged ? 'C' : 'B';
  return acknowledged ? 'A' : 'D';
}

/** The one step of the machine. Events that say nothing new have no effect. */
export function change(
  condition: Condition,
  event: ConditionEvent,
): [Condition, readonly ConditionEffect[]] {
  const { active, acknowledged, occurrence } = condition;
  switch (event.kind) {
    case 'begins': {
      if (active) return [condition, []];
      const raised = { kind: 'raised', occurrence: event.occurrence } as const;
      const isLeft = occurrence !== null && !acknowledged;
      return [
        { active: true, acknowledged: false, occurrence: event.occurrence },
        isLeft ? [{ kind: 'superseded', occurrence }, raised] : [raised],
      ];
    }
    case 'ends':
      if (!active || occurrence === null) return [condition, []];
      return [{ ...condition, active: false }, [{ kind: 'cleared', occurrence }]];
    case 'acknowledge':
      if (event.occurrence !== occurrence) {
        return [condition, [{ kind: 'refused', why: 'superseded' }]];
      }
      if (acknowledged) return [condition, [{ kind: 'refused', why: 'already' }]];
      return [{ ...condition, acknowledged: true }, [{ kind: 'acknowledged', occurrence }]];
    case 'bad':
      return [condition, []];
    default:
      return unreachable(event);
  }
}
