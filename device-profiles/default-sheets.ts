// What a person who gets an alarm should know, where its profile does not say: usual causes, what
// follows when nobody acts, and in which time acting still helps. By kind of device and unit, or by
// default set. Each text says that it is a default, since no plant is like another. The times are
// of no norm: they are what a duty desk may plan with until a site has studied its own.
import type { Bilingual } from '../core/text/text.ts';
import type { DeviceKind, LimitSource } from './format.ts';

type Sheet = NonNullable<LimitSource['sheet']>;
type Side = 'high_high' | 'high' | 'low' | 'low_low' | 'no_data';
type Sheets = Readonly<Partial<Record<Side, Sheet>>>;

const byDefault = (en: string, zh: string): Bilingual => ({
  en: `${en} (default text)`,
  zh: `${zh}（默认文本）`,
});

const silent: Sheet = {
  cause: byDefault('Power, line or device failed', '供电、线路或设备故障'),
  consequence: byDefault(
    'Nothing is measured here: a danger would not be seen',
    '此处无测量值：危险将无法发现',
  ),
  time_available: '30m',
};

const leak = byDefault(
  'A leak nearby, sewer gas, or a sensor that has drifted',
  '附近泄漏、沼气积聚，或传感器漂移',
);
const combustible: Sheets = {
  high: {
    cause: leak,
    consequence: byDefault(
      'The gas may go on rising to a mixture that explodes',
      '浓度可能继续上升至可爆范围',
    ),
    time_available: '15m',
  },
  high_high: {
    cause: leak,
    consequence: byDefault('Explosion at the first spark', '遇火花即可能爆炸'),
    time_available: '5m',
  },
  no_data: silent,
};

const poisoned: Sheet = {
  cause: byDefault('Poor ventilation, a leak or exhaust fumes', '通风不良、泄漏或废气'),
  consequence: byDefault('Who stays is poisoned', '滞留人员会中毒'),
  time_available: '15m',
};
const poison: Sheets = {
  high: poisoned,
  high_high: { ...poisoned, time_available: '5m' },
  no_data: silent,
};

const oxygen: Sheets = {
  low: {
    cause: byDefault('Oxygen used up or driven out by another gas', '氧气被消耗或被其他气体置换'),
    consequence: byDefault('Who stays faints without warning', '滞留人员会无预兆地昏迷'),
    time_available: '5m',
  },
  high: {
    cause: byDefault('Oxygen leaks from a pipe or a bottle', '氧气管道或气瓶泄漏'),
    consequence: byDefault('Clothes and grease catch fire easily', '衣物和油脂极易着火'),
    time_available: '5m',
  },
  no_data: silent,
};

const rain = byDefault(
  'Rain beyond the drain, a pump or a gully that failed',
  '降雨超出排水能力，或水泵、雨水口失效',
);
const ponding: Sheets = {
  high: {
    cause: rain,
    consequence: byDefault('Cars stall and the water goes on rising', '车辆熄火，积水继续上涨'),
    time_available: '30m',
  },
  high_high: {
    cause: rain,
    consequence: byDefault('People are trapped in their cars', '人员可能被困车内'),
    time_available: '10m',
  },
  no_data: silent,
};

const drop = byDefault(
  'A burst, a closed valve, a pump that stopped or high demand',
  '爆管、阀门关闭、水泵停运或用水高峰',
);
const overpressure = byDefault('Water hammer or a regulator that failed', '水锤或调压阀失效');
const burst = byDefault('Pipes burst', '管道可能爆裂');
const dry = byDefault('Users run dry; dirt is drawn into the pipe', '用户断水，污水可能渗入管道');
const pressure: Sheets = {
  high: { cause: overpressure, consequence: burst, time_available: '30m' },
  high_high: { cause: overpressure, consequence: burst, time_available: '10m' },
  low: { cause: drop, consequence: dry, time_available: '30m' },
  low_low: { cause: drop, consequence: dry, time_available: '10m' },
  no_data: silent,
};

const moved = byDefault(
  'The bearing or pier has moved, an overload, or a sensor came loose',
  '支座或墩台位移、超载，或传感器松动',
);
const leaning: Sheet = {
  cause: moved,
  consequence: byDefault('The structure may be damaged further', '结构损伤可能扩大'),
  time_available: '4h',
};
const falling: Sheet = {
  cause: moved,
  consequence: byDefault('Parts of the structure may fall', '结构可能局部垮塌'),
  time_available: '30m',
};
const tilt: Sheets = {
  high: leaning,
  low: leaning,
  high_high: falling,
  low_low: falling,
  no_data: silent,
};

const bySet: Readonly<Record<string, Sheets>> = {
  combustible,
  'carbon-monoxide': poison,
  'hydrogen-sulfide': poison,
  oxygen,
  ponding,
};

/** A gas detector also measures its own temperature: only what its kind is for has a sheet. */
const byKind: Readonly<Partial<Record<DeviceKind, Readonly<Record<string, Sheets>>>>> = {
  'gas-detector': { '%{LEL}': combustible },
  'pressure-transmitter': { bar: pressure, Pa: pressure, kPa: pressure, MPa: pressure },
  'tilt-sensor': { deg: tilt },
};

/** The sheet of an alarm with what it leaves out filled in; the profile's own texts go before. */
export function sheetWithDefaults(
  side: Side,
  own: Sheet | undefined,
  {
    unit = '1',
    default_alarms: set,
  }: { unit?: string | undefined; default_alarms?: string | undefined },
  kind: DeviceKind,
): Sheet | undefined {
  const sheets = set === undefined ? byKind[kind]?.[unit] : bySet[set];
  const usual = sheets?.[side];
  return usual || own ? { ...usual, ...own } : undefined;
}
