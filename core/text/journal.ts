import type { Bilingual, FaultText } from './text.ts';

export const journalMessages = {
  'journal-sound': {
    en: 'Sound: {entries} entries, {heads} noted heads, newest {head}',
    zh: '完好：共 {entries} 条记录，比对 {heads} 个留存摘要，最新为 {head}',
  },
  'journal-unsound': {
    en: 'Not sound: {count} flaw(s) in {entries} entries; the first is told first',
    zh: '已被破坏：{entries} 条记录中发现 {count} 处问题，按位置先后列出',
  },
  'journal-empty': { en: 'nothing in the journal', zh: '日志为空' },
  'journal-none': { en: 'no entry fits', zh: '没有符合条件的记录' },
  'journal-exported': {
    en: '{entries} entries, newest {head}: {file}',
    zh: '已导出 {entries} 条记录，最新为 {head}：{file}',
  },
  'journal-flaw-missing': {
    en: 'entry {seq}: missing, up to {through}',
    zh: '第 {seq} 条：缺失，直至第 {through} 条',
  },
  'journal-flaw-changed': {
    en: 'entry {seq}: not what was written, or it does not follow the one before it',
    zh: '第 {seq} 条：内容被改动，或与前一条不衔接',
  },
  'journal-flaw-extra': {
    en: 'entry {seq}: no entry was ever given this number',
    zh: '第 {seq} 条：该编号从未分配过',
  },
  'journal-flaw-unchained': {
    en: 'entry {seq}: has no hash; an older version wrote it, or somebody by hand',
    zh: '第 {seq} 条：没有摘要，由旧版本或人工写入',
  },
  'journal-flaw-cut': {
    en: 'entry {seq}: cut off, with all up to {through}, which was noted as written',
    zh: '第 {seq} 条：被截去，直至曾留存摘要的第 {through} 条',
  },
  'journal-flaw-rewritten': {
    en: 'entry {seq}: computed anew from here on at the earliest; {through} is not the noted one',
    zh: '最早自第 {seq} 条起被重新计算；第 {through} 条与留存的摘要不符',
  },
  'journal-flaw-unguarded': {
    en: 'the triggers that forbid changes are gone',
    zh: '禁止改动的触发器已被删除',
  },
  'journal-flaw-heads-missing': {
    en: 'no head was ever noted: journal-heads.jsonl is gone or was never there',
    zh: '没有任何留存摘要：journal-heads.jsonl 丢失或从未生成',
  },
  'journal-flaw-heads-damaged': {
    en: 'line {seq} of journal-heads.jsonl is no head',
    zh: 'journal-heads.jsonl 第 {seq} 行不是有效摘要',
  },
  'journal-flaws-beyond': { en: 'and {count} more', zh: '另有 {count} 处' },
  'journal-bad-head': {
    en: '--head {found} is not SEQ:HASH as `lifeline audit head` prints it',
    zh: '--head {found} 不是 `lifeline audit head` 输出的 SEQ:HASH 格式',
  },
  'journal-bad-seq': { en: '"{found}" is no number of an entry', zh: '“{found}”不是记录编号' },
  'journal-bad-time': {
    en: '{option} {found} is no time: 2026-01-31T08:00:00Z, or -2h for two hours ago',
    zh: '{option} {found} 不是时间：应为 2026-01-31T08:00:00Z，或 -2h（两小时前）',
  },
} as const satisfies Record<string, Bilingual>;

export const journalFaults = {
  journal_not_found: {
    en: {
      what: 'There is no journal in this folder.',
      cause: 'The folder is not the data folder of a cloud, or the cloud never ran on it.',
      action: 'Name the folder that stands under cloud.folder in the configuration.',
    },
    zh: {
      what: '该文件夹中没有日志。',
      cause: '它不是云端的数据文件夹，或云端从未在其上运行。',
      action: '请指定配置中 cloud.folder 所写的文件夹。',
    },
  },
  journal_unchained: {
    en: {
      what: 'The journal of this folder has no chain yet.',
      cause: 'It was written by a version that did not chain entries, and not opened since.',
      action: 'Start the cloud once: it chains what is there and notes a head.',
    },
    zh: {
      what: '该文件夹中的日志尚未建立摘要链。',
      cause: '它由尚不支持摘要链的版本写入，之后未再打开。',
      action: '请启动一次云端：现有记录将被链接并留存摘要。',
    },
  },
} as const satisfies Record<string, FaultText>;
