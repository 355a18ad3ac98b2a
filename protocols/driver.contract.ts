// What every field protocol must do, whatever it speaks: the MUSTs of driver.ts as a suite. A
// protocol's test calls `driverContract` with a device to read, answered for by code of the
// protocol's own.
import { describe, expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import type { Fault } from '../core/fault.ts';
import { Problems } from '../core/problems.ts';
import { GOOD, qualityOf } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import type { Answers, DeviceHandle, Link, Pace, Plan, Protocol, Session } from './driver.ts';

export interface DriverSubject {
  readonly protocol: Protocol;
  /**
   * As in a profile: settings of the device, and the addresses of its points; at least two
   * requests.
   */
  readonly device: unknown;
  /** Settings of the link, and its pace, where the protocol reads them. */
  readonly line?: unknown;
  readonly pace?: Pace;
  readonly addresses: readonly unknown[];
  readonly wrongAddress: unknown;
  /** Simulated time within which a poll of a silent device ends. */
  readonly deadlineMs: number;
  /** What the points show in a generation; two generations differ in every point. */
  values(generation: number): readonly Value[];
  /** A device that has just been connected: takes what the driver sends, gives what it answers. */
  connect(): (sent: Uint8Array, generation: number) => readonly Uint8Array[];
}

/** A link without a wire: what is sent lies in `sent` until the test answers it. */
export class TestLink implements Link {
  readonly pace?: Pace;
  onBytes: (bytes: Uint8Array) => void = () => {};
  onClose: (why: Fault | null) => void = () => {};
  onSend: (bytes: Uint8Array) => void = () => {};
  isOpen = true;

  constructor(pace?: Pace) {
    if (pace) this.pace = pace;
  }

  send(bytes: Uint8Array): void {
    if (this.isOpen) this.onSend(bytes);
  }

  close(): void {
    this.#end(null);
  }

  /** The far end hangs up. */
  breakOff(why: Fault | null = null): void {
    this.#end(why);
  }

  #end(why: Fault | null): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.onClose(why);
  }
}

class Bench {
  readonly clock = new SimClock();
  readonly link: TestLink;
  readonly session: Session<unknown, unknown>;
  readonly device: DeviceHandle<unknown>;
  readonly plan: Plan;
  readonly addresses: readonly unknown[];
  readonly subject: DriverSubject;
  generation = 1;
  /** How an answer reaches the driver; replaced by tests that delay, cut or drop it. */
  deliver = (bytes: Uint8Array): void => this.link.onBytes(bytes);

  constructor(subject: DriverSubject) {
    this.subject = subject;
    const { protocol } = subject;
    const problems = new Problems('contract');
    const options = protocol.parseDevice(subject.device, ['device'], problems);
    this.addresses = subject.addresses.map((raw, at) =>
      protocol.parseAddress(raw, ['points', at], problems),
    );
    const line = protocol.parseLine(subject.line, ['line'], problems);
    expect(problems.findings).toEqual([]);
    this.link = new TestLink(subject.pace);
    this.session = protocol.open(this.clock, this.link, line);
    this.device = this.session.device(options);
    this.plan = this.device.plan(this.addresses);
    const answer = subject.connect();
    this.link.onSend = (sent) => {
      for (const bytes of answer(sent, this.generation)) this.deliver(bytes);
    };
  }

  poll(signal = new AbortController().signal): Promise<Answers> {
    return this.device.poll(this.plan, signal);
  }

  /** The poll's answers, with time moving on until it ends or its deadline is past. */
  async end(poll: Promise<Answers>): Promise<Answers> {
    let answers: Answers | undefined;
    void poll.then((settled) => {
      answers = settled;
    });
    const untilMs = this.clock.monoMs() + this.subject.deadlineMs;
    await this.clock.advance(0);
    while (!answers && this.clock.monoMs() < untilMs) await this.clock.advance(5);
    expect(answers, 'the poll ended by its deadline').toBeDefined();
    this.check(answers!);
    return answers!;
  }

  check({ values, qualities, atMonoMs, fault, failures, requests }: Answers): void {
    const { length } = this.subject.addresses;
    expect([values.length, qualities.length, atMonoMs.length]).toEqual([length, length, length]);
    qualities.forEach((code, at) => {
      expect(qualityOf(code), `quality of point ${at}`).toBeDefined();
      if (code >> 6 === 2) expect(values[at], `a bad point ${at} has no value`).toBeNull();
      else expect(values[at], `a point ${at} that is not bad has one`).not.toBeNull();
      expect(atMonoMs[at]).toBeLessThanOrEqual(this.clock.monoMs());
    });
    if (failures > 0) expect(fault).not.toBeNull();
    expect(failures).toBeLessThanOrEqual(Math.max(requests, 1));
  }
}

function reasons({ qualities }: Answers): (string | undefined)[] {
  return qualities.map((code) => qualityOf(code)?.reason);
}

export function driverContract(name: string, make: () => DriverSubject): void {
  const every = <Kind>(of: Kind) => make().addresses.map(() => of);

  describe(`${name} meets the driver contract`, () => {
    test('a well device: each point once, in the order of the plan, good, with its time', async () => {
      const bench = new Bench(make());
      await bench.clock.advance(1_000);
      const answers = await bench.end(bench.poll());
      expect(answers.values).toEqual(bench.subject.values(1));
      expect(answers.qualities).toEqual(every(GOOD));
      // Where bytes take time, so do answers.
      if (!bench.subject.pace) expect(answers.atMonoMs).toEqual(every(1_000));
      for (const atMs of answers.atMonoMs) expect(atMs).toBeGreaterThanOrEqual(1_000);
      expect([answers.failures, answers.fault]).toEqual([0, null]);
      expect(answers.requests).toBe(bench.plan.requests);
      expect(bench.plan.points).toBe(bench.subject.addresses.length);
    });

    test('answers cut into single bytes read the same', async () => {
      const bench = new Bench(make());
      bench.deliver = (bytes) => {
        for (const byte of bytes) bench.link.onBytes(Uint8Array.of(byte));
      };
      expect((await bench.end(bench.poll())).values).toEqual(bench.subject.values(1));
    });

    test('the time of a value is that of its answer, not of the question', async () => {
      const bench = new Bench(make());
      bench.deliver = (bytes) => void bench.clock.after(20, () => bench.link.onBytes(bytes));
      const { atMonoMs, values } = await bench.end(bench.poll());
      expect(values).toEqual(bench.subject.values(1));
      for (const atMs of atMonoMs) expect(atMs).toBeGreaterThanOrEqual(20);
    });

    test('a silent device: every point bad by the deadline, and the next poll is well', async () => {
      const bench = new Bench(make());
      bench.deliver = () => {};
      const answers = await bench.end(bench.poll());
      expect(reasons(answers)).toEqual(every('timeout'));
      expect(answers.fault?.retry).not.toBe('never');
      bench.deliver = (bytes) => bench.link.onBytes(bytes);
      if (bench.link.isOpen) {
        expect((await bench.end(bench.poll())).values).toEqual(bench.subject.values(1));
      }
    });

    test('a late answer never becomes the value of a later question', async () => {
      const bench = new Bench(make());
      const late: Uint8Array[] = [];
      bench.deliver = (bytes) => void late.push(bytes);
      await bench.end(bench.poll());
      bench.generation = 2;
      bench.deliver = (bytes) => void bench.clock.after(10, () => bench.link.onBytes(bytes));
      const second = bench.poll();
      for (const bytes of late) bench.link.onBytes(bytes); // While the new question waits.
      const { values } = await bench.end(second);
      const fresh = bench.subject.values(2);
      values.forEach((value, at) => {
        if (value !== null) expect(value, `point ${at}`).toEqual(fresh[at]);
      });
    });

    test('the link breaks under way: the poll ends at once, and so does the next', async () => {
      const bench = new Bench(make());
      bench.deliver = () => {};
      const first = bench.poll();
      bench.link.breakOff();
      const before = bench.clock.monoMs();
      expect(reasons(await bench.end(first))).toEqual(every('no_connection'));
      expect(reasons(await bench.end(bench.poll()))).toEqual(every('no_connection'));
      expect(bench.clock.monoMs()).toBe(before);
    });

    test('an abort ends the poll at once, before it began and under way', async () => {
      const bench = new Bench(make());
      bench.deliver = () => {};
      const before = bench.clock.monoMs();
      const { requests } = await bench.end(bench.poll(AbortSignal.abort()));
      expect(requests).toBe(0);
      const controller = new AbortController();
      const poll = bench.poll(controller.signal);
      controller.abort();
      for (const code of (await bench.end(poll)).qualities) expect(code >> 6).toBe(2);
      expect(bench.clock.monoMs()).toBe(before);
    });

    test('an answer to an aborted poll never becomes the value of the next', async () => {
      const bench = new Bench(make());
      const late: Uint8Array[] = [];
      bench.deliver = (bytes) => void late.push(bytes);
      const controller = new AbortController();
      const poll = bench.poll(controller.signal);
      controller.abort();
      await bench.end(poll);
      bench.generation = 2;
      bench.deliver = (bytes) => bench.link.onBytes(bytes);
      bench.link.onBytes(late[0] ?? new Uint8Array(0));
      const fresh = bench.subject.values(2);
      (await bench.end(bench.poll())).values.forEach((value, at) => {
        if (value !== null) expect(value).toEqual(fresh[at]);
      });
    });

    test('close settles the poll, closes the link, and leaves no timer behind', async () => {
      const bench = new Bench(make());
      bench.deliver = () => {};
      const poll = bench.poll();
      bench.session.close();
      expect(bench.link.isOpen).toBe(false);
      expect(reasons(await bench.end(poll))).toEqual(every('no_connection'));
      expect(bench.clock.nextMs()).toBeNull();
      bench.session.close(); // Twice is once.
    });

    test('nonsense on the line is never a value and never an exception', async () => {
      const bench = new Bench(make());
      bench.deliver = (bytes) => bench.link.onBytes(bytes.map((byte, at) => byte ^ (at * 37 + 85)));
      for (const code of (await bench.end(bench.poll())).qualities) expect(code >> 6).toBe(2);
      bench.link.onBytes(new Uint8Array(0));
    });

    test('a plan made after another for the same points reads the same', async () => {
      const bench = new Bench(make());
      await bench.end(bench.poll());
      const { device, subject, plan, addresses } = bench;
      const after = device.plan(addresses, plan);
      expect(after.points).toBe(plan.points);
      const poll = device.poll(after, new AbortController().signal);
      expect((await bench.end(poll)).values).toEqual(subject.values(1));
    });

    test('a plan without points is answered without a request', async () => {
      const bench = new Bench(make());
      const plan = bench.device.plan([]);
      const { values, requests } = await bench.device.poll(plan, new AbortController().signal);
      expect([values, requests, plan.requests]).toEqual([[], 0, 0]);
    });

    test('a wrong address is a problem at its path, not an exception', () => {
      const { protocol, wrongAddress } = make();
      const problems = new Problems('contract');
      expect(protocol.parseAddress(wrongAddress, ['points', 'x'], problems)).toBeUndefined();
      expect(problems.failed).toBe(true);
      for (const { path } of problems.findings) expect(path.slice(0, 2)).toEqual(['points', 'x']);
    });
  });
}
