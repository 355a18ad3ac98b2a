// From the datum a position was written down in to WGS-84, which CAP asks for.
//
// CGCS2000 and WGS-84 differ by centimetres: taken as they are. GCJ-02, which phone maps in China
// show, is WGS-84 shifted by a published-by-others function of up to some 700 m; its inverse is
// found by iteration. Outside China the function has no meaning: a position there is refused.
import type { Position } from '../../core/point.ts';

export interface Wgs84 {
  readonly latitude: number;
  readonly longitude: number;
}

/** The ellipsoid of Krassowsky, which the shift is reckoned on. */
const AXIS_M = 6_378_245;
const ECCENTRICITY_SQUARED = 0.006_693_421_622_965_943;
/** The shift changes by under a thousandth of a distance: each step leaves so much less. */
const STEPS = 6;

const { PI, abs, cos, sin, sqrt } = Math;

/** The box within which phone maps shift. */
function isShifted({ latitude, longitude }: Wgs84): boolean {
  return longitude > 72.004 && longitude < 137.8347 && latitude > 0.8293 && latitude < 55.8271;
}

/** Null: said to be GCJ-02 where there is no such thing. */
export function toWgs84({ latitude, longitude, datum }: Position): Wgs84 | null {
  const given = { latitude, longitude };
  if (datum !== 'gcj02') return given;
  if (!isShifted(given)) return null;
  let found: Wgs84 = given;
  for (let step = 0; step < STEPS; step++) {
    const shown = toGcj02(found);
    found = {
      latitude: found.latitude + latitude - shown.latitude,
      longitude: found.longitude + longitude - shown.longitude,
    };
  }
  return found;
}

/** What a phone map shows for a place; for tests and for who draws on such a map. */
export function toGcj02(place: Wgs84): Wgs84 {
  const { latitude, longitude } = place;
  const x = longitude - 105;
  const y = latitude - 35;
  const root = 0.2 * sqrt(abs(x));
  const fast = wave(x, [6, 20], [2, 20]);
  const north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + root;
  const east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.5 * root;
  const northM =
    north + fast + wave(y, [1, 20], [1 / 3, 40]) + wave(y, [1 / 12, 160], [1 / 30, 320]);
  const eastM = east + fast + wave(x, [1, 20], [1 / 3, 40]) + wave(x, [1 / 12, 150], [1 / 30, 300]);
  const radians = (latitude / 180) * PI;
  const bulge = 1 - ECCENTRICITY_SQUARED * sin(radians) ** 2;
  const meridianM = (AXIS_M * (1 - ECCENTRICITY_SQUARED)) / bulge ** 1.5;
  const parallelM = (AXIS_M / sqrt(bulge)) * cos(radians);
  return {
    latitude: latitude + (northM / meridianM) * (180 / PI),
    longitude: longitude + (eastM / parallelM) * (180 / PI),
  };
}

/** Two thirds of the sum of sines, each of so many half turns a degree and so high. */
function wave(degrees: number, ...sines: readonly (readonly [number, number])[]): number {
  const sum = sines.reduce((total, [turns, high]) => total + high * sin(degrees * turns * PI), 0);
  return (sum * 2) / 3;
}
