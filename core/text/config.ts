import type { Bilingual, FaultText } from './text.ts';

export const configMessages = {
  // The text itself (core/document.ts).
  'document-too-large': {
    en: 'the file has {bytes} bytes, more than {bytesMax}',
    zh: '文件有 {bytes} 字节，超过上限 {bytesMax}',
  },
  'document-not-utf8': {
    en: 'the file is not UTF-8 text (byte {offset})',
    zh: '文件不是 UTF-8 文本（第 {offset} 字节）',
  },
  'document-empty': { en: 'the file is empty', zh: '文件是空的' },
  'document-too-deep': {
    en: 'the file is nested too deeply to be read',
    zh: '文件嵌套过深，无法读取',
  },
  'yaml-syntax': { en: 'not YAML: {detail}', zh: 'YAML 语法错误：{detail}' },
  'yaml-tab': {
    en: 'a tab is not allowed as indentation',
    zh: '不允许用制表符缩进',
  },
  'yaml-alias': {
    en: 'anchors and aliases are not allowed: {name}',
    zh: '不允许使用锚点和别名：{name}',
  },
  'yaml-tag': { en: 'tags are not allowed: {name}', zh: '不允许使用标签：{name}' },
  'yaml-leading-zero': {
    en: '{text} is {value} here, but another number to older YAML readers',
    zh: '{text} 在这里是 {value}，但旧版 YAML 读取器会读成别的数',
  },
  'yaml-boolean-key': {
    en: 'older YAML readers turn the key {key} into true or false',
    zh: '旧版 YAML 读取器会把键 {key} 读成真或假',
  },
  'number-too-large': {
    en: '{text} is beyond what can be read exactly (2^53)',
    zh: '{text} 超出可精确读取的范围（2^53）',
  },
  'duplicate-key': {
    en: 'the key {key} stands here a second time; first on line {line}',
    zh: '键 {key} 重复出现；首次出现在第 {line} 行',
  },
  'unknown-key': { en: 'unknown key {key}', zh: '未知的键 {key}' },
  'missing-key': { en: 'the key {key} is missing', zh: '缺少键 {key}' },
  'bad-value': { en: '{found} is not allowed here', zh: '这里不允许 {found}' },
  'bad-key': { en: '{found} is not allowed as a key here', zh: '{found} 不能用作这里的键' },
  'bad-format': { en: '{found} does not have the form {form}', zh: '{found} 不符合格式 {form}' },
  'not-text': { en: '{found} is not a text', zh: '{found} 不是文本' },
  'not-a-number': { en: '{found} is not a number', zh: '{found} 不是数字' },
  'not-a-whole-number': { en: '{found} is not a whole number', zh: '{found} 不是整数' },
  'not-true-or-false': { en: '{found} is not true or false', zh: '{found} 不是 true 或 false' },
  'not-a-list': { en: '{found} is not a list', zh: '{found} 不是列表' },
  'not-a-map': {
    en: '{found} is not a group of keys and values',
    zh: '{found} 不是键值结构',
  },
  'below-minimum': { en: '{found} is below {minimum}', zh: '{found} 小于 {minimum}' },
  'above-maximum': { en: '{found} is above {maximum}', zh: '{found} 大于 {maximum}' },
  'text-too-short': {
    en: 'the text is shorter than {minimum} characters',
    zh: '文本少于 {minimum} 个字符',
  },
  'text-too-long': {
    en: 'the text is longer than {maximum} characters',
    zh: '文本超过 {maximum} 个字符',
  },
  'too-few': { en: 'at least {minimum} are needed', zh: '至少需要 {minimum} 个' },
  'too-many': { en: 'at most {maximum} are allowed', zh: '最多允许 {maximum} 个' },
  'not-a-duration': {
    en: '{found} is not a duration such as 300ms, 5s, 10m, 2h, 30d',
    zh: '{found} 不是时长，应如 300ms、5s、10m、2h、30d',
  },
  'not-a-size': {
    en: '{found} is not a size such as 64KiB, 256MiB, 4GiB',
    zh: '{found} 不是容量，应如 64KiB、256MiB、4GiB',
  },
  'not-an-id': {
    en: '{found} is not an id: 1 to 64 of a-z, 0-9 and -',
    zh: '{found} 不是有效的标识：1 到 64 个 a-z、0-9 或 -',
  },
  'not-an-asset': {
    en: '{found} is not the place of an asset such as gas/MP-1193/well-07',
    zh: '{found} 不是有效的资产位置，应如 gas/MP-1193/well-07',
  },
  'not-a-level': {
    en: '{found} is not an alarm level: 1 red, 2 orange, 3 yellow, 4 blue',
    zh: '{found} 不是报警等级：1 红、2 橙、3 黄、4 蓝',
  },

  // Help below a finding.
  'help-did-you-mean': { en: 'did you mean {word}?', zh: '您是不是想写 {word}？' },
  'help-one-of': { en: 'expected one of: {list}', zh: '应为其中之一：{list}' },
  'help-did-you-mean-one-of': {
    en: 'did you mean {word}? expected one of: {list}',
    zh: '您是不是想写 {word}？应为其中之一：{list}',
  },
  'help-quote-it': { en: 'put it in quotes: {text}', zh: '请加引号：{text}' },
  'help-write': { en: 'write {text}', zh: '请写成 {text}' },
  'help-use-spaces': { en: 'replace the tab with spaces', zh: '请用空格代替制表符' },
  'help-save-as-utf8': {
    en: 'save the file as UTF-8; spreadsheets and older editors often use GB18030 or UTF-16',
    zh: '请将文件另存为 UTF-8；表格软件和旧编辑器常用 GB18030 或 UTF-16',
  },
} as const satisfies Record<string, Bilingual>;

export const configFaults = {} as const satisfies Record<string, FaultText>;
