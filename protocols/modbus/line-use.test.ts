// What a simulated serial line takes for a poll, beside what the characters, the silence and the
// device's turnaround add up to: 8 characters of request, the longer of silence and turnaround,
// 5 + 2N of answer, silence.
import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { Problems } from '../../core/problems.ts';
import { SimBus } from '../../simulators/bus.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { lineSettings } from '../line-settings.ts';
import { modbus } from './driver.ts';

const TURNAROUND_MS = 5;
const POLLS = 40;

const bank: RegisterBank = {
  read: (_table, from, count) => Uint16Array.from({ length: count }, (_, at) => from + at),
  write: () => 0,
};

test.each([
  ['9600-8E1', 1],
  ['9600-8E1', 125],
  ['19200-8E1', 10],
  ['19200-8E1', 125],
  ['115200-8E1', 1],
  ['115200-8E1', 125],
])('at %s a poll of %i registers takes no more than the line needs', async (text, registers) => {
  const clock = new SimClock();
  const settings = lineSettings(text)!;
  const stations = [{ unit: 1, bank, turnaroundMs: TURNAROUND_MS }];
  using bus = new SimBus(clock, { settings, framing: 'rtu', stations, faults: [], seed: 1 });
  const problems = new Problems('test');
  const line = { framing: 'rtu', echo: false } as const;
  const session = modbus.open(clock, bus.attachMaster(), line);
  const device = session.device(modbus.parseDevice({}, [], problems)!);
  const plan = device.plan(
    Array.from(
      { length: registers },
      (_, address) =>
        modbus.parseAddress({ table: 'holding', address, type: 'uint16' }, [], problems)!,
    ),
  );
  const { signal } = new AbortController();
  let fromMs = 0;
  let lineMs = 0;
  for (let poll = 0; poll <= POLLS; poll++) {
    if (poll === 1) fromMs = clock.monoMs();
    let isOver = false;
    const asked = device.poll(plan, signal).finally(() => {
      isOver = true;
    });
    await clock.advance(0);
    while (!isOver) await clock.advance(Math.max(0, clock.nextMs()! - clock.monoMs()));
    const answers = await asked;
    expect(answers.fault).toBeNull();
    ({ lineMs } = answers);
  }
  const characterMs = 11_000 / settings.bitsPerSecond;
  const silenceMs = settings.bitsPerSecond > 19_200 ? 1.75 : 3.5 * characterMs;
  const waitMs = Math.max(silenceMs, TURNAROUND_MS);
  const leastMs = (8 + 5 + 2 * registers) * characterMs + waitMs + silenceMs;
  // From one poll's end to the next's lie one silence and all that a request takes.
  expect((clock.monoMs() - fromMs) / POLLS / leastMs).toBeCloseTo(1, 3);
  expect(lineMs / leastMs).toBeCloseTo(1, 3);
  expect(plan.lineMs / leastMs, 'what the plan says it takes').toBeCloseTo(1, 2);
  session.close();
});
