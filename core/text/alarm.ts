import type { Bilingual, FaultText } from './text.ts';

export const alarmMessages = {
  'alarm-taken-by': { en: 'by {by}', zh: '已由 {by} 确认' },
  'alarm-gateway-silent': { en: 'Gateway {gateway} is silent', zh: '网关 {gateway} 失联' },
  'alarm-gateway-silent-action': {
    en: 'Check power and network of the gateway; its readings and alarms do not arrive.',
    zh: '检查网关的供电和网络;其读数和报警目前无法送达。',
  },
  'alarm-gateway-name': { en: 'Gateway {gateway}', zh: '网关 {gateway}' },
  'alarm-rules-differ': {
    en: 'Gateway {gateway} goes by other rules',
    zh: '网关 {gateway} 执行的规则与平台不一致',
  },
  'alarm-rules-differ-action': {
    en: 'Its limits are not those decided here: see its log for why it did not take them.',
    zh: '其限值与此处决定的不同：请查看网关日志中未采用的原因。',
  },
  'alarm-path-down': {
    en: 'Path {path} of gateway {gateway} to the cloud is down',
    zh: '网关 {gateway} 的第 {path} 条上行通道中断',
  },
  'alarm-path-down-action': {
    en: 'Nothing is lost, the other path carries it: check network and broker of this one.',
    zh: '数据未丢失，由另一条通道传送：请检查该通道的网络和消息服务器。',
  },
  'alarm-input-bad': { en: 'No usable value', zh: '无可用数值' },
  'alarm-input-bad-action': {
    en: 'The rules of this point hold their state until it measures again: check sensor and line.',
    zh: '该测点恢复测量之前，其规则保持原状态：请检查传感器和线路。',
  },
  'alarm-raised': { en: 'raised', zh: '报警' },
  'alarm-cleared': { en: 'returned to normal', zh: '恢复正常' },
} as const satisfies Record<string, Bilingual>;

export const alarmFaults = {
  alarm_unknown: {
    en: {
      what: 'There is no alarm of this id.',
      cause: 'The id was mistyped, or belongs to another installation.',
      action: 'List the alarms and take the id from there.',
    },
    zh: {
      what: '没有这个编号的报警。',
      cause: '编号输入有误,或属于另一套系统。',
      action: '请从报警列表中取得编号。',
    },
  },
  alarm_superseded: {
    en: {
      what: 'This alarm is over, and a newer one of the same rule has taken its place.',
      cause:
        'The condition came back after the list on the screen was read, or the alarm is history.',
      action: 'Look at the newest alarm of this rule and acknowledge that one.',
    },
    zh: {
      what: '该报警已结束,同一规则的新报警已取代它。',
      cause: '读取列表之后条件再次出现,或该报警属于历史记录。',
      action: '请查看该规则的最新报警并确认它。',
    },
  },
  alarm_acknowledged: {
    en: {
      what: 'Somebody else has acknowledged this alarm already.',
      cause: 'Two people acted at the same time.',
      action: 'Nothing: the alarm shows who has it.',
    },
    zh: {
      what: '该报警已被他人确认。',
      cause: '两人同时操作。',
      action: '无需处理;报警上已显示由谁负责。',
    },
  },
  alarm_rule_unknown: {
    en: {
      what: 'There is no such series to put a rule on.',
      cause: 'The point was never announced by its gateway, or its name was mistyped.',
      action: 'List the series and take the name from there.',
    },
    zh: {
      what: '没有可设置规则的测点。',
      cause: '网关从未上报该测点,或名称输入有误。',
      action: '请从测点列表中取得名称。',
    },
  },
  alarm_format: {
    en: {
      what: 'The alarm tables were written by a newer version.',
      cause: 'The program was replaced by an older one.',
      action: 'Start the newer version again.',
    },
    zh: {
      what: '报警数据表由更新的版本写入。',
      cause: '程序被替换成了旧版本。',
      action: '请重新启动新版本。',
    },
  },
} as const satisfies Record<string, FaultText>;
