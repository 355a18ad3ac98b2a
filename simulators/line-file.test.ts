import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import { InvalidInput } from '../core/problems.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import { parseLineFile, startBus } from './line-file.ts';

const good = `version: 1
serial: 19200-8E1
turnaround: 20ms
seed: 7
listen: ["sim:/tmp/x.sock", "pty:/tmp/ttyX", "rtu-tcp:[::1]:0", "tcp:127.0.0.1:1502"]
stations:
  - { units: 1-3, profile: keller/series-30, set: { pressure: 4.2 } }
  - { units: 7, profile: honeywell/sensepoint-xcd, turnaround: 90ms }
faults: ["late=800:2@10s", noise, "frozen=pressure:1"]
`;

test('a file becomes a line with its stations, ends and faults', () => {
  const plan = parseLineFile(good, 'line.yaml');
  expect(plan.stations.map(({ unit, turnaroundMs }) => [unit, turnaroundMs])).toEqual([
    [1, 20],
    [2, 20],
    [3, 20],
    [7, 90],
  ]);
  expect(plan.endpoints).toEqual([
    { kind: 'sim', path: '/tmp/x.sock' },
    { kind: 'pty', path: '/tmp/ttyX' },
    { kind: 'rtu-tcp', host: '::1', port: 0 },
    { kind: 'tcp', host: '127.0.0.1', port: 1502 },
  ]);
  expect(plan.faults.map(({ kind }) => kind)).toEqual(['late', 'noise', 'frozen']);
  using bus = startBus(new SimClock(), plan, loadProfile);
  expect(bus.stations.map(({ unit }) => unit)).toEqual([1, 2, 3, 7]);
});

function findings(text: string): string[] {
  try {
    parseLineFile(text, 'line.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.findings.map(({ code, place }) => `${place?.line}:${code}`);
  }
}

test('all that is wrong is told at once, each at its line', () => {
  const wrong = good
    .replace('19200-8E1', '19200 8E1')
    .replace('sim:/tmp/x.sock', 'sim:x.sock')
    .replace('units: 1-3', 'units: 7-5')
    .replace('noise', 'nois')
    .replace('frozen=pressure:1', 'silence:99');
  expect(findings(wrong)).toEqual([
    '2:sim-serial-wrong',
    '7:sim-units-wrong',
    '5:sim-endpoint-wrong',
    '9:sim-fault-no-unit',
    '9:sim-fault-unknown',
    '9:sim-fault-no-unit',
  ]);
  expect(findings(good.replace('units: 7', 'units: 3'))).toEqual(['8:recording-unit-twice']);
  expect(findings(good.replace('19200-8E1', '9600-7E1'))).toEqual(['2:sim-rtu-needs-8']);
  expect(findings(good.replace('seed: 7', 'sede: 7'))).toEqual(['4:unknown-key']);
});

test('the example in examples/line.yaml is right', () => {
  const text = readFileSync(new URL('../examples/line.yaml', import.meta.url), 'utf8');
  const plan = parseLineFile(text, 'examples/line.yaml');
  using bus = startBus(new SimClock(), plan, loadProfile);
  expect(bus.stations.map(({ unit }) => unit)).toEqual([1, 2, 5]);
});

test('a sensor that a frozen device has not is a fault before anything runs', () => {
  const plan = parseLineFile(good.replace('frozen=pressure', 'frozen=presure'), 'line.yaml');
  expect(() => startBus(new SimClock(), plan, loadProfile)).toThrow(/presure/);
});
