// What a client asks a server and must be told, whoever of the two is ours. Every server shows the
// same map on unit 3: coils every third, discrete inputs the odd ones, 2,000 each; holding
// i × 257, input 60,000 + i, 300 each.
//
// A request is numbers after the unit:
//   1-4   function, address, quantity          22  function, address, and mask, or mask
//   5, 6  function, address, value             23  function, address, quantity, address, values
//   15,16 function, address, values            43  function, level, object
// An answer is a line: `ok` and the values, `exception N`, `none` where the client knows no such
// function, `refused` where it would not send the request, or `error` and why.
import type { RegisterBank } from '../../simulators/modbus-answer.ts';

export const UNIT = 3;
export const BITS = 2_000;
export const REGISTERS = 300;
const IDENTIFICATION = ['Example Instruments', 'LF-100', '1.4'] as const;

export type Numbers = readonly number[];
export type Over = 'tcp' | 'rtu' | 'ascii';

export interface Exchange {
  readonly request: Numbers;
  readonly expected: string;
  /** What it shows beside its function. */
  readonly shows?: 'limit' | 'exception';
  /** Makes sense only when this function was carried out before. */
  readonly after?: number;
}

const upTo = (count: number, value: (at: number) => number) =>
  Array.from({ length: count }, (_, at) => value(at));
const ok = (values: Numbers = []) => ['ok', ...values].join(' ');

/** The map as a device of ours shows it, to write into. */
export function memory(): RegisterBank {
  const tables = {
    coil: Uint16Array.from(upTo(BITS, (at) => (at % 3 === 0 ? 1 : 0))),
    discrete: Uint16Array.from(upTo(BITS, (at) => at & 1)),
    holding: Uint16Array.from(upTo(REGISTERS, (at) => at * 257)),
    input: Uint16Array.from(upTo(REGISTERS, (at) => 60_000 + at)),
  };
  return {
    read: (table, from, count) => {
      const all = tables[table];
      return from + count > all.length ? 2 : all.subarray(from, from + count);
    },
    write: (table, from, values) => {
      if (from + values.length > tables[table].length) return 2;
      tables[table].set(values, from);
      return 0;
    },
    identification: new Map(
      [...IDENTIFICATION, 'beyond basic'].map((text, at) => [at === 3 ? 5 : at, text]),
    ),
  };
}

const coil = (at: number) => (at % 3 === 0 ? 1 : 0);
const holding = (at: number) => (at * 257) & 0xffff;
const fifth = upTo(1_968, (at) => (at % 5 === 0 ? 1 : 0));
const most = upTo(123, (at) => (at * 511) & 0xffff);
const both = upTo(121, (at) => (at * 333) & 0xffff);
const read = (request: Numbers, values: Numbers, shows?: 'limit'): Exchange => ({
  request,
  expected: ok(values),
  ...(shows && { shows }),
});
const written = (request: Numbers, shows?: 'limit'): Exchange => read(request, [], shows);
const readBack = (after: number, request: Numbers, values: Numbers): Exchange => ({
  ...read(request, values),
  after,
});
const refusal = (request: Numbers, code: number): Exchange => ({
  request,
  expected: `exception ${code}`,
  shows: 'exception',
});

export const exchanges: readonly Exchange[] = [
  read([1, 0, 10], upTo(10, coil)),
  read([1, 0, BITS], upTo(BITS, coil), 'limit'),
  read(
    [2, 3, 10],
    upTo(10, (at) => (at + 3) & 1),
  ),
  read(
    [2, 0, BITS],
    upTo(BITS, (at) => at & 1),
    'limit',
  ),
  read(
    [3, 5, 3],
    upTo(3, (at) => holding(at + 5)),
  ),
  read([3, 0, 125], upTo(125, holding), 'limit'),
  read([4, 5, 3], [60_005, 60_006, 60_007]),
  read(
    [4, 0, 125],
    upTo(125, (at) => 60_000 + at),
    'limit',
  ),
  written([5, 1, 1]),
  readBack(5, [1, 0, 4], [1, 1, 0, 1]),
  written([6, 7, 4_711]),
  readBack(6, [3, 6, 3], [holding(6), 4_711, holding(8)]),
  written([15, 30, 1, 1, 0]),
  readBack(15, [1, 29, 5], [coil(29), 1, 1, 0, coil(33)]),
  written([15, 32, ...fifth], 'limit'),
  { ...readBack(15, [1, 31, 1_969], [1, ...fifth]), shows: 'limit' },
  written([16, 10, 1, 2, 3]),
  readBack(16, [3, 9, 5], [holding(9), 1, 2, 3, holding(13)]),
  written([16, 50, ...most], 'limit'),
  { ...readBack(16, [3, 49, 125], [holding(49), ...most, holding(173)]), shows: 'limit' },
  written([22, 20, 0xff00, 0x0042]),
  readBack(22, [3, 20, 1], [(holding(20) & 0xff00) | 0x42]),
  read([23, 30, 4, 32, 99], [holding(30), holding(31), 99, holding(33)]),
  read([23, 175, 125, 175, ...both], [...both, ...upTo(4, (at) => holding(296 + at))], 'limit'),
  {
    request: [43, 1, 0],
    expected: `ok ${IDENTIFICATION.map((text, at) => `${at}=${text}`).join('|')}`,
  },
  refusal([3, REGISTERS - 1, 5], 2),
  refusal([3, 0, 126], 3),
  refusal([3, 0, 0], 3),
  // And the connection is as good as before.
  read([4, REGISTERS - 1, 1], [60_000 + REGISTERS - 1]),
];
