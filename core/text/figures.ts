// Incidents, floods and the figures of how well alarms serve whoever watches them.
import type { Bilingual, FaultText } from './text.ts';

export const figureMessages = {
  'figures-longest': {
    en: 'a period begins before it ends and has at most {days} days',
    zh: '时段的起点须早于终点，且不超过 {days} 天',
  },
  'figures-kept-since': {
    en: 'every alarm is kept since {since}; before that there are whole days, for everything',
    zh: '逐条记录自 {since} 起保存；更早只有全部资产的整日指标',
  },
  'figures-not-a-day': {
    en: '{found} is no day, such as 2026-01-31',
    zh: '{found} 不是日期，应如 2026-01-31',
  },
  'figures-what-period': {
    en: 'give a day, or from and to',
    zh: '请给出 day，或 from 与 to',
  },
  'figures-outside': {
    en: '{asset} is outside of {scope}, which is what this token sees',
    zh: '{asset} 不在该令牌可见的 {scope} 之内',
  },
  'no-incident': { en: 'no incident {id}', zh: '没有事件 {id}' },

  'no-incidents': { en: 'no incidents', zh: '没有事件' },
  'incident-open': { en: 'open ', zh: '进行中' },
  'incident-ended': { en: 'ended', zh: '已结束' },
  'incident-counts': {
    en: '{members} alarms, {active} active, {unacknowledged} unacknowledged, {hidden} hidden',
    zh: '{members} 条报警，{active} 条未恢复，{unacknowledged} 条未确认，{hidden} 条隐藏',
  },
  'incident-first': { en: 'first: {title} {point}', zh: '最先：{title} {point}' },
  'incident-more': { en: 'and {more} more', zh: '另有 {more} 条' },
  'desk-all': { en: 'everything', zh: '全部' },
  'desk-now': { en: '{desk}: {count} in ten minutes', zh: '{desk}：10 分钟内 {count} 条' },
  'flood-since': {
    en: 'FLOOD since {from}: {alarms} alarms, at most {peak} in ten minutes',
    zh: '报警泛滥，自 {from} 起：共 {alarms} 条，10 分钟最多 {peak} 条',
  },
  'flood-over': {
    en: 'last flood {from} to {to}: {alarms} alarms, at most {peak} in ten minutes',
    zh: '上次泛滥 {from} 至 {to}：共 {alarms} 条，10 分钟最多 {peak} 条',
  },
  'figures-head': { en: 'Alarm figures, {from} to {to} UTC', zh: '报警指标，{from} 至 {to} UTC' },
  'figures-counts': {
    en: '{annunciated} told; {all} with those hidden: {shelved} shelved, {suppressed} suppressed by design, {removed} out of service, {test} under test',
    zh: '已通知 {annunciated} 条；含隐藏共 {all} 条：搁置 {shelved}、设计抑制 {suppressed}、退出服务 {removed}、测试 {test}',
  },
  'figures-acknowledge': {
    en: 'Level {level}: {acknowledged} of {told} acknowledged, median {median}, 95 % within {p95}',
    zh: '{level} 级：{told} 条中已确认 {acknowledged} 条，中位数 {median}，95 % 在 {p95} 内',
  },
  'figures-chattering': { en: 'chattering: {alarms}', zh: '抖动：{alarms}' },
  'figures-stale': { en: 'stale: {alarms}', zh: '陈旧：{alarms}' },
  'figure-met': { en: 'met', zh: '达标' },
  'figure-missed': { en: 'MISSED', zh: '未达标' },
  'incident-place': { en: 'Alarms at {place}', zh: '{place} 多处报警' },
  'incident-everywhere': { en: 'Alarms in many places', zh: '多处同时报警' },
  'incident-gateway': { en: 'Alarms of gateway {gateway}', zh: '网关 {gateway} 的报警' },
  'incident-silent': { en: 'Gateway {gateway} is silent', zh: '网关 {gateway} 失联' },
  'incident-area-silent': {
    en: 'Several gateways of {area} fell silent together: power or network',
    zh: '{area} 多个网关同时失联：疑似断电或断网',
  },

  'figure-rate-ten-minutes': { en: 'Alarms in ten minutes, average', zh: '平均每 10 分钟报警数' },
  'figure-rate-hour': { en: 'Alarms an hour, average', zh: '平均每小时报警数' },
  'figure-rate-day': { en: 'Alarms a day, average', zh: '平均每天报警数' },
  'figure-peak-minute': { en: 'Most in one minute', zh: '1 分钟峰值' },
  'figure-peak-ten-minutes': { en: 'Most in ten minutes', zh: '10 分钟峰值' },
  'figure-peak-hour': { en: 'Most in one hour', zh: '1 小时峰值' },
  'figure-windows-above-ten': {
    en: 'Ten-minute windows with more than ten',
    zh: '超过 10 条的 10 分钟时段占比',
  },
  'figure-time-above-target': {
    en: 'Ten-minute windows above one',
    zh: '超过目标速率（1 条）的 10 分钟时段占比',
  },
  'figure-floods': { en: 'Floods', zh: '报警泛滥次数' },
  'figure-flood-time': { en: 'Time in flood', zh: '报警泛滥时间占比' },
  'figure-chattering': { en: 'Chattering alarms', zh: '抖动报警' },
  'figure-fleeting': { en: 'Fleeting alarms', zh: '瞬时报警' },
  'figure-stale': { en: 'Stale alarms, on for more than a day', zh: '持续超过一天的陈旧报警' },
  'figure-top-ten': { en: 'Share of the ten most frequent', zh: '最频繁十条报警占比' },
  'figure-priority-1': { en: 'Share of level I', zh: 'I 级占比' },
  'figure-priority-2': { en: 'Share of level II', zh: 'II 级占比' },
  'figure-priority-3': { en: 'Share of level III', zh: 'III 级占比' },
  'figure-priority-4': { en: 'Share of level IV', zh: 'IV 级占比' },
} as const satisfies Record<string, Bilingual>;

export const figureFaults = {
  figures_day: {
    en: {
      what: 'This is no day.',
      cause: 'A day is written as 2026-01-31.',
      action: 'Write year, month and day, with hyphens.',
    },
    zh: {
      what: '日期格式不正确。',
      cause: '日期应写作 2026-01-31。',
      action: '请按年-月-日填写。',
    },
  },
  figures_period: {
    en: {
      what: 'There are no figures of such a period.',
      cause: 'It ends before it begins, or is longer than single alarms are kept.',
      action: 'Ask for a shorter period, or for single days.',
    },
    zh: {
      what: '无法给出该时段的指标。',
      cause: '终点早于起点，或时段长于逐条记录的保存期。',
      action: '请缩短时段，或按单日查询。',
    },
  },
  figures_gone: {
    en: {
      what: 'The single alarms of this period are no longer kept.',
      cause:
        'They are kept for 35 days, or 500,000 in number; then only whole days remain, for those who see every asset.',
      action: 'Ask for a whole day, or for a later period.',
    },
    zh: {
      what: '该时段的逐条报警记录已不再保存。',
      cause: '逐条记录保存 35 天或 50 万条；之后只保留整日指标，且仅供可见全部资产者查询。',
      action: '请查询整日指标或更近的时段。',
    },
  },
} as const satisfies Record<string, FaultText>;
