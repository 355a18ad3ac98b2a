// Alarms and delays for those who have no better ones: customary values with where they come from.
// They are always marked as defaults, and a profile or a site says otherwise value by value.
//
// Deadbands and delays by kind of device are starting values after the tables of ISA-TR18.2 and
// EEMUA 191 (flow 5 % and 15 s, level 5 % and 60 s, pressure 2 % and 15 s, temperature 1 % and 60
// s, else 5 % of the limit and 60 s), set to what the sensors here do: a gas alarm may not wait a
// minute, a flow that returns for a moment is not over.
import type { AlarmLevel } from '../core/alarm/rule.ts';
import type { UnitCode } from '../core/units.ts';
import type { DeviceKind, LimitSource, PointSource } from './format.ts';

export interface LimitHabits {
  /** Part of the range, or of the limit where `of` says so or no range is known. */
  readonly deadband: number;
  readonly of: 'range' | 'limit';
  readonly delay: string;
  readonly offDelay: string;
  /** Whether the outermost limits stay until somebody resets them. */
  readonly latching?: true;
}

const other: LimitHabits = { deadband: 0.05, of: 'limit', delay: '60s', offDelay: '60s' };

/** What a bridge or a wall did once, somebody looks at, also when it has moved back. */
function structure(delay: string, offDelay: string): LimitHabits {
  return { deadband: 0.02, of: 'limit', delay, offDelay, latching: true };
}

export const habits: Readonly<Record<DeviceKind, LimitHabits>> = {
  'gas-detector': { deadband: 0.02, of: 'range', delay: '5s', offDelay: '60s', latching: true },
  'flow-meter': { deadband: 0.05, of: 'range', delay: '15s', offDelay: '15m' },
  'pressure-transmitter': { deadband: 0.02, of: 'range', delay: '15s', offDelay: '60s' },
  'level-transmitter': { deadband: 0.05, of: 'range', delay: '60s', offDelay: '5m' },
  'heat-meter': { deadband: 0.01, of: 'range', delay: '60s', offDelay: '5m' },
  'temperature-sensor': { deadband: 0.01, of: 'range', delay: '60s', offDelay: '5m' },
  'strain-sensor': structure('10m', '30m'),
  'displacement-sensor': structure('10m', '30m'),
  'tilt-sensor': structure('60s', '10m'),
  'water-quality': other,
  'weather-station': other,
  'power-meter': other,
  'input-module': other,
  'output-module': other,
  siren: other,
  'pump-station': other,
  drive: other,
};

/** Of a number without a unit: a code or a count is what it is, at once. */
export const NO_UNIT_DELAY = '0s';
export const NO_UNIT_OFF_DELAY = '60s';

/** A device that says that it is not in service, where its profile says nothing of how urgent. */
export const notInServiceDefaults = { level: 3, delay: '60s', offDelay: '0s' } as const;

export interface DefaultAlarms {
  /** What the limits are in. */
  readonly unit: UnitCode;
  readonly limits: Readonly<Partial<Record<'high_high' | 'high' | 'low' | 'low_low', LimitSource>>>;
  /** Of the alarm that nothing is heard. */
  readonly noDataLevel: AlarmLevel;
}

/**
 * Communication is lost after three times the period without a good reading, at least this long.
 */
export const NO_DATA_MS_MIN = 30_000;

const patrol = {
  en: 'Send a patrol to measure on site and find the leak',
  zh: '派员到现场复测并查找泄漏点',
};
const evacuate = { en: 'Cut off the gas and evacuate', zh: '切断气源并疏散人员' };
const ventilate = {
  en: 'Let nobody in without a measurement; ventilate',
  zh: '未经检测禁止进入；通风',
};
const leave = { en: 'Evacuate and ventilate', zh: '撤离人员并通风' };
const table = {
  en: 'customary setting of fixed detectors; set it for the site',
  zh: '固定式探测器惯用设定；请按现场设定',
};

export const defaultAlarmSets = {
  combustible: {
    unit: '%{LEL}',
    noDataLevel: 2,
    limits: {
      high: {
        ...{ raise: 25, clear: 23, delay: '10s', off_delay: '60s', level: 2, action: patrol },
        norm: {
          en: 'GB/T 50493-2019, first level at most 25 %LEL',
          zh: 'GB/T 50493-2019，一级报警不高于 25 %LEL',
        },
      },
      high_high: {
        ...{ raise: 50, clear: 48, delay: '3s', off_delay: '60s', level: 1, action: evacuate },
        norm: {
          en: 'GB/T 50493-2019, second level at most 50 %LEL',
          zh: 'GB/T 50493-2019，二级报警不高于 50 %LEL',
        },
      },
    },
  },
  'carbon-monoxide': {
    unit: '[ppm]',
    noDataLevel: 2,
    limits: {
      high: {
        ...{ raise: 24, clear: 22, delay: '5s', off_delay: '60s', level: 2, action: ventilate },
        norm: table,
      },
      high_high: {
        ...{ raise: 160, clear: 155, delay: '5s', off_delay: '60s', level: 1, action: leave },
        norm: table,
      },
    },
  },
  'hydrogen-sulfide': {
    unit: '[ppm]',
    noDataLevel: 2,
    limits: {
      high: {
        ...{ raise: 6, clear: 5, delay: '5s', off_delay: '60s', level: 2, action: ventilate },
        norm: table,
      },
      high_high: {
        ...{ raise: 20, clear: 18, delay: '5s', off_delay: '60s', level: 1, action: leave },
        norm: table,
      },
    },
  },
  oxygen: {
    unit: '%',
    noDataLevel: 2,
    limits: {
      low: {
        ...{ raise: 19.5, clear: 20, delay: '5s', off_delay: '60s', level: 1, action: leave },
        norm: table,
      },
      high: {
        ...{ raise: 23, clear: 22.5, delay: '5s', off_delay: '60s', level: 1, action: leave },
        norm: table,
      },
    },
  },
  ponding: {
    unit: 'm',
    noDataLevel: 3,
    limits: {
      high: {
        ...{ raise: 0.15, clear: 0.13, delay: '60s', off_delay: '5m', level: 3 },
        action: { en: 'Warn traffic, start the pumps', zh: '提示交通风险，启动排水泵' },
        norm: {
          en: 'practice of Chinese cities: 15 cm of water on a road; set it for the site',
          zh: '国内城市惯例：路面积水 15 cm；请按现场设定',
        },
      },
      high_high: {
        ...{ raise: 0.27, clear: 0.25, delay: '60s', off_delay: '5m', level: 2 },
        action: { en: 'Close the underpass', zh: '封闭下穿通道' },
        norm: {
          en: 'practice of Chinese cities: underpasses close at 27 cm; set it for the site',
          zh: '国内城市惯例：积水 27 cm 封闭下穿通道；请按现场设定',
        },
      },
    },
  },
} as const satisfies Record<string, DefaultAlarms>;
export type DefaultAlarmSet = keyof typeof defaultAlarmSets;

export const limitNames = ['high_high', 'high', 'low', 'low_low'] as const;
export type LimitName = (typeof limitNames)[number];

/** The limits of a point and where each comes from: the profile's own go before a default set's. */
export function limitsOf(
  point: Pick<PointSource, 'alarms' | 'default_alarms'>,
): { readonly name: LimitName; readonly limit: LimitSource; readonly isDefault: boolean }[] {
  const set = point.default_alarms && defaultAlarmSets[point.default_alarms];
  const customary: DefaultAlarms['limits'] = set?.limits ?? {};
  return limitNames.flatMap((name) => {
    const own = point.alarms?.[name];
    const limit = own ?? customary[name];
    return limit ? [{ name, limit, isDefault: own === undefined }] : [];
  });
}

/**
 * Whether a limit stays until it is reset, where its profile does not say: the outermost of gas
 * and of structures, and of oxygen both, since either calls for leaving.
 */
export function latches(
  name: LimitName,
  { latching }: LimitSource,
  point: Pick<PointSource, 'default_alarms'>,
  kind: DeviceKind,
): boolean {
  const isOutermost = name === 'high_high' || name === 'low_low';
  const isOxygen = point.default_alarms === 'oxygen';
  return latching ?? (isOxygen || (isOutermost && habits[kind].latching === true));
}

/** A limit with nothing left out; `defaults` names what the kind of device filled in. */
export interface FullLimit {
  readonly clear: number;
  readonly delay: string;
  readonly offDelay: string;
  readonly defaults: readonly string[];
}

export function filledIn(
  name: LimitName,
  { raise, clear, delay, off_delay: offDelay }: LimitSource,
  { unit = '1', range }: Pick<PointSource, 'unit' | 'range'>,
  kind: DeviceKind,
): FullLimit {
  const { deadband, of, ...usual } = habits[kind];
  const span = of === 'range' && range ? range[1] - range[0] : Math.abs(raise);
  const away = (name.startsWith('high') ? -1 : 1) * deadband * span;
  const isBare = unit === '1';
  const parts = { clear, delay, off_delay: offDelay };
  return {
    clear: clear ?? Number((raise + away).toPrecision(12)),
    delay: delay ?? (isBare ? NO_UNIT_DELAY : usual.delay),
    offDelay: offDelay ?? (isBare ? NO_UNIT_OFF_DELAY : usual.offDelay),
    defaults: Object.entries(parts).flatMap(([part, given]) => (given === undefined ? [part] : [])),
  };
}
