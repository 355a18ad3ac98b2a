import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderFinding } from '../core/problems.ts';
import type { DraftOptions } from './draft.ts';
import { draftProfile, profileIdOf } from './draft.ts';
import { libraryFolder } from './loader.ts';
import type { Base } from './manual-address.ts';
import { bases, manualAddress, modiconAddress, wireAddress } from './manual-address.ts';
import { checkProfile, modbusPoints } from './profile.ts';
import { cellsOf, renderTableFinding } from './table-findings.ts';
import { runProfileTests } from './vectors.ts';

const plain: DraftOptions = {
  name: 'ACME/WL10',
  ...{ base: null, table: null, kind: null, title: null, source: null, language: 'en' },
};

function draftOf(table: string | Uint8Array, options: Partial<DraftOptions> = {}) {
  const bytes = typeof table === 'string' ? new TextEncoder().encode(table) : table;
  return draftProfile(bytes, 'map.csv', { ...plain, ...options });
}

/** `code cells`, of errors or of everything. */
function told(draft: ReturnType<typeof draftOf>, severity?: 'error' | 'warning') {
  return draft.findings
    .filter((finding) => !severity || finding.severity === severity)
    .map((finding) => `${finding.code} ${cellsOf(finding)}`.trim());
}

/** The profile in a draft, which must be right and pass its tests. */
function profileOf(draft: ReturnType<typeof draftOf>) {
  expect(told(draft, 'error')).toEqual([]);
  const { profile, problems } = checkProfile(draft.yaml!, 'draft.yaml');
  const errors = problems.findings.filter(({ severity }) => severity === 'error');
  expect(errors.map((finding) => renderFinding(finding, 'en'))).toEqual([]);
  expect(runProfileTests(profile!).flatMap(({ failures }) => failures)).toEqual([]);
  return profile!;
}

function lines(draft: ReturnType<typeof draftOf>) {
  return modbusPoints(profileOf(draft)).map(
    ({ id, address: { table, address, type, order }, definition }) => {
      const { unit, scale, offset, range } = definition;
      const line = offset ? `x${scale}+${offset}` : `x${scale}`;
      return `${id}: ${table} ${address} ${type} ${order} ${line} ${unit} ${range ?? ''}`.trim();
    },
  );
}

const western = `ACME WL10 register map,,,,,,
Register,Parameter,Data Type,Unit,Scale,Range,Remark
40001,Level,INT16,m,0.001,0-30,
40002,Status,UINT16,,,,0: normal 1: fault
40003-40004,Total flow,FLOAT,m³,,,CDAB
40005,Temperature,INT16,0.1℃,,-40~85,
Page 3 of 7,,,,,,
40006,Reserved,,,,,
40007.0,High alarm,BOOL,,,,
40007.1,Low alarm,BOOL,,,,
`;

test('a table as a PDF gives it becomes a profile that passes its check and its tests', () => {
  const draft = draftOf(western, { base: 40001 });
  expect(lines(draft)).toEqual([
    'level: holding 0 int16 ABCD x0.001 m 0,30',
    'status: holding 1 uint16 ABCD x1 1',
    'total-flow: holding 2 float32 CDAB x1 m3',
    'temperature: holding 4 int16 ABCD x0.1 Cel -40,85',
    'high-alarm: holding 6 bool ABCD x1 1',
    'low-alarm: holding 6 bool ABCD x1 1',
  ]);
  expect(profileOf(draft)).toMatchObject({ id: 'acme/wl10', vendor: 'ACME', models: ['WL10'] });
  expect(draft.yaml).toContain('# In the manual: 40003-40004');
  expect(draft.yaml).toContain('0: { en: normal, zh: 正常 }');
  expect(told(draft)).toEqual([
    'table-row-caption A7',
    'table-row-reserved A8',
    'table-states-read G4',
    'table-order-remark G5',
    'table-kind-guessed D2',
    'table-source-missing',
  ]);
});

const chinese = `序号;名称;寄存器地址;功能码;数据类型;单位;倍率;量程;备注
1;瞬时流量;0x0000;03;浮点;m³/h;;0～500;低字在前
2;正向累计流量;0x0002;03;无符号双字;立方米;0.01;;
3;供水温度;0x0004;03;有符号整型;℃;;-40～125;扩大10倍
4;压力;0x0005;03;UINT16;MPa;0.001;0-1.6;
5;设备状态;0x0006;03;字;;;0:停止 1:运行 2:故障;
6;设定频率;0x0010;06;字;Hz;0.01;;只写
`;

const encodings: readonly (readonly [string, Uint8Array])[] = [
  ['utf-8', new TextEncoder().encode(chinese)],
  ['utf-8', new TextEncoder().encode(`\ufeff${chinese}`)],
  ['utf-16le', new Uint8Array(Buffer.from(chinese, 'utf16le'))],
  ['utf-16le', new Uint8Array(Buffer.from(`\ufeff${chinese}`, 'utf16le'))],
  ['utf-16be', new Uint8Array(Buffer.from(`\ufeff${chinese}`, 'utf16le').swap16())],
];

const chineseLines = [
  'instantaneous-flow: holding 0 float32 CDAB x1 m3/h 0,500',
  'forward-total-flow: holding 2 uint32 ABCD x0.01 m3',
  'supply-temperature: holding 4 int16 ABCD x0.1 Cel -40,125',
  'pressure: holding 5 uint16 ABCD x0.001 MPa 0,1.6',
  'device-status: holding 6 uint16 ABCD x1 1',
];

test('a Chinese table reads the same in every encoding a spreadsheet saves', () => {
  for (const [encoding, bytes] of encodings) {
    const draft = draftOf(bytes);
    expect(draft.encoding).toBe(encoding);
    expect(lines(draft)).toEqual(chineseLines);
    expect(told(draft)).toContain('table-base-known C2');
    expect(told(draft)).toContain('table-scale-remark I4');
    expect(told(draft)).toContain('table-row-write-only C7');
  }
});

// Bytes of GB18030, since the runtime only decodes it: 名称,地址,单位 / 温度,40001,℃.
const gb18030 = Uint8Array.from([
  ...[0xc3, 0xfb, 0xb3, 0xc6, 0x2c, 0xb5, 0xd8, 0xd6, 0xb7, 0x2c, 0xb5, 0xa5, 0xce, 0xbb, 0x0a],
  ...[0xce, 0xc2, 0xb6, 0xc8, 0x2c, 0x34, 0x30, 0x30, 0x30, 0x31, 0x2c, 0xa1, 0xe6, 0x0a],
]);

test('GB18030 and Windows-1252 are told apart, and what is neither is refused', () => {
  const draft = draftOf(gb18030, { base: 40001 });
  expect(draft.encoding).toBe('gb18030');
  expect(lines(draft)).toEqual(['temperature: holding 0 uint16 ABCD x1 Cel']);
  const latin = Uint8Array.from(
    [...'name,address,unit\nT1,0,\xb0C\n'].map((sign) => sign.charCodeAt(0)),
  );
  const western1252 = draftOf(latin);
  expect(western1252.encoding).toBe('windows-1252');
  expect(lines(western1252)).toEqual(['t1: holding 0 uint16 ABCD x1 Cel']);
  const noise = Uint8Array.from([0x41, 0xff, 0xff, 0xff, 0x80, 0x2c, 0xff, 0xfd]);
  expect(told(draftOf(noise))).toEqual(['table-encoding A1']);
});

test('how addresses count must be said where the table does not settle it, and the message shows how', () => {
  const draft = draftOf(western);
  expect(draft.yaml).toBeNull();
  const [error] = draft.findings;
  expect(renderTableFinding(error!, 'map.csv', 'en')).toBe(
    `map.csv!A3 (Register): error[table-base-needed]: nothing tells what 40001 is on the wire; say how the manual counts with --base
     = 40001 is, with --base 0: 40001; --base 1: 40000; --base 40001: holding 0; 0 counts as the wire does, 1 from one, 40001 has the table in its first digit`,
  );
  expect(renderTableFinding(error!, 'map.csv', 'zh')).toContain('请用 --base 说明');
  const marked = 'address;name\n4x0001;A\n3x0002;B\n';
  expect(lines(draftOf(marked))).toEqual([
    'a: holding 0 uint16 ABCD x1 1',
    'b: input 1 uint16 ABCD x1 1',
  ]);
  expect(told(draftOf('address,name\n5,A\n', { base: 40001 }), 'error')).toEqual([
    'table-address-base A2',
  ]);
  expect(told(draftOf('address,name\n0,A\n7,B\n', { base: 1 }), 'error')).toEqual([
    'table-address-base A2',
  ]);
});

test('every wrong cell is named by row and column, all at once, and nothing is drafted', () => {
  const draft = draftOf(
    `name,address,type,scale,unit,min,max,high,length
Level,abc,INT16,1,m,0,10,,
Flow,1,FLOT,1,m3/h,,,,
Power,2,INT16,fast,kW,,,,
Head,3,INT16,1,m,zero,10,,
Hours,4,INT16,1,h,10,0,,
Again,1,INT16,1,,,,,
Text,9,STRING,,,,,,
Wide,10,INT16,,,,,,7
Limit,11,INT16,1,m,0,10,11,
Count,12,UINT32,1,,,,,
Next,13,UINT16,1,,,,,
`,
    { base: 0 },
  );
  expect(draft.yaml).toBeNull();
  expect(told(draft, 'error')).toEqual([
    'table-address-bad B2',
    'table-type-unknown C3',
    'table-scale-bad D4',
    'table-number-bad F5',
    'table-string-length C8',
    'table-type-width I9',
  ]);
  // What the profile's own check finds comes when the rows can be read, at their cells as well.
  const second = draftOf(
    `name,address,type,scale,unit,min,max,high
Hours,4,INT16,1,h,10,0,
Limit,11,INT16,1,m,0,10,11
Count,12,UINT32,1,,,,
Next,13,UINT16,1,,,,
`,
    { base: 0 },
  );
  expect(told(second, 'error')).toEqual([
    'range-order G2',
    'alarm-out-of-range H3', // The limit, and where it would clear by habit.
    'alarm-out-of-range H3',
    'points-overlap B5',
  ]);
});

test('an address that stands twice is an error that names the first row', () => {
  const draft = draftOf('name,address\nA,0\nB,1\nC,1\n');
  expect(told(draft, 'error')).toEqual(['table-address-twice B4']);
  expect(draft.findings[0]?.message.en).toBe('1 is in row 3 already');
});

test('a table without headings, without points, or with an open quote is refused with an example', () => {
  expect(told(draftOf('40001,Level,INT16\n'))).toEqual(['table-no-headings A1']);
  expect(told(draftOf('address,name\n'), 'error')).toEqual(['table-no-points A1']);
  expect(told(draftOf('address,name\n0,"Level\n'))).toEqual(['table-quote B2']);
  expect(told(draftOf('  \n'))).toEqual(['table-empty A1']);
});

test('units, scales, ranges and types of many spellings mean one thing', () => {
  const draft = draftOf(
    `Address (hex)\tDescription\tFormat\tUnits\tResolution\tMeasuring range
0000\tPressure (MPa)\tU16\t\t0.001\t0 to 1.6
0001\tHumidity\tunsigned short\t%RH\tx0.1\t0...100
000A\tEnergy\tUDINT\tMWh\t/1000\t
000C\tConductivity\tfloat32 (CDAB)\tmS/cm\t\t0 – 20
000E\tLeak gas\tREAL\t%LEL\t\t0-100
0010\tPower\tlong\tkW\t\t
0012\tRaw range\tUINT16\t℃\t0.1\t0-10000
`,
  );
  expect(lines(draft)).toEqual([
    'pressure: holding 0 uint16 ABCD x0.001 MPa 0,1.6',
    'humidity: holding 1 uint16 ABCD x0.1 % 0,100',
    'energy: holding 10 uint32 ABCD x1 kW.h',
    'conductivity: holding 12 float32 CDAB x1000 uS/cm 0,20000',
    'leak-gas: holding 14 float32 ABCD x1 %{LEL}',
    'power: holding 16 int32 ABCD x1 kW',
    'raw-range: holding 18 uint16 ABCD x0.1 Cel 0,1000',
  ]);
  // A head above its scale must still raise an alarm: its range is left to a person.
  expect(told(draft)).toContain('table-range-gas F6');
  expect(told(draft)).toContain('table-unit-turned D4');
  expect(told(draft)).toContain('table-range-raw F8');
  expect(draft.yaml).toContain('class: life-safety');
});

test('a quoted cell with a line break is one cell, and rows count as a spreadsheet counts', () => {
  const draft = draftOf('"Register\naddress",Name,"Data\ntype"\n0,"Flow\nrate",INT16\n1,X,FISH\n');
  expect(told(draft, 'error')).toEqual(['table-type-unknown C3']);
});

test('the columns that a points table of a gateway uses are all read', () => {
  const draft = draftOf(
    `id,name_zh,name_en,table,address,type,order,scale,offset,unit,min,max,high,high_high
ch4,甲烷,Methane,input,0,float,CDAB,1,0,%LEL,0,100,25,50
t1,温度,Temperature,input,2,int16,,0.1,-40,Cel,-40,85,,
`,
  );
  expect(lines(draft)).toEqual([
    'ch4: input 0 float32 CDAB x1 %{LEL}',
    't1: input 2 int16 ABCD x0.1+-40 Cel -40,85',
  ]);
  const { rules } = profileOf(draft).points[0]!.definition;
  expect(rules.map((rule) => rule.kind === 'limit' && [rule.id, rule.limit])).toEqual([
    ['high-high', 50],
    ['high', 25],
  ]);
});

test('what a manual still must say is a warning of the check, so no library takes it', () => {
  const { problems } = checkProfile(draftOf(western, { base: 40001 }).yaml!, 'draft.yaml');
  const left = problems.findings.filter(({ code }) => code === 'placeholder-left');
  expect(left.map(({ path }) => path.join('.'))).toEqual([
    'profile.source.document',
    'tests.0.name',
  ]);
  const named = draftOf(western, { base: 40001, source: 'Manual WL10 issue C, page 4' });
  expect(named.yaml).toContain('document: "Manual WL10 issue C, page 4"');
  for (const text of ['', '|', ' ', '"quoted": #', '雷达|', 'x'.repeat(500)]) {
    const options = {
      base: 40001,
      title: text,
      source: text,
      name: `ACME/${'W'.repeat(32)}`,
    } as const;
    expect(profileOf(draftOf(western, options)).points.length).toBe(6);
  }
});

test('a name as people write it gives an id, or none', () => {
  expect(profileIdOf('ACME/WL 10-Ex')).toBe('acme/wl-10-ex');
  expect(profileIdOf('ACME')).toBeUndefined();
  expect(profileIdOf('甲/乙')).toBeUndefined();
  expect(profileIdOf('../../etc/passwd')).toBeUndefined();
});

test('an address in Modicon notation leads back to the wire', () => {
  const tables = fc.constantFrom(
    'holding' as const,
    'input' as const,
    'coil' as const,
    'discrete' as const,
  );
  fc.assert(
    fc.property(tables, fc.integer({ min: 0, max: 0xffff }), (table, address) => {
      const manual = manualAddress(modiconAddress(table, address), false);
      expect(wireAddress(manual!, 40001)).toEqual({ table, address });
    }),
  );
});

test('what only a remark says of unit and scale is taken, and told', () => {
  const draft = draftOf(
    `表 4 通讯地址表（只读部分）,,,,,
地址,名称,长度,读写,数据类型,备注
0014H,A相电压,1,R,UINT16,"保留1位小数，单位0.1V"
0017H-0019H,保留,3,,,
001EH,A相有功功率,2,R,INT32,单位W
地址,名称,长度,读写,数据类型,备注
003EH,正向有功电能,2,R,INT32,"单位0.01kWh，
一次侧"
1000H,清电能,1,W,UINT16,写1清零
0060H,开关状态,1,R,位,
第 12 页 共 40 页,,,,,
`,
    { base: 0 },
  );
  expect(lines(draft)).toEqual([
    'phase-a-voltage: holding 20 uint16 ABCD x0.1 V',
    'phase-a-active-power: holding 30 int32 ABCD x1 W',
    'forward-active-energy: holding 62 int32 ABCD x0.01 kW.h',
    'switch-status: holding 96 bool ABCD x1 1',
  ]);
  const seen = told(draft);
  for (const cell of ['table-unit-remark F3', 'table-row-reserved A4', 'table-row-heading A6']) {
    expect(seen).toContain(cell);
  }
  expect(seen).toContain('table-bool-no-bit E9');
  expect(seen).toContain('table-row-write-only A8');
});

test('a manual that calls its registers offsets, and repeats its headings, is understood', () => {
  const draft = draftOf(
    `Measured variables with function codes 0x03 and 0x04,,,,,
Offset,Number of registers,Name,Format,Unit,Value range,Access
1,2,Voltage L1-N,Float,V,-,R
37,2,Power factor L1,Float,-,0 … 1,R
Offset,Number of registers,Name,Format,Unit,Value range,Access
,,Equipment Manual,,,,87
801,4,Active energy import tariff 1,Double,Wh,Overflow 1.0e+12,R
`,
    { base: 0, table: 'holding' },
  );
  expect(lines(draft)).toEqual([
    'voltage-l1-n: holding 1 float32 ABCD x1 V',
    'power-factor-l1: holding 37 float32 ABCD x1 1 0,1',
    'active-energy-import-tariff-1: holding 801 float64 ABCD x1 W.h',
  ]);
  expect(draft.yaml).toContain('title: { en: Voltage L1-N, zh: 电压 L1-N }');
  expect(told(draft)).not.toContain('table-title-zh C3');
});

test('a title that is not known in both languages is a placeholder that the check names', () => {
  const draft = draftOf('name,address\nFrobnication,0\n');
  expect(draft.yaml).toContain('title: { en: Frobnication, zh: "PLACEHOLDER: Frobnication" }');
  const { problems } = checkProfile(draft.yaml!, 'draft.yaml');
  expect(problems.findings.map(({ path }) => path.join('.'))).toContain(
    'points.frobnication.title.zh',
  );
});

test('the tables of the guide are drafted without an error, by the commands beside them', () => {
  const guide = readFileSync(join(libraryFolder(), '..', 'docs', 'profiles.md'), 'utf8');
  const tables = [...guide.matchAll(/```csv\n([\s\S]*?)```/g)].map(([, table]) => table ?? '');
  const bases = [...guide.matchAll(/profile new .* --base (\d+)/g)].map(([, base]) => base ?? '');
  expect(bases).toEqual(['40001', '40001']);
  expect(tables.map((table) => lines(draftOf(table, { base: 40001 })).length)).toEqual([5, 5]);
});

const headings = fc.shuffledSubarray(
  'name,address,data type,unit,scale,offset,range,min,max,remark,length,function code,order,bit,high,low_low,decimals,access,名称,id'.split(
    ',',
  ),
  { minLength: 2 },
);
const cells = fc.oneof(
  fc.constantFrom(
    ...',,40001,40002,0,1,2,3,0x0010,0010H,40001-40002,40003.2,INT16,UINT32,float,BOOL,STRING,双字,浮点,INT,℃,%LEL,m³/h,kWh,fish,0.1,10,/10,-5,1e3,0-100,-40~85,0:a 1:b,温度,Level,CDAB,3,04,W,R,-,"'.split(
      ',',
    ),
  ),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.integer({ min: -10, max: 70_000 }).map(String),
);

test('whatever the table, the draft passes its check and its tests, or findings name row and column', () => {
  const table = headings.chain((names) =>
    fc
      .array(fc.array(cells, { maxLength: names.length + 1 }), { maxLength: 12 })
      .map((rows) => [names, ...rows]),
  );
  const options = fc.record({
    base: fc.constantFrom<Base | null>(null, ...bases),
    separator: fc.constantFrom(',', ';', '\t'),
    isQuoted: fc.boolean(),
  });
  fc.assert(
    fc.property(table, options, (rows, { base, separator, isQuoted }) => {
      const shown = (cell: string) => (isQuoted ? `"${cell.replaceAll('"', '""')}"` : cell);
      const text = rows.map((row) => row.map(shown).join(separator)).join('\n');
      const draft = draftOf(text, { base });
      if (draft.yaml !== null) {
        profileOf(draft);
        return;
      }
      const errors = draft.findings.filter(({ severity }) => severity === 'error');
      expect(errors.length).toBeGreaterThan(0);
      for (const { rows: where, column } of errors) {
        expect(where.every((row) => row >= 1)).toBe(true);
        expect(where.length).toBe(1);
        expect(column).toBeGreaterThanOrEqual(1);
      }
    }),
    { numRuns: 2_000 },
  );
});

const sane = fc.record({
  name: fc.constantFrom(
    'Level',
    '温度',
    'Flow (m3/h)',
    '瞬时流量',
    'X-1',
    'Größe',
    '"Total" flow',
    '- a: b #',
  ),
  type: fc.constantFrom(
    'INT16',
    'UINT16',
    'UDINT',
    '浮点',
    'DOUBLE',
    'BCD16',
    'BOOL',
    'S16',
    'float32 CDAB',
    '字',
    'INT64',
  ),
  unit: fc.constantFrom('', '℃', 'MPa', '%LEL', 'MWh', 'ug/m3', '0.1V', 'fish', 'rpm', 'm³'),
  scale: fc.constantFrom('', '0.1', '/100', 'x0.001', '10', '1e-2', '0.01'),
  offset: fc.constantFrom('', '-40', '0.5', '100'),
  range: fc.constantFrom(
    '',
    '0-100',
    '-40～125',
    '0:off 1:on',
    '0 … 1.6 MPa',
    '±10',
    '0-65535',
    'see text',
  ),
  remark: fc.oneof(
    fc.constantFrom('', '扩大10倍', '单位0.1V', '低字在前'),
    fc.string({ maxLength: 8 }),
  ),
  gap: fc.integer({ min: 0, max: 30 }),
});

test('most sane tables are drafted, and every draft passes its check and its tests', () => {
  let drafted = 0;
  fc.assert(
    fc.property(
      fc.array(sane, { minLength: 1, maxLength: 12 }),
      fc.constantFrom<Base>(0, 40001),
      (rows, base) => {
        let address = 0;
        const body = rows.map(({ gap, name, type, unit, scale, offset, range, remark }) => {
          address += gap;
          const shown = base === 0 ? `${address}` : `${40001 + address}`;
          address += 4;
          const row = [name, shown, type, unit, scale, offset, range, remark];
          return row.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',');
        });
        const head = 'name,address,type,unit,scale,offset,range,remark';
        const draft = draftOf([head, ...body].join('\n'), { base });
        if (draft.yaml === null) {
          expect(told(draft, 'error').length).toBeGreaterThan(0);
          return;
        }
        drafted++;
        expect(profileOf(draft).points.length).toBe(draft.points.length);
      },
    ),
    { numRuns: 400 },
  );
  expect(drafted).toBeGreaterThan(100);
});

test('whatever the bytes, there is an answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const draft = draftOf(bytes);
      expect(draft.yaml !== null || draft.findings.length > 0).toBe(true);
    }),
    { numRuns: 500 },
  );
});
