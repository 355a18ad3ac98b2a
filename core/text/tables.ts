// Texts of register tables that become profiles, of drafts, and of the generated device pages.
import type { Bilingual, FaultText } from './text.ts';

export const tableMessages = {
  // The table as a whole.
  'table-too-large': {
    en: 'the table has more than {bytesMax} bytes',
    zh: '表格超过 {bytesMax} 字节',
  },
  'table-too-many-rows': { en: 'the table has more than {max} rows', zh: '表格超过 {max} 行' },
  'table-encoding': {
    en: 'the file is neither UTF-8, UTF-16 nor GB18030 text; save it as CSV in UTF-8',
    zh: '文件不是 UTF-8、UTF-16 或 GB18030 文本；请另存为 UTF-8 编码的 CSV',
  },
  'table-empty': { en: 'there is nothing in the file', zh: '文件为空' },
  'table-quote': {
    en: 'a quoted cell begins here and never ends',
    zh: '此处开始的引号单元格没有结束',
  },
  'table-no-headings': {
    en: 'no row has headings: none names a column of addresses and one more',
    zh: '找不到表头：没有一行同时给出地址列和另一列',
  },
  'help-table-headings': {
    en: 'give the table a first line such as: name,address,type,unit,scale,range',
    zh: '请在第一行写上表头，例如：名称,地址,数据类型,单位,系数,量程',
  },
  'table-no-points': {
    en: 'no row below the headings has an address',
    zh: '表头以下没有任何一行带有地址',
  },
  'table-too-many': {
    en: 'this is one point too many: a profile has at most {max}',
    zh: '从此行起测点过多：一个型号最多 {max} 个测点',
  },

  // Addresses.
  'table-base-needed': {
    en: 'nothing tells what {found} is on the wire; say how the manual counts with --base',
    zh: '无法得知 {found} 在报文中的地址；请用 --base 说明手册的编址方式',
  },
  'help-table-base': {
    en: '{found} is, with {list}; 0 counts as the wire does, 1 from one, 40001 has the table in its first digit',
    zh: '{found} 对应：{list}；0 即报文地址，1 从一开始计，40001 首位数字表示寄存器区',
  },
  'table-base-known': {
    en: 'addresses count from 0: one of them is {found}',
    zh: '地址从 0 开始计：其中有 {found}',
  },
  'table-address-bad': { en: '{found} is no register address', zh: '{found} 不是寄存器地址' },
  'help-table-address': {
    en: 'an address is 40003, 0x0002, 0002H, 4x0003, 40001-40002 or 40003.2 (bit 2)',
    zh: '地址可写为 40003、0x0002、0002H、4x0003、40001-40002 或 40003.2（第 2 位）',
  },
  'table-address-base': {
    en: '{found} does not fit --base {base}',
    zh: '{found} 与 --base {base} 不符',
  },
  'table-address-twice': {
    en: '{found} is in row {first} already',
    zh: '{found} 在第 {first} 行已出现',
  },
  'table-hex-guessed': {
    en: 'addresses taken as hexadecimal, because of {found}',
    zh: '因出现 {found}，地址按十六进制处理',
  },
  'table-bit-bad': { en: '{found} is no bit 0 to 31', zh: '{found} 不是 0 到 31 的位号' },
  'table-table-guessed': {
    en: 'nothing tells which table; taken as holding registers, function 3 (--table input for function 4)',
    zh: '未说明寄存器区；按保持寄存器（功能码 03）处理，若为功能码 04 请用 --table input',
  },
  'table-table-unknown': {
    en: '{found} is no table and no function code; left out',
    zh: '{found} 不是寄存器区或功能码，未采用',
  },
  'table-table-differs': {
    en: '{found} contradicts {address}, which is in {table}; the address counts',
    zh: '{found} 与 {address}（属于 {table}）矛盾；以地址为准',
  },

  // Rows that are no points.
  'table-row-heading': { en: 'headings again; left out', zh: '重复的表头，未采用' },
  'table-row-caption': {
    en: 'no address: taken as a caption and left out; where it belongs to the row above, join the two',
    zh: '没有地址：视为标题，未采用；若属于上一行，请合并两行',
  },
  'table-row-reserved': { en: 'reserved; left out', zh: '保留寄存器，未采用' },
  'table-row-write-only': { en: 'cannot be read; left out', zh: '不可读取，未采用' },

  // Types.
  'table-type-unknown': { en: '{found} is no data type', zh: '{found} 不是数据类型' },
  'table-type-needed': {
    en: 'no type is given, and {count} registers can be many things',
    zh: '未给出数据类型，而 {count} 个寄存器可能是多种类型',
  },
  'help-table-type': {
    en: 'write INT16, UINT16, INT32, UINT32, FLOAT, DOUBLE, BOOL, BCD16, STRING …',
    zh: '可写 INT16、UINT16、INT32、UINT32、FLOAT（浮点）、双字、BOOL（开关量）、BCD16、字符串…',
  },
  'table-type-doubt': {
    en: '{found} is 16 bits in some manuals and 32 in others; taken as {type}',
    zh: '{found} 在有的手册中为 16 位，在有的手册中为 32 位；按 {type} 处理',
  },
  'table-type-guessed': { en: 'no type given; taken as {type}', zh: '未给出类型；按 {type} 处理' },
  'table-type-width': {
    en: '{count} registers do not hold a value of type {type}',
    zh: '{count} 个寄存器与类型 {type} 不符',
  },
  'table-bool-no-bit': {
    en: 'which bit of the register is not said; true when any bit is set (write 40003.2 for bit 2)',
    zh: '未说明是寄存器的哪一位；按任一位为 1 即为真处理（第 2 位请写 40003.2）',
  },
  'table-string-length': {
    en: 'a text needs the number of its registers, in a column "length" or as 40001-40008',
    zh: '字符串需要给出寄存器数量：写在“长度”列，或写成 40001-40008',
  },
  'table-order-unknown': {
    en: '{found} is no word order; write ABCD, CDAB, BADC or DCBA',
    zh: '{found} 不是字节序；请写 ABCD、CDAB、BADC 或 DCBA',
  },
  'table-order-remark': {
    en: 'word order {order} taken from the remark “{found}”',
    zh: '字节序 {order} 取自备注“{found}”',
  },
  'table-order-guessed': {
    en: 'no word order given; taken as ABCD: compare with the example of the manual',
    zh: '未给出字节序；按 ABCD 处理：请用手册中的示例核对',
  },

  // Scale, unit, range, states, limits.
  'table-number-bad': { en: '{found} is no number that fits here', zh: '{found} 不是合适的数字' },
  'table-scale-bad': {
    en: '{found} is no scale; write 0.1, x0.1 or /10',
    zh: '{found} 不是系数；请写 0.1、x0.1 或 /10',
  },
  'table-scale-doubt': {
    en: 'taken as times {found}; where the manual means divided by {found}, write /{found}',
    zh: '按乘以 {found} 处理；若手册意为除以 {found}，请写 /{found}',
  },
  'table-scale-remark': {
    en: 'scale {scale} taken from the remark “{found}”',
    zh: '系数 {scale} 取自备注“{found}”',
  },
  'table-unit-remark': {
    en: 'unit {unit} and scale {scale} taken from the remark “{found}”',
    zh: '单位 {unit}、系数 {scale} 取自备注“{found}”',
  },
  'table-unit-unknown': {
    en: '{found} is no unit that is known; left out',
    zh: '{found} 不是已知单位，未采用',
  },
  'table-unit-turned': {
    en: '{found} turned into {unit}, times {factor}',
    zh: '{found} 换算为 {unit}，乘以 {factor}',
  },
  'table-range-unread': { en: '{found} is no range; left out', zh: '{found} 不是量程，未采用' },
  'table-range-half': {
    en: 'a range needs both ends; left out',
    zh: '量程需要上下限都给出，未采用',
  },
  'table-range-gas': {
    en: '{min} to {max} left out: a head above its scale must still raise an alarm; write a wider range',
    zh: '{min} 到 {max} 未采用：超出刻度的探测器仍须报警；请填写更宽的范围',
  },
  'table-range-raw': {
    en: '{min} to {max} is more than the register can show; taken as raw values and scaled',
    zh: '{min} 到 {max} 超出寄存器所能表示的范围；按原始值处理并换算',
  },
  'table-never-in-range': {
    en: 'no value of the registers falls into the range of this point',
    zh: '寄存器的任何取值都不在该测点量程内',
  },
  'table-states-read': {
    en: 'states taken from this text; translate them in the file',
    zh: '状态取自此文本；请在文件中补充译文',
  },
  'table-level-guessed': {
    en: 'alarm level {level} guessed; the table has limits only',
    zh: '报警级别按 {level} 级处理；表中只有限值',
  },

  // Names and the head.
  'table-title-en': {
    en: 'no English name known; it is marked PLACEHOLDER in the file',
    zh: '没有英文名称；文件中以 PLACEHOLDER 标出',
  },
  'table-title-zh': {
    en: 'no Chinese name known; it is marked PLACEHOLDER in the file',
    zh: '没有中文名称；文件中以 PLACEHOLDER 标出',
  },
  'table-kind-guessed': {
    en: 'kind of device {kind} guessed from the units; else say --kind',
    zh: '设备类别按单位推断为 {kind}；不对时请用 --kind 说明',
  },
  'table-source-missing': {
    en: 'name the manual, its issue and page: --source "Manual WL10 issue C, page 4"',
    zh: '请写明手册名称、版本和页码：--source "WL10 手册 C 版第 4 页"',
  },
  'placeholder-left': {
    en: 'this still waits for what the manual says',
    zh: '此处仍待按手册填写',
  },

  // Comments in a draft.
  'draft-head': {
    en: 'Drafted from {file}. {mark} marks what the manual must still say.',
    zh: '由 {file} 生成的草稿。{mark} 处须按手册补充。',
  },
  'draft-source': {
    en: 'title, issue and page of the manual',
    zh: '手册名称、版本和页码',
  },
  'draft-status': {
    en: 'official: the document is the manufacturer’s own',
    zh: '若文件出自厂家，请改为 official',
  },
  'draft-device': {
    en: 'limits: { maxRegisters: 32 } where the manual allows less than 125 registers a request',
    zh: '若手册规定一次最多读取的寄存器少于 125 个，请写 limits: { maxRegisters: 32 }',
  },
  'draft-manual': { en: 'In the manual: {address}', zh: '手册地址：{address}' },
  'draft-level': { en: 'Level guessed.', zh: '级别为推断。' },
  'draft-test': {
    en: 'computed; put the example of the manual here',
    zh: '数值为计算所得；请换成手册中的示例',
  },

  // What `lifeline profile new` prints.
  'new-columns': { en: 'Columns ({encoding}):', zh: '列（{encoding}）：' },
  'new-column': { en: '  {column}  {heading} -> {role}', zh: '  {column}  {heading} -> {role}' },
  'new-column-unused': { en: 'not used', zh: '未采用' },
  'new-points': { en: 'Points ({count}):', zh: '测点（{count}）：' },
  'new-look': { en: 'Look at:', zh: '请核对：' },
  'new-errors': {
    en: '{errors} error(s); nothing was written. Mend the table and run the command again',
    zh: '{errors} 处错误；未写入任何文件。请修改表格后重新运行命令',
  },
  'new-written': { en: 'Written: {file}', zh: '已写入：{file}' },
  'new-next': {
    en: 'Next: open it beside the manual, then: lifeline profile check {file} && lifeline profile test {file}',
    zh: '下一步：对照手册打开此文件，然后运行：lifeline profile check {file} && lifeline profile test {file}',
  },
  'new-bad-name': {
    en: '{found} is no name of a profile; write VENDOR/MODEL, such as acme/wl10',
    zh: '{found} 不是型号名称；请写 厂家/型号，例如 acme/wl10',
  },
  'pages-written': { en: '{count} pages; index {index}', zh: '共 {count} 页；索引 {index}' },

  // The generated pages of device models.
  'page-index': {
    en: '{count} models. Each page is made from the profile: points, registers, alarms with the norm they come from, and the tests the profile passes.',
    zh: '共 {count} 个型号。各页由型号文件生成：测点、寄存器、报警及其依据的标准，以及型号文件自带的测试。',
  },
  'page-language': { en: 'English', zh: '中文' },
  'page-file': { en: 'File: `{file}`', zh: '文件：`{file}`' },
  'page-points': { en: 'Points', zh: '测点' },
  'page-point-heads': {
    en: 'id|what|on the wire|in a manual|type|unit|range|class, period',
    zh: '标识|名称|报文地址|手册写法|类型|单位|量程|级别、周期',
  },
  'page-node-heads': {
    en: 'id|what|node and type|unit|range|class, period',
    zh: '标识|名称|节点与类型|单位|量程|级别、周期',
  },
  'page-device': { en: 'The device', zh: '设备' },
  'page-alarms': { en: 'Proposed alarms', zh: '建议报警' },
  'page-alarms-note': {
    en: 'Proposals: a site may override them, and the cloud decides which are in force.',
    zh: '均为建议值：现场可以修改，是否生效由云端决定。',
  },
  'page-caveats': { en: 'Good to know', zh: '注意事项' },
  'page-gateway': { en: 'In a gateway file', zh: '写入网关文件' },
  'page-tests': { en: 'Tested', zh: '已测试' },
  'page-test-heads': { en: 'test|registers|readings', zh: '测试|寄存器|读数' },
  'page-node-test-heads': { en: 'test|nodes|readings', zh: '测试|节点|读数' },
  'new-bad-option': {
    en: '{option} cannot be "{found}"; expected one of: {list}',
    zh: '{option} 不能是“{found}”；应为其中之一：{list}',
  },
  'new-bad-option-near': {
    en: '{option} cannot be "{found}"; did you mean {meant}? Expected one of: {list}',
    zh: '{option} 不能是“{found}”；您是不是想输入 {meant}？应为其中之一：{list}',
  },
  'new-no-table': {
    en: 'give --from FILE, the register table as CSV',
    zh: '请给出 --from FILE，即 CSV 格式的寄存器表',
  },
  'new-file-exists': {
    en: '{file} is there already, and is not overwritten',
    zh: '{file} 已存在，不会覆盖',
  },
} as const satisfies Record<string, Bilingual>;

export const tableFaults = {
  profile_exists: {
    en: {
      what: 'There is a file already where the new profile would be written.',
      cause: 'The model is known, or the command was run before. A file is never overwritten.',
      action: 'Look at the file; give another name, or --out FILE, or remove it yourself.',
    },
    zh: {
      what: '新型号文件的位置上已有文件。',
      cause: '该型号已存在，或命令已运行过。程序从不覆盖文件。',
      action: '查看该文件；换一个名称，或用 --out FILE 指定位置，或自行删除。',
    },
  },
} as const satisfies Record<string, FaultText>;
