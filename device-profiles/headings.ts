// Which column of a register table holds what, by its heading, in English and Chinese. A heading is
// compared without case, blanks and punctuation; the first pattern that fits decides, so the order
// of the table below matters.

export const roles = [
  'id',
  'nameZh',
  'nameEn',
  'table',
  'address',
  'bit',
  'order',
  'type',
  'length',
  'bytes',
  'highHigh',
  'lowLow',
  'high',
  'low',
  'min',
  'max',
  'decimals',
  'divisor',
  'scale',
  'offset',
  'unit',
  'range',
  'access',
  'remark',
  'name',
] as const;
export type Role = (typeof roles)[number];

/** The whole heading is one of these; ? and brackets as in a pattern. */
function whole(words: string): RegExp {
  return new RegExp(`^(${words})$`);
}

function either(one: RegExp, other: RegExp): RegExp {
  return new RegExp(`${one.source}|${other.source}`);
}

// Tried in this order: "function code" before "function", "data type" before "data".
const patterns: readonly (readonly [Role, RegExp])[] = [
  ['id', /^(id|key|pointid|tag|tagname|标识|点号|标签)$/],
  ['nameZh', /^(namezh|zhname|chinesename|chinese|中文|中文名称?|名称中文|中文描述)$/],
  ['nameEn', /^(nameen|enname|englishname|english|英文|英文名称?|名称英文|英文描述)$/],
  ['bit', /^(bits?|bitno|bitnumber|bitposition|位|位号|比特位?|bit位)$/],
  ['order', /^order$|(byte|word|data)order|endian|字节?序|字节顺序|字顺序|高低字/],
  [
    'table',
    whole(
      'table|regtype|registertype|registertable|area|fc|fn|fun|func|function|' +
        'functioncodes?|funccode|fcode|modbusfunction|功能码?|读功能码|寄存器类型|寄存器区|存储区|命令码?',
    ),
  ],
  ['access', /^(access|rw|readwrite|attributes?|permission|mode|读写|读写属性|属性|权限|操作)$/],
  ['highHigh', /^(highhigh|hh|alarmhh|highhighalarm|高高|高高限|高高报|高二报|上上限|二级报警)$/],
  ['lowLow', /^(lowlow|ll|alarmll|lowlowalarm|低低|低低限|低低报|下下限)$/],
  ['high', /^(high|hi|alarmhigh|highalarm|alarmh|高限|高报|高报警|高|上限报警|一级报警|报警值)$/],
  ['low', /^(low|lo|alarmlow|lowalarm|alarml|低限|低报|低报警|低|下限报警)$/],
  ['min', /^(min|minimum|minvalue|rangemin|lowerlimit|lrv|最小值?|下限|量程下限|量程低)$/],
  ['max', /^(max|maximum|maxvalue|rangemax|upperlimit|urv|最大值?|上限|量程上限|量程高)$/],
  ['decimals', /decimal(s|places|digits|point)|小数位|小数点/],
  ['divisor', /divisor|divideby|除数|缩小倍/],
  ['offset', /^(offset|add|bias|零点|偏移量?|偏置)$/],
  ['bytes', /^(bytes|bytecount|numberofbytes|字节数?|字节长度)$/],
  [
    'length',
    whole(
      'length|len|size|count|qty|quantity|regs|registers|words|no?ofreg(ister)?s?|' +
        'numberofreg(ister)?s?|numreg(ister)?s?|reg(ister)?count|reg(ister)?s?number|' +
        'wordcount|长度|字数|寄存器数量?|寄存器个数|数据长度|个数|数量',
    ),
  ],
  ['type', /datatype|dataformat|^(types?|format|数据类型|类型|数据格式|格式|变量类型|编码)$/],
  [
    'address',
    either(
      whole(
        'addr|address|adr|reg|register|regno|registerno|registernumber|registerid|' +
          'offsetaddress|modbus|寄存器|寄存器号|dec|hex',
      ),
      /addr(ess)?(es)?(dec|hex|decimal|hexadecimal|h|d)?$|地址|registeraddr/,
    ),
  ],
  [
    'scale',
    /scal|factor|multiplier|resolution|coefficient|gain|lsb|系数|倍率|比例|分辨率|倍数|精度/,
  ],
  ['unit', /^(units?|engunits?|engineeringunits?|uom|单位|工程单位|计量单位)$/],
  ['range', /range|量程|范围|取值|测量区间|limits/],
  [
    'name',
    either(
      whole(
        'name|names|parameters?|param|point|variable|signal|item|title|designation|meaning|' +
          'quantity|measurement|measurand|content|data|label|名称|参数|参数名称?|数据名称|变量|' +
          '信号|测点|项目|内容|数据内容|数据项|定义|含义|功能|功能描述|功能说明|数据',
      ),
      /name$|名称?$/,
    ),
  ],
  ['remark', /remark|note|comment|description|explanation|detail|备注|说明|描述|注释|解释/],
];

/** Blanks, punctuation, case and full-width forms say nothing. */
function bare(heading: string): string {
  return heading
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[\s_\-./\\:;,()[\]（）【】"'#*°]+/g, '');
}

export function roleOf(heading: string): Role | null {
  const text = bare(heading);
  if (text === '') return null;
  const fit = ownRole(text);
  if (fit) return fit;
  // A unit or a base in brackets: 量程 (MPa), Register (hex); two languages: 名称 Name.
  const parts = heading
    .normalize('NFKC')
    .split(/[()[\]/\n]|(?<=[\u4e00-\u9fff])\s+(?=[A-Za-z])|(?<=[A-Za-z])\s+(?=[\u4e00-\u9fff])/)
    .map(bare)
    .filter(Boolean);
  const found = parts.length > 1 ? parts.map((part) => ownRole(part)).find(Boolean) : undefined;
  return found ?? null;
}

function ownRole(text: string): Role | undefined {
  return patterns.find(([, pattern]) => pattern.test(text))?.[0];
}

export interface Columns {
  /** Row of the headings, counted from 1. */
  readonly headingRow: number;
  /** By role: the column it is taken from, counted from 1. */
  readonly byRole: ReadonlyMap<Role, number>;
  /** Columns with a heading nobody uses. */
  readonly unused: readonly number[];
}

/** Captions, revision lines and page heads stand above the headings. */
const HEADING_ROWS_MAX = 40;

/** The first row that names an address and one more; null when there is none. */
export function columnsOf(rows: readonly (readonly string[])[]): Columns | null {
  for (const [at, row] of rows.slice(0, HEADING_ROWS_MAX).entries()) {
    const columns = columnsIn(row, at + 1);
    if (columns.byRole.has('address') && columns.byRole.size >= 2) return columns;
  }
  return null;
}

function columnsIn(row: readonly string[], headingRow: number): Columns {
  const byRole = new Map<Role, number>();
  const unused: number[] = [];
  row.forEach((heading, at) => {
    const role = roleOf(heading);
    if (role && (!byRole.has(role) || isBetter(role, heading))) {
      const before = byRole.get(role);
      if (before !== undefined) unused.push(before);
      byRole.set(role, at + 1);
    } else if (heading !== '') unused.push(at + 1);
  });
  const offset = byRole.get('offset');
  if (!byRole.has('address') && offset !== undefined) {
    // Some manuals call the register its offset.
    byRole.set('address', offset);
    byRole.delete('offset');
  }
  const remark = byRole.get('remark');
  const hasName = (['name', 'nameEn', 'nameZh', 'id'] as const).some((role) => byRole.has(role));
  if (!hasName && remark !== undefined) {
    // A table with a "Description" and no "Name" names its points there.
    byRole.set('name', remark);
    byRole.delete('remark');
  }
  return { headingRow, byRole, unused: unused.sort((a, b) => a - b) };
}

/** Of two columns for one role: addresses also given in decimal are less easily misread. */
function isBetter(role: Role, heading: string): boolean {
  return role === 'address' && /dec|十进制|10进制/i.test(heading.normalize('NFKC'));
}

/** Whether a heading says that the addresses below it are hexadecimal without saying so each. */
export function isHexHeading(heading: string): boolean {
  return /hex|十六进制|16进制/i.test(heading.normalize('NFKC'));
}
