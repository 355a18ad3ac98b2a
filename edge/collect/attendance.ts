// A device that needs attention beside its polls: registers that say how to read others, a trigger
// before a measurement, a first request after a pause that may get lost, the question who it is.
//
// It stands between a device loop and the driver, as a handle in front of the handle, so that
// devices that need nothing of this get the driver's own, and their polls cost nothing more.
//
// What it promises
// - A point that names a mode is judged by a mode of the same poll. Where the mode was answered
//   after the value, the one of the poll before must agree: a value of a warm-up's last moment does
//   not pass because the mode was read a moment later.
// - Unit, scale and word order are read before the first value of a session and again every
//   SETTINGS_MS; while they cannot be read, the values that need them are bad.
// - A trigger waits without the line: other devices are asked meanwhile. Its stop is sent whatever
//   became of the values, unless the device did not answer at all or collecting ends.
// - A device that stays silent costs one time-out, not one for each step, and one more where it is
//   known to sleep.
// - Who the device is, is asked once a session, after it has answered; a difference is told and
//   changes nothing. Nothing is ever written but the steps of a profile.
import type { Clock } from '../../core/clock.ts';
import { assert } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { foreign } from '../../core/log.ts';
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, isBad, qualityCode } from '../../core/quality.ts';
import type { Aside, Complaint, Read, Trigger } from '../../device-profiles/auxiliary.ts';
import { isOutOfService, settle } from '../../device-profiles/auxiliary.ts';
import type { Likeness } from '../../device-profiles/identification.ts';
import { identify, questionsOf } from '../../device-profiles/identification.ts';
import type { Identification, ProfilePoint } from '../../device-profiles/profile.ts';
import type { Answers, DeviceHandle, Plan, Sample, Urgency } from '../../protocols/driver.ts';
import type { CollectedPoint } from './normalise.ts';
import { unanswered } from './normalise.ts';

/**
 * What a technician sets in a device is noticed within ten minutes; a request each ten minutes is
 * nothing to a line.
 */
export const SETTINGS_MS = 600_000;

/** What of a device's profile is not in its points. */
export interface Habits {
  readonly wakesAfterMs: number | null;
  readonly identify: readonly Identification[];
}

export interface Attended {
  readonly id: string;
  readonly habits?: Habits;
  readonly groups: readonly {
    readonly points: readonly CollectedPoint[];
    readonly addresses: readonly unknown[];
  }[];
}

export class Attendance {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #device: Attended;
  /** By what the driver is asked for: each point of a profile has an address of its own. */
  readonly #special = new Map<unknown, ProfilePoint>();
  readonly #complaints = new Map<string, Complaint>();
  #likeness: Likeness = 'unknown';

  constructor(clock: Clock, log: Log, device: Attended) {
    this.#clock = clock;
    this.#log = log;
    this.#device = device;
    for (const { points, addresses } of device.groups) {
      points.forEach(({ profile }, at) => {
        if (profile.auxiliary) this.#special.set(addresses[at], profile);
      });
    }
  }

  /** What somebody must set right, by point. */
  get complaints(): ReadonlyMap<string, Complaint> {
    return this.#complaints;
  }

  /** Whether the device looks like its profile. */
  get likeness(): Likeness {
    return this.#likeness;
  }

  /** The handle of a new session. */
  attend(handle: DeviceHandle<unknown>): DeviceHandle<unknown> {
    const { habits } = this.#device;
    const isAsked = (habits?.identify.length ?? 0) > 0;
    const sleeps = habits !== undefined && habits.wakesAfterMs !== null;
    if (this.#special.size === 0 && !isAsked && !sleeps) return handle;
    return new AttendedHandle(this.#clock, handle, {
      special: this.#special,
      habits: habits ?? { wakesAfterMs: null, identify: [] },
      onSettled: (point, complaint) => this.#settled(point, complaint),
      onIdentified: (likeness, found) => this.#identified(likeness, found),
    });
  }

  #settled({ id, auxiliary }: ProfilePoint, complaint: Complaint | null): void {
    const before = this.#complaints.get(id);
    if (!complaint) {
      if (!before) return;
      this.#complaints.delete(id);
      this.#log.info('device_setting_fits', { device: this.#device.id, point: id });
      return;
    }
    if (before?.what === complaint.what && before.found === complaint.found) return;
    this.#complaints.set(id, complaint);
    const { what, found } = complaint;
    const expected = what === 'unit' ? auxiliary?.unit?.expected : undefined;
    const fields = { device: this.#device.id, point: id, what, found: foreign(found) };
    this.#log.warn('device_setting_unfit', { ...fields, expected });
  }

  #identified(likeness: Likeness, found: string): void {
    const before = this.#likeness;
    this.#likeness = likeness;
    if (likeness === before || likeness === 'unknown') return;
    const fields = { device: this.#device.id };
    if (likeness === 'match') this.#log.info('device_like_profile', fields);
    else this.#log.warn('device_unlike_profile', { ...fields, found: foreign(found) });
  }
}

interface HandleOptions {
  readonly special: ReadonlyMap<unknown, ProfilePoint>;
  readonly habits: Habits;
  onSettled(point: ProfilePoint, complaint: Complaint | null): void;
  onIdentified(likeness: Likeness, found: string): void;
}

class AttendedHandle implements DeviceHandle<unknown> {
  readonly #clock: Clock;
  readonly #handle: DeviceHandle<unknown>;
  readonly #options: HandleOptions;
  readonly write?: NonNullable<DeviceHandle<unknown>['write']>;
  readonly identify?: NonNullable<DeviceHandle<unknown>['identify']>;
  /** When the device was last asked. */
  #askedMonoMs = Number.NEGATIVE_INFINITY;
  #hasAnswered = false;
  #isIdentified: boolean;
  /** Ends when nobody is between a trigger's start and its stop. */
  #triggered: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock, handle: DeviceHandle<unknown>, options: HandleOptions) {
    this.#clock = clock;
    this.#handle = handle;
    this.#options = options;
    if (handle.write) this.write = handle.write.bind(handle);
    if (handle.identify) this.identify = handle.identify.bind(handle);
    this.#isIdentified = options.habits.identify.length === 0;
  }

  plan(addresses: readonly unknown[], before?: Plan): Plan {
    const { special } = this.#options;
    const earlier = before instanceof AttendedPlan ? before : undefined;
    if (!addresses.some((address) => special.has(address))) {
      return this.#handle.plan(addresses, earlier ? undefined : before);
    }
    return new AttendedPlan(this.#handle, addresses, special, earlier);
  }

  async poll(plan: Plan, signal: AbortSignal, urgency?: Urgency): Promise<Answers> {
    await this.#identify(signal, urgency);
    const answers =
      plan instanceof AttendedPlan
        ? await this.#inTurn(plan, signal, urgency)
        : await this.#awake(plan, signal, urgency);
    if (answers.requests > answers.failures) this.#hasAnswered = true;
    return answers;
  }

  /** One poll of the driver's; a device that was left alone may sleep through its first request. */
  async #awake(plan: Plan, signal: AbortSignal, urgency?: Urgency): Promise<Answers> {
    const { wakesAfterMs } = this.#options.habits;
    const idleMs = this.#clock.monoMs() - this.#askedMonoMs;
    const first = await this.#handle.poll(plan, signal, urgency);
    this.#askedMonoMs = this.#clock.monoMs();
    if (wakesAfterMs === null || idleMs < wakesAfterMs || signal.aborted) return first;
    if (!isGone(first) || first.qualities[0] !== TIMEOUT) return first;
    const second = await this.#handle.poll(plan, signal, urgency);
    this.#askedMonoMs = this.#clock.monoMs();
    return summed(second, first);
  }

  /** What one group starts, no other may stop: those with triggers go one after another. */
  #inTurn(plan: AttendedPlan, signal: AbortSignal, urgency?: Urgency): Promise<Answers> {
    if (plan.triggers.length === 0) return this.#attended(plan, signal, urgency);
    const answers = this.#triggered.then(() => this.#attended(plan, signal, urgency));
    this.#triggered = answers;
    return answers;
  }

  async #attended(plan: AttendedPlan, signal: AbortSignal, urgency?: Urgency): Promise<Answers> {
    const steps = noSteps();
    const nowMs = this.#clock.monoMs();
    if (plan.settings && plan.areSettingsStale(nowMs)) {
      const read = await this.#awake(plan.settings, signal, urgency);
      plan.keepSettings(read, this.#clock.monoMs());
      add(steps, read);
      if (isGone(read)) return this.#given(plan, read.qualities[0]!, steps);
    }
    for (const trigger of plan.triggers) {
      const quality = await this.#send(trigger.start, steps, signal, urgency);
      if (quality !== GOOD) return this.#given(plan, quality, steps);
    }
    if (plan.waitMs > 0) await this.#clock.sleep(plan.waitMs, signal);
    const answers = await this.#awake(plan.values, signal, urgency);
    if (!isGone(answers)) {
      for (const { stop } of plan.triggers) {
        if (stop && !signal.aborted) await this.#send(stop, steps, signal, urgency);
      }
    }
    plan.settle(answers, this.#options.onSettled);
    const { more, filled } = answers;
    const settled = {
      ...answers,
      ...(more ? { more: plan.settleSamples(more) } : {}),
      ...(filled ? { filled: plan.settleSamples(filled) } : {}),
    };
    return summed(settled, steps);
  }

  async #send(
    step: Trigger['start'],
    steps: Steps,
    signal: AbortSignal,
    urgency?: Urgency,
  ): Promise<QualityCode> {
    assert(this.#handle.send, 'a protocol whose profiles have triggers sends steps');
    const sent = await this.#handle.send(step, signal, urgency);
    this.#askedMonoMs = this.#clock.monoMs();
    steps.requests++;
    steps.lineMs += sent.lineMs;
    if (sent.quality !== GOOD) steps.failures++;
    steps.fault ??= sent.fault;
    return sent.quality;
  }

  /** Every point bad for one reason, since what comes before the values failed. */
  #given({ points }: Plan, quality: QualityCode, steps: Steps): Answers {
    return summed(unanswered(points, quality, this.#clock.monoMs()), steps);
  }

  async #identify(signal: AbortSignal, urgency?: Urgency): Promise<void> {
    if (this.#isIdentified || !this.#hasAnswered) return;
    this.#isIdentified = true;
    const { habits, onIdentified } = this.#options;
    const { registers, deviceId } = questionsOf(habits.identify);
    const read = registers.length
      ? await this.#handle.poll(this.#handle.plan(registers), signal, urgency)
      : unanswered(0, GOOD, 0);
    const identity =
      deviceId && !signal.aborted ? await this.#handle.identity?.(signal, urgency) : undefined;
    const answers = read.values.map((value, at) => ({ value, quality: read.qualities[at]! }));
    const found = identify(habits.identify, { registers: answers, deviceId: identity ?? null });
    onIdentified(found.likeness, found.found);
  }
}

const TIMEOUT = qualityCode('bad', 'timeout');
const NO_CONNECTION = qualityCode('bad', 'no_connection');

/** Nothing came back at all; an exception or a damaged answer is a sign of life. */
function isGone({ requests, failures, qualities }: Answers): boolean {
  if (requests === 0 || failures < requests) return false;
  return qualities[0] === TIMEOUT || qualities[0] === NO_CONNECTION;
}

interface Steps {
  requests: number;
  failures: number;
  lineMs: number;
  fault: Answers['fault'];
}

const noSteps = (): Steps => ({ requests: 0, failures: 0, lineMs: 0, fault: null });

function add(steps: Steps, { requests, failures, lineMs, fault }: Answers): void {
  steps.requests += requests;
  steps.failures += failures;
  steps.lineMs += lineMs;
  steps.fault ??= fault;
}

function summed(answers: Answers, steps: Steps | Answers): Answers {
  return {
    ...answers,
    requests: answers.requests + steps.requests,
    failures: answers.failures + steps.failures,
    lineMs: answers.lineMs + steps.lineMs,
    fault: answers.fault ?? (answers.requests > answers.failures ? null : steps.fault),
  };
}

/** What a point's places in the driver's plans are. */
interface Place {
  readonly at: number;
  readonly point: ProfilePoint;
  readonly auxiliary: NonNullable<ProfilePoint['auxiliary']>;
  /** In the plan of the values; -1 where the point names none. */
  readonly mode: number;
  /** In the plan of the settings; -1 where the point has none. */
  readonly unit: number;
  readonly scale: number;
  readonly order: number;
}

class AttendedPlan implements Plan {
  readonly points: number;
  /** The points, and behind them the modes that are not among them. */
  readonly values: Plan;
  /** Units, scales, orders; null where nobody needs any. */
  readonly settings: Plan | null;
  readonly triggers: readonly Trigger[];
  readonly #places: readonly Place[];
  #settings: readonly Read[] = [];
  #settingsMonoMs = Number.NEGATIVE_INFINITY;
  /** Somebody must set something right: looked at with every poll until it is. */
  #isUnfit = false;
  /** The modes of the poll before, by their place. */
  #modes = new Map<number, Read>();

  constructor(
    handle: DeviceHandle<unknown>,
    addresses: readonly unknown[],
    special: ReadonlyMap<unknown, ProfilePoint>,
    before: AttendedPlan | undefined,
  ) {
    this.points = addresses.length;
    const asked = [...addresses];
    const settings: unknown[] = [];
    const places: Place[] = [];
    addresses.forEach((address, at) => {
      const point = special.get(address);
      const auxiliary = point?.auxiliary;
      if (!point || !auxiliary) return;
      const { mode, unit, scale, order } = auxiliary;
      places.push({
        at,
        point,
        auxiliary,
        mode: placeIn(asked, mode),
        unit: placeIn(settings, unit),
        scale: placeIn(settings, scale),
        order: placeIn(settings, order),
      });
    });
    this.#places = places;
    this.values = handle.plan(asked, before?.values);
    const kept = before?.settings ?? undefined;
    this.settings = settings.length ? handle.plan(settings, kept) : null;
    this.triggers = [...new Set(places.flatMap(({ auxiliary }) => auxiliary.before ?? []))];
  }

  get waitMs(): number {
    return this.triggers.reduce((max, { waitMs }) => Math.max(max, waitMs), 0);
  }

  /** Of every poll: settings are read too seldom to count. */
  get requests(): number {
    const steps = this.triggers.reduce((sum, { stop }) => sum + (stop ? 2 : 1), 0);
    return this.values.requests + steps;
  }

  get lineMs(): number {
    const { requests, lineMs } = this.values;
    return requests === 0 ? lineMs : (lineMs * this.requests) / requests;
  }

  areSettingsStale(nowMs: number): boolean {
    return this.#isUnfit || nowMs >= this.#settingsMonoMs + SETTINGS_MS;
  }

  /** What could not be read is asked again with the next poll. */
  keepSettings({ values, qualities }: Answers, nowMs: number): void {
    this.#settings = values.map((value, at) => ({ value, quality: qualities[at]! }));
    const isWhole = !qualities.some(isBad);
    this.#settingsMonoMs = isWhole ? nowMs : Number.NEGATIVE_INFINITY;
  }

  /** Turns what the driver brought into raw values of the points, in place. */
  settle(
    answers: Answers,
    onSettled: (point: ProfilePoint, complaint: Complaint | null) => void,
  ): void {
    const { values, qualities, atMonoMs } = answers;
    const read = (at: number): Read => ({ value: values[at]!, quality: qualities[at]! });
    const modes = new Map<number, Read>();
    for (const { mode } of this.#places) if (mode >= 0) modes.set(mode, read(mode));
    const settled = this.#places.map((place) => {
      const { at, point, auxiliary, mode } = place;
      const isLate = mode >= 0 && atMonoMs[mode]! > atMonoMs[at]!;
      const aside = this.#aside(place, modes, isLate);
      return { at, point, ...settle(point, auxiliary, values[at]!, qualities[at]!, aside) };
    });
    this.#isUnfit = settled.some(({ complaint }) => complaint && complaint.what !== 'mode');
    for (const { at, point, raw, quality, complaint } of settled) {
      values[at] = raw;
      qualities[at] = quality;
      // A value that did not come says nothing of what is set.
      if (complaint || quality === GOOD) onSettled(point, complaint);
    }
    this.#modes = modes;
    values.length = this.points;
    qualities.length = this.points;
    atMonoMs.length = this.points;
  }

  /** Values before the newest, by what stands beside that one. */
  settleSamples(samples: readonly Sample[]): Sample[] {
    return samples.map((sample) => {
      const place = this.#places.find(({ at }) => at === sample.at);
      if (!place) return sample;
      const aside = this.#aside(place, this.#modes, false);
      const { point, auxiliary } = place;
      const { raw, quality } = settle(point, auxiliary, sample.value, sample.quality, aside);
      return { ...sample, value: raw, quality };
    });
  }

  #aside(place: Place, modes: ReadonlyMap<number, Read>, isLate: boolean): Aside {
    const setting = (at: number) => (at < 0 ? null : (this.#settings[at] ?? null));
    const now = modes.get(place.mode) ?? null;
    const before = this.#modes.get(place.mode);
    const register = place.auxiliary.mode;
    const wasOut = isLate && before && register && isOutOfService(register, before);
    return {
      mode: wasOut ? before : now,
      unit: setting(place.unit),
      scale: setting(place.scale),
      order: setting(place.order),
    };
  }
}

/** The place of a register among what is asked for; it is put there when it is not. */
function placeIn(asked: unknown[], register: { readonly address: unknown } | null): number {
  if (!register) return -1;
  const known = asked.indexOf(register.address);
  return known >= 0 ? known : asked.push(register.address) - 1;
}
