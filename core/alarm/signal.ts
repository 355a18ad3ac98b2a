// What a limit is put to: the value itself, or a signal made from it. For each kind of rule that
// needs a memory: how it begins, goes on while the value holds, and turns with a new value; each
// gives the moments at which the signal was made. Pure; a memory is plain JSON of a bounded size.
import { unreachable } from '../fault.ts';
import type { Label, LocalMemory } from './local.ts';
import { beginLocal, deviation, holdLocal, localName, turnLocal } from './local.ts';
import type { ComparisonRule, Rule, SignalRule } from './rule.ts';
import type { Made, WindowMemory } from './window.ts';
import { beginWindow, holdWindow, turnWindow, windowName } from './window.ts';

/** Of a comparison: what is known of the other point. */
export interface PairMemory {
  readonly kind: 'pair';
  readonly of: string;
  readonly epoch: string;
  /** Known up to here. */
  readonly monoMs: number;
  readonly periodMs: number;
  /** Null where nothing usable is known. */
  readonly value: number | null;
  /** Newest time of a change of either; the signal is of then. */
  readonly judgedMonoMs: number;
  readonly signal: number | null;
}

/** A few hundred bytes, and for a window at most those of WINDOW_SLOTS_MAX. */
export type Memory = WindowMemory | LocalMemory | PairMemory;
export type SignalMemory = WindowMemory | LocalMemory;

/** What a rule's memory is called: another name is that of another signal, and begins anew. */
export function memoryName(rule: SignalRule | ComparisonRule, periodMs: number): string {
  switch (rule.kind) {
    case 'comparison':
      return `comparison ${rule.by} ${rule.other}`;
    case 'deviation':
    case 'night-flow':
      return localName(rule);
    default:
      return windowName(rule, periodMs);
  }
}

/** A value that a signal can be made from; a negative zero would not outlast JSON. */
export function usableValue(value: number | null, usable: boolean): number | null {
  return usable && value !== null && Number.isFinite(value) ? value + 0 : null;
}

export function beginSignal(
  rule: SignalRule,
  periodMs: number,
  epoch: string,
  label: Label,
  value: number | null,
): [SignalMemory, readonly Made[]] {
  if (rule.kind === 'deviation' || rule.kind === 'night-flow') {
    return beginLocal(rule, epoch, label, value);
  }
  return [beginWindow(rule, periodMs, epoch, label.monoMs, value), []];
}

/** The value goes on as it is from `fromMonoMs`, up to which it was held, until that of `label`. */
export function holdSignal(
  rule: SignalRule,
  periodMs: number,
  memory: SignalMemory,
  fromMonoMs: number,
  label: Label,
): [SignalMemory, readonly Made[]] {
  if (rule.kind === 'deviation' || rule.kind === 'night-flow') {
    return memory.kind === 'window' ? [memory, []] : holdLocal(rule, memory, fromMonoMs, label);
  }
  return memory.kind === 'window' ? holdWindow(rule, periodMs, memory, label.monoMs) : [memory, []];
}

/** Another value from that of `label` on, up to which the memory was held. */
export function turnSignal(
  rule: SignalRule,
  periodMs: number,
  memory: SignalMemory,
  label: Label,
  value: number | null,
): [SignalMemory, readonly Made[]] {
  if (rule.kind === 'deviation' || rule.kind === 'night-flow') {
    return memory.kind === 'window' ? [memory, []] : turnLocal(rule, memory, label, value);
  }
  if (memory.kind !== 'window') return [memory, []];
  return [turnWindow(rule, periodMs, memory, label.monoMs, value), []];
}

/** The signal now, under a rule whose limit or baseline may be another than when it was made. */
export function signalNow(rule: SignalRule | ComparisonRule, memory: Memory): number | null {
  return rule.kind === 'deviation' && memory.kind === 'hour'
    ? deviation(rule, memory)
    : memory.signal;
}

/** Null where there is nothing to divide by, and where either is unknown. */
export function compare(
  { by }: ComparisonRule,
  value: number | null,
  other: number | null,
): number | null {
  if (value === null || other === null) return null;
  const signal = by === 'ratio' ? value / other : value - other;
  return Number.isFinite(signal) ? signal + 0 : null;
}

/**
 * What a person is shown beside the limit: the signal, or the value where the signal is a time
 * (duration) or a spread (frozen).
 */
export function toldValue(rule: Rule, signal: number | null, value: number | null): number | null {
  switch (rule.kind) {
    case 'limit':
    case 'state':
    case 'no-data':
    case 'duration':
    case 'frozen':
      return value;
    case 'rate':
    case 'statistic':
    case 'deviation':
    case 'comparison':
    case 'night-flow':
    case 'cusum':
      return signal;
    default:
      return unreachable(rule);
  }
}
