// How manuals spell what a profile says one way: units, data types, word orders, tables, numbers.
// Everything here takes one cell as a person wrote it and answers undefined for what it does not
// know; nothing is guessed silently: a `doubt` goes with what has two meanings.
import type { UnitCode } from '../core/units.ts';
import { isUnit, units } from '../core/units.ts';
import type { ModbusType, Table, WordOrder } from '../protocols/modbus/address.ts';

/** Full-width forms, ℃, ㎥, ² and the like become plain; blanks at the ends are gone. */
export function plainText(text: string): string {
  return text
    .normalize('NFKC')
    .replaceAll(/[–—−﹣]/g, '-')
    .replaceAll('μ', 'u')
    .trim();
}

// --- Numbers ---

/** A number as spreadsheets and manuals of several countries write it; 1,234.5 and 0,1 too. */
export function numberOf(text: string): number | undefined {
  let plain = plainText(text).replaceAll(' ', '');
  if (/^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(plain)) plain = plain.replaceAll(',', '');
  if (/^[+-]?\d+,\d+$/.test(plain)) plain = plain.replace(',', '.');
  if (!/^[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})(e[+-]?\d{1,2})?$/i.test(plain)) return undefined;
  return Number(plain);
}

export interface Factor {
  readonly factor: number;
  /** A whole number above 1 beside "scale" may mean times or divided by. */
  readonly doubt: boolean;
}

/** 0.1, x0.1, *0.01, 1/10, /10, ÷100, 10^-2; undefined for anything else. */
export function factorOf(text: string): Factor | undefined {
  const plain = plainText(text).replaceAll(' ', '').toLowerCase();
  const power = /^[x×*]?10\^(-?\d)$/.exec(plain);
  if (power) return known(10 ** Number(power[1]));
  const divided = /^(?:raw|value|1)?[/÷](\d+(?:\.\d+)?)$/.exec(plain);
  if (divided) return known(shortest(1 / Number(divided[1])));
  const times = numberOf(plain.replace(/^[x×*]/, ''));
  if (times === undefined || times === 0) return undefined;
  const isSaid = /^[x×*]/.test(plain);
  return { factor: times, doubt: !isSaid && times > 1 && Number.isInteger(times) };
}

/** What a remark says of a scale: "raw / 10", "扩大10倍", "实际值 = 读数 × 0.01". */
export function factorInRemark(text: string): number | undefined {
  const plain = plainText(text).replaceAll(' ', '').toLowerCase();
  const grown = /(?:扩大|放大|乘以?|multipliedby)(10{1,6})倍?/.exec(plain);
  if (grown) return shortest(1 / Number(grown[1]));
  const divided =
    /(?:除以?|缩小|dividedby|divideby|÷|raw\/|value\/|读数\/|值\/)(10{1,6})(?!\d)/.exec(plain);
  if (divided) return shortest(1 / Number(divided[1]));
  const times = /[x×*](0\.0{0,5}1)(?!\d)/.exec(plain);
  return times ? Number(times[1]) : undefined;
}

function known(factor: number): Factor | undefined {
  return Number.isFinite(factor) && factor !== 0 ? { factor, doubt: false } : undefined;
}

export function shortest(value: number): number {
  return Number(value.toPrecision(12));
}

export interface Span {
  readonly min: number;
  readonly max: number;
  /** What stands behind the numbers: a unit, or nothing. */
  readonly rest: string;
}

/** 0-100, -40~125, 0 to 1.6 MPa, 0…100%; undefined for anything else. */
export function spanOf(text: string): Span | undefined {
  const plain = plainText(text).replaceAll(/\s+/g, ' ');
  const number = String.raw`([+-]?\d+(?:\.\d+)?)`;
  const found = new RegExp(
    String.raw`^[(\[]?\s*${number}\s*([^\d\s~.+-]*)\s*(?:~|-|\.{2,3}|…|to|至|到|,|;)\s*${number}\s*(\D*?)\s*[)\]]?$`,
    'i',
  ).exec(plain);
  const both = /^[±]\s*(\d+(?:\.\d+)?)\s*(\D*)$/.exec(plain.replace('+/-', '±'));
  if (both) return { min: -Number(both[1]), max: Number(both[1]), rest: both[2] ?? '' };
  if (!found) return undefined;
  return { min: Number(found[1]), max: Number(found[3]), rest: (found[4] || found[2]) ?? '' };
}

/** 0: off 1: on; 0=关 1=开 2=故障: at least two of them, by their number. */
export function statesOf(text: string): ReadonlyMap<number, string> | undefined {
  const plain = text.normalize('NFKC');
  const pattern = /(?:^|[\s,;，；、|])(\d{1,5})\s*(?:[:=：]|-(?!\d)|(?=[\u4e00-\u9fff]))\s*/g;
  const heads = [...plain.matchAll(pattern)];
  if (heads.length < 2 || (heads[0]?.index ?? 1) > 0) return undefined;
  const states = new Map<number, string>();
  heads.forEach((head, at) => {
    const end = heads[at + 1]?.index ?? plain.length;
    const meaning = plain.slice((head.index ?? 0) + head[0].length, end);
    states.set(Number(head[1]), meaning.replace(/[\s,;，；、|.。]+$/, '').trim());
  });
  if (states.size !== heads.length || [...states.values()].some((name) => !name)) return undefined;
  return states;
}

// --- Units ---

export interface UnitFound {
  readonly unit: UnitCode;
  /** Value in `unit` = value in the manual's unit x factor. */
  readonly factor: number;
}

const same: Partial<Record<UnitCode, string>> = {
  '1': '- -- --- / none no n/a na 无 无单位 无量纲',
  '%': '%rh rh% %r.h. rh pct percent percentage 百分比 %fs',
  '%{LEL}': '%lel lel lel% 爆炸下限 %爆炸下限',
  '%{vol}': '%vol vol vol% %v/v v/v% %volume',
  '[ppm]': 'ppm umol/mol ul/l',
  'mg/m3': 'mg/m3 mg/m^3',
  'mg/L': 'mg/l ppm(mg/l) 毫克/升 g/m3',
  Cel: 'c °c degc oc celsius 度 摄氏度 deg.c 摄氏',
  K: 'k kelvin 开尔文',
  Pa: 'pa 帕',
  kPa: 'kpa 千帕',
  MPa: 'mpa 兆帕',
  hPa: 'hpa mbar 百帕',
  bar: 'bar 巴',
  m: 'm meter metre meters 米',
  cm: 'cm 厘米',
  mm: 'mm 毫米',
  um: 'um micron 微米',
  'mm/s': 'mm/s mms',
  'm/s': 'm/s mps 米/秒',
  'm/s2': 'm/s2 m/s^2',
  '[g]': 'g gn',
  'mm/h': 'mm/h mm/hr 毫米/小时',
  m3: 'm3 m^3 cbm cum 立方米 方 立方',
  L: 'l liter litre ltr 升',
  'm3/h': 'm3/h m^3/h m3/hr cmh m3ph 立方米/小时 立方米/时 方/小时 立方/小时 m3/小时',
  'm3/s': 'm3/s m^3/s 立方米/秒',
  'L/s': 'l/s lps 升/秒',
  'L/min': 'l/min lpm 升/分 升/分钟',
  'kg/h': 'kg/h kg/hr 千克/小时',
  V: 'v volt volts 伏',
  mV: 'mv',
  A: 'a amp amps ampere 安',
  mA: 'ma',
  W: 'w watt watts 瓦',
  kW: 'kw 千瓦',
  'V.A': 'va',
  'kV.A': 'kva',
  var: 'var',
  kvar: 'kvar',
  'W.h': 'wh w.h w·h',
  'kW.h': 'kwh kw.h kw·h kw*h kw-h 度电 千瓦时',
  'kvar.h': 'kvarh kvar.h kvar·h',
  GJ: 'gj 吉焦',
  Hz: 'hz 赫兹 赫',
  '/min': 'rpm r/min 1/min rev/min 转/分 转/分钟 /min',
  deg: '° degree degrees 角度',
  'deg/s': '°/s deg/s',
  s: 's sec secs second seconds 秒',
  h: 'h hr hrs hour hours 小时',
  d: 'd day days 天',
  'u[epsilon]': 'ue uε ustrain microstrain 微应变',
  kN: 'kn 千牛',
  t: 't ton tons tonne 吨',
  '[pH]': 'ph',
  'uS/cm': 'us/cm',
  '{NTU}': 'ntu ftu',
  'W/m2': 'w/m2 w/m^2',
  dB: 'db dba db(a) 分贝',
  Ohm: 'ohm ohms ω Ω 欧姆 欧',
};

// Units the list does not have: value x factor is in one that it has.
const turned: Readonly<Record<string, UnitFound>> = {
  'ug/m3': { unit: 'mg/m3', factor: 0.001 },
  'ug/l': { unit: 'mg/L', factor: 0.001 },
  ppb: { unit: '[ppm]', factor: 0.001 },
  mh2o: { unit: 'kPa', factor: 9.80665 },
  mwc: { unit: 'kPa', factor: 9.80665 },
  米水柱: { unit: 'kPa', factor: 9.80665 },
  mmh2o: { unit: 'Pa', factor: 9.80665 },
  psi: { unit: 'kPa', factor: 6.894757 },
  'kgf/cm2': { unit: 'kPa', factor: 98.0665 },
  'l/h': { unit: 'm3/h', factor: 0.001 },
  'm3/min': { unit: 'm3/h', factor: 60 },
  'm3/d': { unit: 'm3/h', factor: 1 / 24 },
  'ml/min': { unit: 'L/min', factor: 0.001 },
  'cm/s': { unit: 'm/s', factor: 0.01 },
  'km/h': { unit: 'm/s', factor: 1 / 3.6 },
  ml: { unit: 'L', factor: 0.001 },
  km: { unit: 'm', factor: 1000 },
  dm: { unit: 'cm', factor: 10 },
  kv: { unit: 'V', factor: 1000 },
  ua: { unit: 'mA', factor: 0.001 },
  ka: { unit: 'A', factor: 1000 },
  mw: { unit: 'kW', factor: 1000 },
  mwh: { unit: 'kW.h', factor: 1000 },
  varh: { unit: 'kvar.h', factor: 0.001 },
  mj: { unit: 'GJ', factor: 0.001 },
  khz: { unit: 'Hz', factor: 1000 },
  ms: { unit: 's', factor: 0.001 },
  min: { unit: 's', factor: 60 },
  mins: { unit: 's', factor: 60 },
  分: { unit: 's', factor: 60 },
  分钟: { unit: 's', factor: 60 },
  n: { unit: 'kN', factor: 0.001 },
  kg: { unit: 't', factor: 0.001 },
  'ms/cm': { unit: 'uS/cm', factor: 1000 },
  kohm: { unit: 'Ohm', factor: 1000 },
  kω: { unit: 'Ohm', factor: 1000 },
  mg: { unit: '[g]', factor: 0.001 },
  'mg/nm3': { unit: 'mg/m3', factor: 1 },
};

const byName = new Map<string, UnitFound>(Object.entries(turned));
for (const [unit, names] of Object.entries(same)) {
  for (const name of (names as string).split(' ')) {
    byName.set(name, { unit: unit as UnitCode, factor: 1 });
  }
}

/** The unit of a cell; 0.1 ℃ has a scale in it, see `scaledUnitOf`. Empty is no unit. */
export function unitOf(text: string): UnitFound | undefined {
  const plain = plainText(text).replaceAll(' ', '');
  if (plain === '') return { unit: '1', factor: 1 };
  // UCUM as it stands, and symbols, before case is let go: mW and MW differ.
  if (isUnit(plain)) return { unit: plain, factor: 1 };
  if (plain === 'mW') return { unit: 'W', factor: 0.001 };
  if (plain === 'mS') return undefined;
  const symbol = Object.entries(units).find(([, { symbol: sign }]) => sign && sign === plain);
  if (symbol) return { unit: symbol[0] as UnitCode, factor: 1 };
  const bare = plain.replace(/^\((.*)\)$/, '$1').toLowerCase();
  if (bare === 'deg') return undefined; // Of an angle or of a temperature.
  return byName.get(bare) ?? byName.get(bare.replaceAll('·', '.'));
}

/** `0.1℃`, `0.01 MPa`, `x0.1 kWh`, `℃*10`: a unit that says the scale as well. */
export function scaledUnitOf(text: string): (UnitFound & { readonly scale: number }) | undefined {
  const plain = plainText(text).replaceAll(' ', '');
  const before = /^[x×*]?(\d*\.\d+|1)[*×x]?(.+)$/.exec(plain);
  const unit = before && unitOf(before[2]!);
  if (unit) return { ...unit, scale: Number(before[1]) };
  const after = /^(.+?)[*×x](10{1,6})$/.exec(plain) ?? /^(.+?)\/(10{1,6})$/.exec(plain);
  const turnedUnit = after && unitOf(after[1]!);
  return turnedUnit ? { ...turnedUnit, scale: shortest(1 / Number(after[2])) } : undefined;
}

/** `单位0.1V`, `unit: kPa` in a remark. */
export function unitInRemark(text: string): (UnitFound & { readonly scale: number }) | undefined {
  const found = /(?:单位|\bunits?\b)\s*[:=为是]?\s*([^\s,;。、]{1,12})/i.exec(plainText(text))?.[1];
  if (!found) return undefined;
  const unit = unitOf(found);
  return unit ? { ...unit, scale: 1 } : scaledUnitOf(found);
}

/** `Pressure (MPa)`, `温度[℃]`, `Flow, m3/h`: the unit in a name, and the name without it. */
export function unitInName(
  name: string,
): { readonly name: string; readonly unit: UnitFound } | undefined {
  const found = /^(.+?)\s*[(（[【,，]\s*([^()（）[\]【】,，]{1,12})\s*[)）\]】]?$/.exec(name);
  const unit = found ? unitOf(found[2]!) : undefined;
  return unit && unit.unit !== '1' ? { name: found![1]!.trim(), unit } : undefined;
}

// --- Types ---

export interface TypeFound {
  readonly type: ModbusType;
  readonly order: WordOrder | null;
  /** INT and LONG are as wide as the author's habit. */
  readonly doubt: boolean;
}

/** The type a cell names. `registers` is how many a length column gives, null for none. */
export function typeOf(text: string, registers: number | null): TypeFound | undefined {
  const plain = plainText(text).toLowerCase();
  const order = orderOf(text) ?? null;
  const bare = plain.replaceAll(/[\s_\-.:;,()[\]/]+/g, '').replace(/(abcd|cdab|badc|dcba)$/, '');
  const found = named(bare, registers);
  return found ? { ...found, order } : undefined;
}

function named(bare: string, registers: number | null): Omit<TypeFound, 'order'> | undefined {
  const sure = (type: ModbusType) => ({ type, doubt: false });
  const bits = Number(/(8|16|32|64)/.exec(bare.replace('ieee754', ''))?.[1] ?? 0);
  const width = bits || (registers ? registers * 16 : 0);
  if (/^(bool(ean)?|bit\d*|flag|开关量?|布尔量?|位|di|do|coil|switch|状态位)$/.test(bare)) {
    return sure('bool');
  }
  if (/bcd/.test(bare)) return sure(width === 32 ? 'bcd32' : 'bcd16');
  if (/str|char\[|text|ascii|字符/.test(bare)) return sure('string');
  if (/double|lreal|双精度/.test(bare)) return sure('float64');
  if (/float|real|ieee|single|浮点|单精度|^f(16|32|64)$|^实数/.test(bare)) {
    if (width === 64) return sure('float64');
    return sure('float32');
  }
  const isUnsigned =
    /unsigned|uint|uinteger|ushort|ulong|udint|ulint|usint|word|无符号|^u\d|^u$|hex|^ui/;
  const isSigned = /signed|int|short|long|有符号|带符号|整|^s\d|^i\d|^s$/;
  const isWide = /dword|udint|dint|ulong|long|双字|长整/.test(bare);
  const isQuad = /lword|ulint|lint|longlong|四字/.test(bare) && !/dlint/.test(bare);
  const unsigned = isUnsigned.test(bare) || /双字|^字$|^字型?$/.test(bare);
  if (!unsigned && !isSigned.test(bare)) return undefined;
  const size = width || (isQuad ? 64 : isWide ? 32 : 16);
  const prefix = unsigned ? 'uint' : 'int';
  if (size === 8) return sure(unsigned ? 'uint8-lo' : 'int8-lo');
  if (size !== 16 && size !== 32 && size !== 64) return undefined;
  const isVague = width === 0 && /^(u?int(eger)?|u?long|整数?型?|整形|signed|unsigned)$/.test(bare);
  return { type: `${prefix}${size}`, doubt: isVague };
}

const orderNames: readonly (readonly [WordOrder, RegExp])[] = [
  [
    'CDAB',
    /cdab|3412|word-?swap|swapped|low(er)?-?word-?first|lowwordfirst|低字在?前|低位在?前|inverse/,
  ],
  ['BADC', /badc|2143|byte-?swap/],
  ['DCBA', /dcba|4321|little-?endian|小端/],
  ['ABCD', /abcd|1234|big-?endian|high(er)?-?word-?first|高字在?前|高位在?前|大端/],
];

export function orderOf(text: string): WordOrder | undefined {
  const plain = plainText(text)
    .toLowerCase()
    .replaceAll(/[\s_]+/g, '');
  return orderNames.find(([, pattern]) => pattern.test(plain))?.[0];
}

// --- Tables and access ---

export type TableFound = Table | 'write-only';

/** 03, 0x04, 3/6/16, holding, 4x, 保持寄存器; the function that reads decides. */
export function tableOf(text: string): TableFound | undefined {
  const plain = plainText(text).toLowerCase();
  const byWord: readonly (readonly [Table, RegExp])[] = [
    ['holding', /hold|^4x|保持|^hr$/],
    ['discrete', /discrete|^1x|离散|开关量输入|^di$/],
    ['coil', /coil|^0x$|线圈|开关量输出|^do$/],
    ['input', /input|^3x|输入|^ir$/],
  ];
  const marked = /^[0134]x$/.test(plain) && byWord.find(([, pattern]) => pattern.test(plain));
  if (marked) return marked[0];
  const codes = [...plain.matchAll(/(?<![\da-f])(?:0x|fc|f)?0?([1-6]|10|15|16|0f)h?(?![\da-f])/g)]
    .map(([, code]) => code)
    .filter((code) => code !== undefined);
  const readers: Readonly<Record<string, Table>> = {
    1: 'coil',
    2: 'discrete',
    3: 'holding',
    4: 'input',
  };
  if (!/[a-z\u4e00-\u9fff]{3}/.test(plain.replaceAll('func', '')) && codes.length) {
    const reader = codes.find((code) => readers[code]);
    return reader ? readers[reader] : 'write-only';
  }
  const named = byWord.find(([, pattern]) => pattern.test(plain))?.[0];
  if (named) return named;
  const reader = codes.find((code) => readers[code]);
  return reader ? readers[reader] : undefined;
}

/** Whether an access column says that the register cannot be read. */
export function isWriteOnly(text: string): boolean {
  return /^(w|wo|write( ?only)?|只写|写)$/i.test(plainText(text));
}
