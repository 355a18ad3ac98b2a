// Units are UCUM codes (ucum.org, case sensitive) with the name a person reads. A closed list: an
// unknown unit in a profile is a mistake, not a new unit.

interface Unit {
  /** As shown beside a value. */
  readonly symbol: string;
  readonly zh: string;
}

export const units = {
  '1': { symbol: '', zh: '' },
  '%': { symbol: '%', zh: '%' },
  '%{LEL}': { symbol: '%LEL', zh: '%LEL' },
  '%{vol}': { symbol: '%VOL', zh: '%VOL' },
  '[ppm]': { symbol: 'ppm', zh: 'ppm' },
  'mg/m3': { symbol: 'mg/m³', zh: 'mg/m³' },
  'mg/L': { symbol: 'mg/L', zh: 'mg/L' },
  Cel: { symbol: '°C', zh: '℃' },
  K: { symbol: 'K', zh: 'K' },
  Pa: { symbol: 'Pa', zh: 'Pa' },
  kPa: { symbol: 'kPa', zh: 'kPa' },
  MPa: { symbol: 'MPa', zh: 'MPa' },
  hPa: { symbol: 'hPa', zh: 'hPa' },
  bar: { symbol: 'bar', zh: 'bar' },
  m: { symbol: 'm', zh: '米' },
  cm: { symbol: 'cm', zh: '厘米' },
  mm: { symbol: 'mm', zh: '毫米' },
  um: { symbol: 'µm', zh: '微米' },
  'mm/s': { symbol: 'mm/s', zh: 'mm/s' },
  'm/s': { symbol: 'm/s', zh: 'm/s' },
  'm/s2': { symbol: 'm/s²', zh: 'm/s²' },
  '[g]': { symbol: 'g', zh: 'g' },
  'mm/h': { symbol: 'mm/h', zh: 'mm/h' },
  m3: { symbol: 'm³', zh: '立方米' },
  L: { symbol: 'L', zh: '升' },
  'm3/h': { symbol: 'm³/h', zh: 'm³/h' },
  'm3/s': { symbol: 'm³/s', zh: 'm³/s' },
  'L/s': { symbol: 'L/s', zh: 'L/s' },
  'L/min': { symbol: 'L/min', zh: 'L/min' },
  'kg/h': { symbol: 'kg/h', zh: 'kg/h' },
  V: { symbol: 'V', zh: 'V' },
  mV: { symbol: 'mV', zh: 'mV' },
  A: { symbol: 'A', zh: 'A' },
  mA: { symbol: 'mA', zh: 'mA' },
  W: { symbol: 'W', zh: 'W' },
  kW: { symbol: 'kW', zh: 'kW' },
  'V.A': { symbol: 'VA', zh: 'VA' },
  'kV.A': { symbol: 'kVA', zh: 'kVA' },
  var: { symbol: 'var', zh: 'var' },
  kvar: { symbol: 'kvar', zh: 'kvar' },
  'W.h': { symbol: 'Wh', zh: 'Wh' },
  'kW.h': { symbol: 'kWh', zh: 'kWh' },
  'kvar.h': { symbol: 'kvarh', zh: 'kvarh' },
  GJ: { symbol: 'GJ', zh: 'GJ' },
  Hz: { symbol: 'Hz', zh: 'Hz' },
  '/min': { symbol: 'rpm', zh: '转/分' },
  deg: { symbol: '°', zh: '°' },
  'deg/s': { symbol: '°/s', zh: '°/s' },
  s: { symbol: 's', zh: '秒' },
  h: { symbol: 'h', zh: '小时' },
  d: { symbol: 'd', zh: '天' },
  'u[epsilon]': { symbol: 'µε', zh: '微应变' },
  kN: { symbol: 'kN', zh: 'kN' },
  t: { symbol: 't', zh: '吨' },
  '[pH]': { symbol: 'pH', zh: 'pH' },
  'uS/cm': { symbol: 'µS/cm', zh: 'µS/cm' },
  '{NTU}': { symbol: 'NTU', zh: 'NTU' },
  'W/m2': { symbol: 'W/m²', zh: 'W/m²' },
  dB: { symbol: 'dB', zh: 'dB' },
  Ohm: { symbol: 'Ω', zh: 'Ω' },
} as const satisfies Record<string, Unit>;

export type UnitCode = keyof typeof units;
export const unitCodes = Object.keys(units) as readonly UnitCode[];

export function isUnit(code: string): code is UnitCode {
  return Object.hasOwn(units, code);
}

/** What stands beside a value; an unknown code is shown as it is. */
export function unitSymbol(code: string, language: 'en' | 'zh' = 'en'): string {
  if (!isUnit(code)) return code;
  return language === 'zh' ? units[code].zh : units[code].symbol;
}
