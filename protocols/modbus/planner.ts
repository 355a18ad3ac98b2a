// Cuts points into requests at the least cost. Points of one table are sorted by first register; a
// request is then always a run of that list: were two points of one request to enclose a third of
// another, the third could join at no cost, or the latter of the two could join the third. So the
// best cut is found exactly by dynamic programming over where runs begin, in O(points × points a
// request). The argument needs that whatever fits a request's registers may join it; loners (below)
// may not, and are sorted last.
//
// A value is never torn: it lies in one request, if need be alone, even beyond the device's limit.
// A run of several points never touches a forbidden range, never bridges what must not be read,
// never exceeds the limit, and never joins what the device has refused together (a wall).
import type { ForbiddenRange, ModbusDevice, Table } from './address.ts';

/** Registers (or bits) from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface PlanLimits {
  /** Registers or bits a request. */
  readonly max: number;
  readonly forbidden: readonly { readonly from: number; readonly to: number }[];
  readonly readAcrossGaps: boolean;
}

export interface PlanCost {
  /** What a request costs whatever it reads: its own bytes, the device's turnaround. */
  readonly requestMs: number;
  readonly registerMs: number;
}

export function limitsOf(device: ModbusDevice, table: Table): PlanLimits {
  const { maxRegisters, maxBits, forbidden, readAcrossGaps } = device.limits;
  const onTable = forbidden.filter((range: ForbiddenRange) => range.table === table);
  const max = table === 'coil' || table === 'discrete' ? maxBits : maxRegisters;
  return { max, forbidden: onTable, readAcrossGaps };
}

/**
 * The least block the device takes that holds the span, or the span itself where it is long enough:
 * behind it if that is free, else before it. Undefined when every such block touches what is
 * forbidden beside the span or the end of the table.
 */
export function widened(
  { start, end }: Span,
  device: ModbusDevice,
  table: Table,
): Span | undefined {
  if (table === 'coil' || table === 'discrete') return { start, end };
  const more = device.limits.minRegisters - (end - start);
  if (more <= 0) return { start, end };
  for (let before = 0; before <= more; before++) {
    const block = { start: start - before, end: end + more - before };
    if (block.start < 0 || block.end > 0x10000) continue;
    const meets = (first: number, after: number) =>
      device.limits.forbidden.some(
        ({ table: on, from, to }) => first < after && on === table && from < after && to >= first,
      );
    const touches = meets(block.start, start) || meets(end, block.end);
    if (!touches) return block;
  }
  return undefined;
}

/** Whether several spans with this hull may share a request. */
export function mayShare(start: number, end: number, limits: PlanLimits): boolean {
  if (end - start > limits.max) return false;
  return limits.forbidden.every(({ from, to }) => to < start || from >= end);
}

/**
 * A value longer than the limit, or on forbidden registers, is read, but by nobody else's request.
 */
function isLoner({ start, end }: Span, limits: PlanLimits): boolean {
  return !mayShare(start, end, limits);
}

/** The order in which `partition` takes spans: by first register, the loners last. */
export function inPlanOrder(limits: PlanLimits): (a: Span, b: Span) => number {
  return (a, b) =>
    Number(isLoner(a, limits)) - Number(isLoner(b, limits)) || a.start - b.start || a.end - b.end;
}

/**
 * The first index of each request, ascending, beginning with 0. `spans` are sorted by
 * `inPlanOrder`; `walls[i]` set means that i - 1 and i may not share a request.
 */
export function partition(
  spans: readonly Span[],
  walls: Uint8Array,
  limits: PlanLimits,
  cost: PlanCost,
): number[] {
  const best = new Float64Array(spans.length + 1);
  const begins = new Int32Array(spans.length + 1);
  for (let last = 0; last < spans.length; last++) {
    let end = spans[last]!.end;
    const isAlone = isLoner(spans[last]!, limits);
    best[last + 1] = Number.POSITIVE_INFINITY;
    // Going back, the hull only grows, so the first limit it breaks ends the search.
    for (let first = last; first >= 0; first--) {
      const span = spans[first]!;
      if (first < last) {
        if (isAlone || walls[first + 1]) break;
        end = Math.max(end, span.end);
        if (!mayShare(span.start, end, limits)) break;
      }
      const total = best[first]! + cost.requestMs + (end - span.start) * cost.registerMs;
      if (total < best[last + 1]! && (limits.readAcrossGaps || isDense(spans, first, last))) {
        best[last + 1] = total;
        begins[last + 1] = first;
      }
    }
  }
  const starts: number[] = [];
  for (let after = spans.length; after > 0; after = begins[after]!) starts.push(begins[after]!);
  return starts.reverse();
}

function isDense(spans: readonly Span[], first: number, last: number): boolean {
  let end = spans[first]!.end;
  for (let at = first + 1; at <= last; at++) {
    if (spans[at]!.start > end) return false;
    end = Math.max(end, spans[at]!.end);
  }
  return true;
}

/**
 * Where to cut a refused run of at least two spans, as the first index of its second half: at its
 * widest gap, which is what the device most likely refused, else in the middle.
 */
export function splitAt(spans: readonly Span[], first: number, after: number): number {
  const middle = (first + after) / 2;
  let best = Math.ceil(middle);
  let bestGap = 0;
  let end = spans[first]!.end;
  for (let at = first + 1; at < after; at++) {
    const gap = spans[at]!.start - end;
    const isNearer = Math.abs(at - middle) < Math.abs(best - middle);
    if (gap > bestGap || (gap === bestGap && gap > 0 && isNearer)) {
      best = at;
      bestGap = gap;
    }
    end = Math.max(end, spans[at]!.end);
  }
  return best;
}
