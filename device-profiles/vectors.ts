// A profile's own tests: registers or nodes in, readings out, without hardware. They run the same decoding
// and the same judging of values as the edge does.
import { engineeringValue } from '../core/point.ts';
import type { Quality, Reason } from '../core/quality.ts';
import { isBad, qualityCode, qualityOf } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import { decodeValue, qualityOfDecoded } from '../protocols/modbus/value.ts';
import { qualityOfStatus } from '../protocols/opcua/status.ts';
import type { Aside, Read } from './auxiliary.ts';
import { NOTHING_ASIDE, plainOf, settle } from './auxiliary.ts';
import type { ProfileTest } from './format.ts';
import type { ModbusPoint, Profile, ProfilePoint } from './profile.ts';
import { isModbusPoint, normaliseRaw } from './profile.ts';
import type { Image } from './raw-values.ts';
import { imageOf } from './raw-values.ts';

/** What a point shows: its value in engineering units, null when it is bad. */
export interface Shown {
  readonly value: Value;
  readonly quality: Quality;
  readonly reason: Reason;
}

export interface TestFailure {
  readonly point: string;
  readonly expected: string;
  readonly got: string;
}

export interface TestResult {
  readonly name: string;
  /** Empty when the test passed. */
  readonly failures: readonly TestFailure[];
}

export function runProfileTests(profile: Profile): readonly TestResult[] {
  return profile.tests.map((test) => {
    const failures: TestFailure[] = [];
    for (const [id, expected] of Object.entries(test.expect)) {
      const point = profile.points.find((candidate) => candidate.id === id);
      if (!point) continue; // A profile that names it does not parse.
      const shown = shownIn(test, point);
      if (!isAsExpected(shown, expected)) {
        failures.push({ point: id, expected: text(expected), got: text(shown) });
      }
    }
    return { name: test.name, failures };
  });
}

function shownIn({ registers = {}, nodes = {} }: ProfileTest, point: ProfilePoint): Shown {
  if (isModbusPoint(point)) {
    const image = imageOf(registers);
    return shownBy(point, image.words(point.address), asideOf(point, image));
  }
  const { mode } = point.auxiliary ?? {};
  const modeNode = mode ? nodes[mode.point] : undefined;
  const aside = modeNode ? { ...NOTHING_ASIDE, mode: readOf(modeNode) } : NOTHING_ASIDE;
  return judged(point, readOf(nodes[point.id] ?? {}), aside);
}

/** What a driver makes of a node: a bad status has no value. */
function readOf({ value, status = 0 }: NonNullable<ProfileTest['nodes']>[string]): Read {
  const quality = value === undefined && status === 0 ? NO_VALUE : qualityOfStatus(status);
  return { value: isBad(quality) ? null : (value ?? null), quality };
}

const NO_VALUE = qualityCode('bad', 'not_available');

/**
 * What a test gives of the registers beside a value. Of mode and unit it may say nothing: in
 * service, and in the unit of the point.
 */
export function asideOf(
  { auxiliary }: ModbusPoint,
  image: Pick<Image, 'firstMissing' | 'words'>,
): Aside {
  const at = (register: { readonly address: ModbusAddress } | null | undefined) =>
    register && image.firstMissing(register.address) === null
      ? readFrom(register.address, image.words(register.address))
      : null;
  const { mode, unit, scale, order } = auxiliary ?? {};
  return { mode: at(mode), unit: at(unit), scale: at(scale), order: at(order) };
}

function readFrom(address: ModbusAddress, words: Uint16Array): Read {
  const decoded = decodeValue(address, words);
  const quality = qualityOfDecoded(decoded);
  return { value: isBad(quality) ? null : decoded!, quality };
}

/**
 * The reading of a point whose registers hold `words`; `aside` is what was read beside them, where
 * the point has an auxiliary.
 */
export function shownBy(
  point: ModbusPoint,
  words: Uint16Array,
  aside: Aside = NOTHING_ASIDE,
): Shown {
  return judged(point, readFrom(point.auxiliary?.asked ?? point.address, words), aside);
}

/** The reading of a point for which a driver brought `read`. */
export function judged(point: ProfilePoint, read: Read, aside: Aside = NOTHING_ASIDE): Shown {
  const { auxiliary } = point;
  const settled = auxiliary
    ? settle(point, auxiliary, read.value, read.quality, aside)
    : { raw: read.value, quality: read.quality };
  const { raw, quality: code } = normaliseRaw(plainOf(point), settled.raw, settled.quality);
  const { scale, offset } = point.definition;
  const { quality, reason } = qualityOf(code)!;
  return { value: engineeringValue(raw, scale, offset), quality, reason };
}

/** A float of four bytes knows seven digits: 36.6254 stands for 36.62539672851562. */
const RELATIVE_ERROR_MAX = 1e-6;

function isAsExpected(shown: Shown, expected: ProfileTest['expect'][string]): boolean {
  if (typeof expected === 'object') {
    if (shown.quality !== expected.quality || shown.reason !== expected.reason) return false;
    return expected.value === null
      ? shown.value === null
      : isAsExpected({ ...shown, quality: 'good' }, expected.value);
  }
  if (shown.quality !== 'good') return false;
  if (typeof expected !== 'number' || typeof shown.value === 'boolean') {
    return shown.value === expected;
  }
  if (typeof shown.value === 'bigint') return Number(shown.value) === expected;
  if (typeof shown.value !== 'number') return false;
  return Math.abs(shown.value - expected) <= RELATIVE_ERROR_MAX * Math.max(1, Math.abs(expected));
}

function text(shown: Shown | ProfileTest['expect'][string]): string {
  if (typeof shown !== 'object') return JSON.stringify(shown);
  const { value, quality, reason } = shown;
  if (quality === 'bad') return `${quality} (${reason})`;
  if (quality === 'uncertain') return `${String(value)}, ${quality} (${reason})`;
  return typeof value === 'bigint' ? `${value}` : JSON.stringify(value);
}
