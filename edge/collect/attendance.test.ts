import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import type { Log, LogFields } from '../../core/log.ts';
import { silentLog } from '../../core/log.ts';
import { Problems } from '../../core/problems.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import { loadProfile } from '../../device-profiles/loader.ts';
import type { Profile } from '../../device-profiles/profile.ts';
import { parseProfile } from '../../device-profiles/profile.ts';
import { TestLink } from '../../protocols/driver.contract.ts';
import type { Answers, DeviceHandle, Plan } from '../../protocols/driver.ts';
import { ModbusConnection, modbus } from '../../protocols/modbus/driver.ts';
import { Deframer, encodeFrame } from '../../protocols/modbus/tcp-frames.ts';
import { SimulatedDevice } from '../../simulators/device.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { answerRequest } from '../../simulators/modbus-answer.ts';
import { Attendance, SETTINGS_MS } from './attendance.ts';
import type { CollectedPoint } from './normalise.ts';
import { Normaliser, unanswered } from './normalise.ts';

const NOT_IN_SERVICE = qualityCode('bad', 'not_in_service');
const CONFIGURATION = qualityCode('bad', 'configuration');
const TIMEOUT = qualityCode('bad', 'timeout');
const never = new AbortController().signal;

function collectedOf(profile: Profile): readonly CollectedPoint[] {
  return profile.points.map((point) => ({
    profile: point,
    definition: { ...point.definition, device: 'd', asset: null },
  }));
}

class LoggedLines implements Log {
  readonly lines: string[] = [];
  readonly #say = (event: string, { what, found }: LogFields = {}) => {
    this.lines.push([event, what, found].filter((part) => part !== undefined).join(' '));
  };
  readonly debug = this.#say;
  readonly info = this.#say;
  readonly warn = this.#say;
  readonly error = this.#say;
}

/** A device of a profile behind Modbus TCP on simulated time, with what it was asked. */
class Bench {
  readonly clock = new SimClock();
  readonly link = new TestLink();
  readonly log = new LoggedLines();
  readonly device: SimulatedDevice;
  readonly attendance: Attendance;
  readonly handle: DeviceHandle<unknown>;
  readonly plan: Plan;
  readonly points: readonly CollectedPoint[];
  /** Request PDUs in hex, with the time they came. */
  asked: { readonly atMs: number; readonly pdu: string }[] = [];
  isSilent = (_pdu: string): boolean => false;
  /** What it says to function 43/14. */
  identification: ReadonlyMap<number, string> | null = null;

  constructor(profile: Profile, driver?: DeviceHandle<unknown>) {
    this.device = new SimulatedDevice(profile);
    this.points = collectedOf(profile);
    const addresses = profile.points.map(({ address, auxiliary }) => auxiliary?.asked ?? address);
    const habits = { wakesAfterMs: profile.wakesAfterMs, identify: profile.identify };
    const groups = [{ points: this.points, addresses }];
    this.attendance = new Attendance(this.clock, this.log, { id: 'd', habits, groups });
    const connection = new ModbusConnection(this.clock, this.link);
    const options = modbus.parseDevice(profile.device, [], new Problems('test'))!;
    const deframer = new Deframer();
    this.link.onSend = (sent) =>
      deframer.push(sent, {
        frame: (transaction, unit, bytes, start, end) => {
          const pdu = Buffer.from(bytes.subarray(start, end)).toString('hex');
          this.asked.push({ atMs: this.clock.monoMs(), pdu });
          if (this.isSilent(pdu)) return;
          // A read of no registers: only some sensors know it.
          const answer = /^03....0000$/.test(pdu)
            ? Uint8Array.of(3, 0)
            : answerRequest(this.#bank(), bytes, start, end);
          this.link.onBytes(encodeFrame(transaction, unit, answer));
        },
        garbage: () => expect.unreachable('the driver sends frames only'),
      });
    this.handle = this.attendance.attend(
      driver ?? (connection.device(options) as DeviceHandle<unknown>),
    );
    this.plan = this.handle.plan(addresses);
  }

  #bank(): RegisterBank {
    if (!this.identification) return this.device;
    return {
      read: (...asked) => this.device.read(...asked),
      write: (...asked) => this.device.write(...asked),
      identification: this.identification,
    };
  }

  async poll(): Promise<Answers> {
    this.asked = [];
    let answers: Answers | undefined;
    void this.handle.poll(this.plan, never).then((settled) => {
      answers = settled;
    });
    while (!answers) await this.clock.advance(10);
    return answers;
  }

  place(point: string): number {
    return this.points.findIndex(({ profile }) => profile.id === point);
  }

  /** Value and quality of a point after a poll. */
  async read(point: string): Promise<readonly [unknown, number]> {
    const { values, qualities } = await this.poll();
    const at = this.place(point);
    return [values[at], qualities[at]!];
  }
}

const xcd = () => new Bench(loadProfile('honeywell/sensepoint-xcd'));

test('a gas head that warms up, is inhibited or calibrated has no reading; its mode is read in the same poll', async () => {
  const bench = xcd();
  bench.device.set('gas', 60);
  for (const mode of [2, 3, 12]) {
    bench.device.set('mode', mode);
    expect(await bench.read('gas')).toEqual([null, NOT_IN_SERVICE]);
    expect(await bench.read('mode')).toEqual([mode, GOOD]);
  }
  bench.device.set('mode', 1);
  expect(await bench.read('gas')).toEqual([60, GOOD]);
  bench.device.set('mode', 9);
  expect(await bench.read('gas')).toEqual([60, qualityCode('uncertain', 'configuration')]);
  expect(bench.attendance.complaints.get('gas')).toEqual({ what: 'mode', found: '9' });
});

test('a mode answered after the value counts only together with the one before', async () => {
  const clock = new SimClock();
  const profile = loadProfile('honeywell/sensepoint-xcd');
  const points = collectedOf(profile);
  const addresses = profile.points.map(({ address, auxiliary }) => auxiliary?.asked ?? address);
  const gas = profile.points.findIndex(({ id }) => id === 'gas');
  const mode = profile.points.findIndex(({ id }) => id === 'mode');
  let shown = { mode: 2, isModeLate: true };
  const driver: DeviceHandle<unknown> = {
    plan: (asked) => ({ points: asked.length, requests: 1, lineMs: 1 }),
    poll: async (plan) => {
      const answers = { ...unanswered(plan.points, GOOD, 10), requests: 1 };
      answers.values.fill(plan.points === 1 ? 5 : 0); // Alone is the unit: %LEL.
      if (plan.points === 1) return answers;
      answers.values[gas] = 60;
      answers.values[mode] = shown.mode;
      if (shown.isModeLate) answers.atMonoMs[mode] = 20;
      return answers;
    },
  };
  const groups = [{ points, addresses }];
  const handle = new Attendance(clock, silentLog, { id: 'd', groups }).attend(driver);
  const plan = handle.plan(addresses);
  const quality = async () => (await handle.poll(plan, never)).qualities[gas];
  expect(await quality()).toBe(NOT_IN_SERVICE);
  shown = { mode: 1, isModeLate: true };
  expect(await quality()).toBe(NOT_IN_SERVICE); // It may have been taken while it still warmed up.
  expect(await quality()).toBe(GOOD);
  shown = { mode: 2, isModeLate: false };
  expect(await quality()).toBe(NOT_IN_SERVICE);
  shown = { mode: 1, isModeLate: false };
  expect(await quality()).toBe(GOOD);
});

test('another unit than the profile’s is told once and never a number; set right, it counts with the next poll', async () => {
  const bench = xcd();
  const unitSet = (code: number) => bench.device.write('holding', 10, Uint16Array.of(code));
  bench.device.set('gas', 3);
  unitSet(3);
  expect(await bench.read('gas')).toEqual([null, CONFIGURATION]);
  expect(await bench.read('gas')).toEqual([null, CONFIGURATION]);
  expect([...bench.attendance.complaints]).toEqual([
    ['gas', { what: 'unit', found: '3 (%{vol})' }],
  ]);
  unitSet(5);
  expect(await bench.read('gas')).toEqual([3, GOOD]);
  expect(bench.attendance.complaints.size).toBe(0);
  expect(bench.log.lines.filter((line) => line.startsWith('device_setting'))).toEqual([
    'device_setting_unfit unit 3 (%{vol})',
    'device_setting_fits',
  ]);
});

test('what is set in a device is read once a session and again every ten minutes', async () => {
  const bench = new Bench(loadProfile('vega/vegapuls-60'));
  const settings = () => bench.asked.filter(({ pdu }) => pdu.startsWith('030bb8')).length;
  bench.device.set('level', 3.25);
  expect(await bench.read('level')).toEqual([3.25, GOOD]);
  expect(settings()).toBe(1);
  bench.device.write('holding', 3000, Uint16Array.of(2));
  bench.device.set('level', 3.25); // Shown in the other order from now on.
  expect((await bench.read('level'))[0]).not.toBe(3.25);
  expect(settings()).toBe(0);
  await bench.clock.advance(SETTINGS_MS);
  expect(await bench.read('level')).toEqual([3.25, GOOD]);
  expect(settings()).toBe(1);
});

test('decimals and unit of the device make one value of what it shows, and range and codes fit it', async () => {
  const bench = new Bench(loadProfile('qdy/qdy30a'));
  bench.device.write('holding', 2, Uint16Array.of(0x12, 3)); // Metres with three decimals.
  bench.device.set('level', 65.3);
  const { values, qualities, ...rest } = await bench.poll();
  expect([values, qualities]).toEqual([[65.3], [GOOD]]);
  const normaliser = new Normaliser({ firstAlias: 0, points: bench.points, reportAll: true });
  const report = (value: number) =>
    normaliser.normalise({ ...rest, values: [value], qualities: [GOOD] }, 0, 1);
  expect(report(65.3)).toMatchObject({ values: [65.3], qualities: [GOOD] });
  expect(report(20_001).qualities).toEqual([qualityCode('bad', 'out_of_range')]);
});

test('a trigger is written, the line is free while the device measures, and only then it is read', async () => {
  const bench = new Bench(loadProfile('geokon/3810a'));
  bench.device.set('resistance', 10_802.125);
  const plan = bench.handle.plan([{ ...bench.points[1]!.profile.address }]);
  let isMeanwhile = false;
  const meanwhile = bench.clock.after(500, () => {
    void bench.handle.poll(plan, never).then(() => {
      isMeanwhile = true;
    });
  });
  const { values, requests } = await bench.poll();
  meanwhile();
  expect(values[0]).toBe(10_802.125);
  expect(isMeanwhile).toBe(true);
  expect(bench.asked.map(({ atMs, pdu }) => [pdu, atMs])).toEqual([
    ['0601180001', 0],
    ['0301000001', 500],
    ['0301000004', 1000],
  ]);
  expect(requests).toBe(2);
});

test('reads of no registers start and stop a sensor, also when what it shows is refused', async () => {
  const bench = new Bench(loadProfile('yosemitech/y532'));
  bench.device.set('ph', 7.25);
  const { values } = await bench.poll();
  expect(values[0]).toBe(7.25);
  const pdus = bench.asked.map(({ pdu }) => pdu);
  expect(pdus[0]).toBe('0325000000');
  expect(pdus.at(-1)).toBe('032e000000');
  expect(pdus).toHaveLength(5);
  expect(pdus.every((pdu) => pdu.startsWith('03'))).toBe(true);
});

test('a silent device costs one time-out, whatever would have come before and after its values', async () => {
  for (const id of ['yosemitech/y532', 'vega/vegapuls-60', 'honeywell/sensepoint-xcd']) {
    const bench = new Bench(loadProfile(id));
    bench.isSilent = () => true;
    const { requests, failures, fault, qualities } = await bench.poll();
    expect([id, requests, failures, fault?.code]).toEqual([id, 1, 1, 'device_timeout']);
    expect(qualities.every((quality) => quality === TIMEOUT)).toBe(true);
  }
});

test('a device that sleeps may lose the first request after a pause, and only that', async () => {
  const bench = new Bench(loadProfile('vaisala/wxt530'));
  let lost = 1;
  bench.isSilent = () => lost-- > 0;
  const { requests, failures, fault, qualities } = await bench.poll();
  expect([failures, fault]).toEqual([1, null]);
  expect(requests).toBeGreaterThan(1);
  expect(qualities.every((quality) => quality === GOOD)).toBe(true);
  await bench.poll(); // Asks who it is as well.
  lost = 1; // No pause before this one.
  expect(await bench.poll()).toMatchObject({ requests: 1, failures: 1 });
  await bench.clock.advance(60_000);
  lost = 2;
  expect(await bench.poll()).toMatchObject({ requests: 2, failures: 2 });
});

test('who the device is, is asked once after it answered, told when it is another, and never written', async () => {
  const bench = new Bench(loadProfile('vaisala/wxt530'));
  bench.device.write('input', 0, Uint16Array.of(0x0912));
  await bench.poll();
  expect(bench.attendance.likeness).toBe('unknown');
  await bench.poll();
  expect(bench.attendance.likeness).toBe('other');
  expect(bench.asked.every(({ pdu }) => pdu.startsWith('04'))).toBe(true);
  await bench.poll();
  expect(bench.asked.some(({ pdu }) => pdu.startsWith('040000'))).toBe(false);
  expect(bench.log.lines).toHaveLength(1);
  expect(bench.log.lines[0]).toContain('device_unlike_profile input 0: 9');
  const other = new Bench(loadProfile('vaisala/wxt530'));
  await other.poll();
  await other.poll();
  expect(other.attendance.likeness).toBe('match');
});

test('a device that tells its names is known by them; one that does not is neither', async () => {
  const text = plainText.replace(
    'points:',
    'identify: [{ device_id: { vendor: "^ACME" } }]\npoints:',
  );
  const likeness = async (names: [number, string][] | null) => {
    const bench = new Bench(parseProfile(text, 'plain.yaml'));
    bench.identification = names && new Map(names);
    await bench.poll();
    await bench.poll();
    expect(bench.asked[0]?.pdu).toBe('2b0e0100');
    return bench.attendance.likeness;
  };
  expect(
    await likeness([
      [0, 'ACME Ltd'],
      [1, 'P'],
      [2, '1.0'],
    ]),
  ).toBe('match');
  expect(
    await likeness([
      [0, 'Other'],
      [1, 'P'],
      [2, '1.0'],
    ]),
  ).toBe('other');
  expect(await likeness(null)).toBe('unknown');
});

test('a device that needs nothing of all this gets the driver’s own handle', () => {
  const driver = { plan: () => null, poll: () => null } as never;
  const { handle } = new Bench(parseProfile(plainText, 'plain.yaml'), driver);
  expect(handle).toBe(driver);
});

const plainText = `version: 1
profile:
  id: acme/plain
  revision: "1.0.0"
  kind: input-module
  vendor: ACME
  models: [P]
  title: { en: Plain, zh: 普通 }
  source: { document: none, status: community }
protocol: modbus
points:
  p: { title: { en: P, zh: 点 }, read: { table: holding, address: 0, type: uint16 } }
`;
