// What a plan costs the line, beside the plans other gateways make of the same points: each value
// alone; only values that touch; gaps of up to 50 registers; blocks of 16. Computed, not measured:
// requests and line time of Modbus RTU with 8E1 characters (Modbus over Serial Line V1.02, 2.5.1).
//
//   request = 8 c + max(t3.5, turnaround) + (5 + 2 N) c + t3.5,   c = 11 / baud,
//   t3.5 = 3.5 c up to 19,200 baud, 1.75 ms above

import { seededRandom } from '../core/random.ts';
import type { Span } from '../protocols/modbus/planner.ts';
import { inPlanOrder, partition } from '../protocols/modbus/planner.ts';
import type { Bed, Bench } from './bench.ts';

const REGISTERS_MAX = 125;
const FRAME_BYTES = 13;
const random = seededRandom(20_261_122);

/** Values of 1 or 2 registers, each so many registers behind the one before. */
function scattered(points: number, gap: () => number): Span[] {
  let at = 0;
  return Array.from({ length: points }, () => {
    const start = at + gap();
    at = start + (random.next() < 0.5 ? 1 : 2);
    return { start, end: at };
  });
}

const maps: Readonly<Record<string, readonly Span[]>> = {
  'dense, 100 values': scattered(100, () => 0),
  'gaps of 0 to 4, 100 values': scattered(100, () => Math.floor(random.next() * 5)),
  'gaps of 0 to 40, 100 values': scattered(100, () => Math.floor(random.next() * 41)),
  'clusters of 8, 64 apart, 80 values': (() => {
    let placed = 0;
    return scattered(80, () => (placed++ % 8 === 0 ? 64 : 1));
  })(),
  'far apart, 20 values': scattered(20, () => 200 + Math.floor(random.next() * 800)),
};

interface Line {
  readonly baud: number;
  readonly turnaroundMs: number;
}

function costOf({ baud, turnaroundMs }: Line) {
  const characterMs = 11_000 / baud;
  const silenceMs = baud > 19_200 ? 1.75 : 3.5 * characterMs;
  const requestMs = FRAME_BYTES * characterMs + Math.max(silenceMs, turnaroundMs) + silenceMs;
  return { requestMs, registerMs: 2 * characterMs };
}

/** Registers each request reads. */
type Strategy = (spans: readonly Span[], line: Line) => number[];

const joined =
  (gapMax: number, registersMax: number): Strategy =>
  (spans) => {
    const reads: { start: number; end: number }[] = [];
    for (const { start, end } of spans) {
      const last = reads.at(-1);
      if (last && start - last.end <= gapMax && end - last.start <= registersMax) last.end = end;
      else reads.push({ start, end });
    }
    return reads.map(({ start, end }) => end - start);
  };

const strategies: Readonly<Record<string, Strategy>> = {
  'our plan': (spans, line) => {
    const limits = { max: REGISTERS_MAX, forbidden: [], readAcrossGaps: true };
    const sorted = [...spans].sort(inPlanOrder(limits));
    const begins = partition(sorted, new Uint8Array(sorted.length), limits, costOf(line));
    return begins.map((begin, at) => {
      const last = (begins[at + 1] ?? sorted.length) - 1;
      return sorted[last]!.end - sorted[begin]!.start;
    });
  },
  'each value alone': joined(-1, REGISTERS_MAX),
  'contiguous only': joined(0, REGISTERS_MAX),
  'gaps up to 50': joined(50, REGISTERS_MAX),
  'blocks of 16': joined(15, 16),
};

async function run(bed: Bed): Promise<void> {
  for (const baud of [9_600, 19_200, 115_200]) {
    for (const turnaroundMs of [5, 20, 50]) {
      for (const [map, spans] of Object.entries(maps))
        report(bed, map, spans, { baud, turnaroundMs });
    }
  }
}

function report(bed: Bed, map: string, spans: readonly Span[], line: Line): void {
  const { requestMs, registerMs } = costOf(line);
  const plans = Object.entries(strategies).map(([name, strategy]) => {
    const reads = strategy(spans, line);
    const lineMs = reads.reduce((sum, registers) => sum + requestMs + registers * registerMs, 0);
    return { name, requests: reads.length, lineMs };
  });
  const [ours] = plans;
  const others = plans.slice(1);
  bed.report({
    name: map,
    value: ours!.lineMs,
    unit: 'ms of the line',
    target: 'least of all',
    ratio: Object.fromEntries(others.map(({ name, lineMs }) => [name, ours!.lineMs / lineMs])),
    with: {
      ...line,
      ...Object.fromEntries(plans.map(({ name, requests }) => [`requests, ${name}`, requests])),
    },
  });
}

export const scatteredMaps: Bench = {
  name: 'scattered-maps',
  about: 'requests and line time of our plan beside the plans of other gateways, computed',
  run,
};
