import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import { Problems } from '../core/problems.ts';
import { messages } from '../core/text/text.ts';
import { lineSettings } from '../protocols/line-settings.ts';
import type { SimulatedFault } from './faults.ts';
import { faultKinds, parseFault, parseUnits, playFaults } from './faults.ts';

const settings = lineSettings('9600-8N1')!;

function read(text: string, on: 'tcp' | 'line' | 'opcua' = 'line') {
  const problems = new Problems('--fault');
  const fault = parseFault(text, { on, settings }, [text], problems);
  return fault ?? problems.findings.map(({ code, help }) => (help ? `${code}+` : code)).join();
}

test('every kind is explained in both languages', () => {
  for (const kind of Object.keys(faultKinds)) {
    const text = messages[`sim-fault-${kind}` as keyof typeof messages];
    expect(text?.en.length, kind).toBeGreaterThan(10);
    expect(text?.zh, kind).toMatch(/[一-鿿]/);
  }
});

test.each<[string, SimulatedFault]>([
  ['silence', { kind: 'silence' }],
  ['late', { kind: 'late', delayMs: 800 }],
  ['late:2', { kind: 'late', delayMs: 800, units: [2] }],
  [
    'late=250:2+5-7/3@10s-1m',
    { kind: 'late', delayMs: 250, units: [2, 5, 6, 7], every: 3, fromMs: 10_000, toMs: 60_000 },
  ],
  ['frozen=pressure@5s', { kind: 'frozen', point: 'pressure', fromMs: 5_000 }],
  [
    'wrong-settings=19200-8E1:4',
    { kind: 'wrong-settings', settings: lineSettings('19200-8E1')!, units: [4] },
  ],
  ['wrong-settings', { kind: 'wrong-settings', settings: lineSettings('9600-8E1')! }],
  ['missing-bias=5', { kind: 'missing-bias', meanMs: 5 }],
])('%s is read', (text, fault) => {
  expect(read(text)).toEqual(fault);
});

test.each([
  ['silense', 'sim-fault-unknown+'],
  ['wombat', 'sim-fault-unknown'],
  ['', 'sim-fault-unknown'],
  ['late=0', 'sim-fault-value'],
  ['late=1.5', 'sim-fault-value'],
  ['late=soon', 'sim-fault-value'],
  ['echo=3', 'sim-fault-no-value'],
  ['late:0', 'sim-units-wrong'],
  ['late:5-2', 'sim-units-wrong'],
  ['late:256', 'sim-units-wrong'],
  ['late@10', 'sim-fault-time'],
  ['late@10s-5s', 'sim-fault-time'],
  ['wrong-settings=9600', 'sim-fault-settings'],
  ['close', 'sim-fault-tcp-only'],
])('%s is refused: %s', (text, codes) => {
  expect(read(text)).toBe(codes);
});

test('what only a line can show is refused over TCP', () => {
  expect(read('echo', 'tcp')).toBe('sim-fault-line-only');
  expect(read('close', 'tcp')).toEqual({ kind: 'close' });
});

test('whatever is typed is a fault or a finding', () => {
  const part = fc.oneof(fc.constantFrom(...Object.keys(faultKinds)), fc.string());
  const sign = fc.constantFrom('=', ':', '/', '@', '-', '+', '10s', '7', '');
  fc.assert(
    fc.property(fc.array(fc.oneof(part, sign), { maxLength: 8 }), (parts) => {
      const found = read(parts.join(''));
      expect(typeof found === 'object' || found.startsWith('sim-')).toBe(true);
    }),
  );
});

test('units are numbers and ranges, sorted, each once', () => {
  expect(parseUnits('5-7+2+6')).toEqual([2, 5, 6, 7]);
  for (const text of ['', '1-', '-1', '1++2', 'a', '1000']) expect(parseUnits(text)).toBeNull();
});

test('a plan tells what shows now, at the start and at each change', async () => {
  const clock = new SimClock();
  const seen: string[] = [];
  const faults: SimulatedFault[] = [
    { kind: 'silence', toMs: 2_000 },
    { kind: 'echo', fromMs: 1_000, toMs: 3_000 },
  ];
  const stop = playFaults(clock, faults, (now) => {
    seen.push(`${clock.monoMs()}:${now.map(({ kind }) => kind).join('+')}`);
  });
  await clock.advance(2_500);
  expect(seen).toEqual(['0:silence', '1000:silence+echo', '2000:echo']);
  stop();
  await clock.advance(2_500);
  expect(seen).toHaveLength(3);
});

test.each<[string, SimulatedFault | string]>([
  ['session-limit=3', { kind: 'session-limit', sessions: 3 }],
  ['clock-off=-90@5s', { kind: 'clock-off', seconds: -90, fromMs: 5_000 }],
  ['bad-status=sump-level', { kind: 'bad-status', point: 'sump-level' }],
  ['frozen', { kind: 'frozen' }],
  ['hung=1', 'sim-fault-no-value'],
  ['late', 'sim-fault-modbus-only'],
  ['echo', 'sim-fault-line-only'],
])('of an OPC UA server %s is read or refused', (text, expected) => {
  expect(read(text, 'opcua')).toEqual(expected);
});

test('what only an OPC UA server shows is refused elsewhere', () => {
  for (const on of ['tcp', 'line'] as const) {
    expect(read('hung', on)).toBe('sim-fault-opcua-only');
    expect(read('clock-off', on)).toBe('sim-fault-opcua-only');
  }
});
