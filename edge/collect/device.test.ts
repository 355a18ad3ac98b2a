import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { seededRandom } from '../../core/random.ts';
import type { DeviceHandle, Plan, Session } from '../../protocols/driver.ts';
import { modbus } from '../../protocols/modbus/driver.ts';
import { DeviceLoop } from './device.ts';
import { Line } from './line.ts';

test('a new session is given the plans of the one before: what they learned is kept', () => {
  const clock = new SimClock();
  const random = seededRandom(1);
  const metrics = new Metrics();
  const line = new Line(clock, random, silentLog, metrics, {
    id: 'line',
    protocol: modbus,
    line: undefined,
    open: () => Promise.reject(new Fault('link_closed', 'never', 'line')),
    onOpen: () => {},
  });
  const group = { firstAlias: 0, periodMs: 1_000, points: [], addresses: ['a', 'b'] };
  const loop = new DeviceLoop(clock, random, silentLog, metrics, {
    device: { id: 'd', link: 'line', options: null, groups: [group, group] },
    line,
    sink: { accepts: true, report: () => {}, missed: () => {} },
    reportAll: true,
    onSilent: () => {},
    signal: new AbortController().signal,
  });
  const made: { addresses: readonly unknown[]; before: Plan | undefined }[] = [];
  const plans: Plan[] = [];
  const handle: DeviceHandle<unknown> = {
    plan: (addresses, before) => {
      made.push({ addresses, before });
      plans.push({ points: addresses.length, requests: 1, lineMs: 1 });
      return plans.at(-1)!;
    },
    poll: () => expect.unreachable('nothing is due'),
  };
  const session: Session<unknown, unknown> = { device: () => handle, close: () => {} };
  loop.opened(session);
  expect(made.map(({ before }) => before)).toEqual(made.map(() => undefined));
  const first = plans.splice(0);
  const asked = made.splice(0).map(({ addresses }) => addresses);
  loop.opened(session);
  expect(made.map(({ addresses }) => addresses)).toEqual(asked);
  made.forEach(({ before }, at) => {
    expect(before, `plan ${at}`).toBe(first[at]);
  });
});
