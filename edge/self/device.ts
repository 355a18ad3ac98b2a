// What `path_test` of a gateway file adds: the device `self` with its points, as if a profile had
// said so (driver.ts says what they do). A gateway without it has no such device and pays nothing.
//
// The time available on the sheet of the path test is its interval: confirmed after the next one
// has come, a test says nothing. By it the cloud knows when one is missed.
import type { AlarmLevel, StateRule } from '../../core/alarm/rule.ts';
import { alarmLevels } from '../../core/alarm/rule.ts';
import type { CommandOffer } from '../../core/command.ts';
import { SET_COMMAND } from '../../core/command.ts';
import { durationMs } from '../../core/duration.ts';
import { DRILL_POINT, PATH_TEST_POINT, SELF_DEVICE } from '../../core/point.ts';
import type { Problems } from '../../core/problems.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { PointParts, ProfileCommand, ProfilePoint } from '../../device-profiles/profile.ts';
import type { CollectedPoint } from '../collect/normalise.ts';
import type { GatewaySource } from '../config/format.ts';
import type { DeviceConfig } from '../config/gateway.ts';
import type { SelfLinkConfig } from '../config/link.ts';
import type { SelfAddress } from './driver.ts';
import { self } from './driver.ts';

/** Each test is a notification and some records; below, the path would mostly test itself. */
export const EVERY_MS_MIN = 30_000;
/** A day without a test is no supervision. */
export const EVERY_MS_MAX = 24 * 3_600_000;
/** A test is seen within a second, and is up for five of them. */
export const PERIOD_MS = 1_000;
/** Who starts a drill waits for it to begin, and no longer. */
const TIME_TO_LIVE_MS = 30_000;
const READ_BACK_MS = 2_000;

/** Adds what is wrong with it: the name is the gateway's own, whether it tests the path or not. */
export function checkSelf(source: GatewaySource, problems: Problems): void {
  const { path_test: test, devices, links } = source;
  devices.forEach(({ id }, at) => {
    if (id === SELF_DEVICE) problems.add(['devices', at, 'id'], 'self-is-taken', { name: id });
  });
  if (Object.hasOwn(links, SELF_DEVICE)) {
    problems.add(['links', SELF_DEVICE], 'self-is-taken', { name: SELF_DEVICE });
  }
  if (!test) return;
  const everyMs = durationMs(test.every);
  if (everyMs >= EVERY_MS_MIN && everyMs <= EVERY_MS_MAX) return;
  const limits = { minimum: '30s', maximum: '1d' };
  problems.add(['path_test', 'every'], 'path-test-interval', { every: test.every, ...limits });
}

export function selfLink(everyMs: number): SelfLinkConfig {
  return { kind: 'self', id: SELF_DEVICE, protocol: self, line: null, answerMs: 0, everyMs };
}

export function selfDevice(everyMs: number, firstAlias: number): DeviceConfig {
  const points = [pathTest(everyMs), ...alarmLevels.map(drill)];
  return {
    ...{ id: SELF_DEVICE, link: SELF_DEVICE, name: null, asset: null },
    ...{ profile: 'lifeline/self@1', unit: 0, options: null },
    groups: [
      {
        firstAlias,
        periodMs: PERIOD_MS,
        points,
        addresses: points.map(({ profile }) => profile.address),
      },
    ],
  };
}

function pathTest(everyMs: number): CollectedPoint {
  const rule: StateRule = {
    ...ruleOf(PATH_TEST_POINT, 4, bilingual('path-test')),
    timeAvailableMs: everyMs,
    isSelfAcknowledging: true,
  };
  const address = { kind: 'path-test' } as const;
  return pointOf({ id: PATH_TEST_POINT, name: bilingual('path-test'), address, rule });
}

function drill(level: AlarmLevel): CollectedPoint {
  const id = `${DRILL_POINT}${level}`;
  const address = { kind: 'drill', level } as const;
  const offer: CommandOffer = {
    ...{ id: SET_COMMAND, title: bilingual('drill-command', { level }) },
    ...{ fixed: null, range: null, states: [true, false], right: 'operate', twoPeople: false },
    ...{ everyMs: 0, timeToLiveMs: TIME_TO_LIVE_MS, revert: null },
  };
  const command: ProfileCommand = {
    ...{ offer, address, scale: 1, offset: 0, wants: 'boolean', words: null },
    readBack: { withinMs: READ_BACK_MS, tolerance: 0 },
  };
  const name = bilingual('drill-point', { level });
  const rule = ruleOf('drill', level, bilingual('drill'));
  return pointOf({ id, name, address, rule, command });
}

function ruleOf(id: string, level: AlarmLevel, title: Bilingual): StateRule {
  const delays = { onDelayMs: 0, offDelayMs: 0 };
  return { kind: 'state', id, level, ...delays, states: [1], title, action: null };
}

interface Parts {
  readonly id: string;
  readonly name: Bilingual;
  readonly address: SelfAddress;
  readonly rule: StateRule;
  readonly command?: ProfileCommand;
}

function pointOf({ id, name, address, rule, command }: Parts): CollectedPoint {
  const definition: PointParts = {
    ...({ point: id, name, unit: '1', type: 'boolean', scale: 1, offset: 0 } as const),
    ...({ range: null, class: 'life-safety', periodMs: PERIOD_MS, deadband: 0 } as const),
    rules: [rule],
  };
  const place = { device: SELF_DEVICE, asset: null };
  const offered = command ? { commands: [command.offer] } : {};
  const profile: ProfilePoint = {
    id,
    // As where a profile is loaded: whatever the protocol knows it by.
    address: address as unknown as ProfilePoint['address'],
    ...{ definition, invalid: new Map(), states: new Map(), norms: {}, caveat: null },
    ...(command ? { commands: [command] } : {}),
  };
  return { profile, definition: { ...definition, ...place, ...offered } };
}
