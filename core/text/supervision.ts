import type { Bilingual, FaultText } from './text.ts';

export const supervisionMessages = {
  'path-test': { en: 'Path test', zh: '通路测试' },
  drill: { en: 'Drill', zh: '演练' },
  'drill-point': { en: 'Drill of level {level}', zh: '演练（{level}级）' },
  'drill-command': {
    en: 'Begin or end a drill of level {level}',
    zh: '开始或结束{level}级演练',
  },
  'self-is-taken': {
    en: '{name} is the name of the gateway itself, for path tests and drills; choose another',
    zh: '{name} 是网关自身的名称，用于通路测试和演练；请另取名称',
  },
  'path-test-interval': {
    en: 'a path test each {every} is outside {minimum} to {maximum}',
    zh: '通路测试间隔 {every} 不在 {minimum} 至 {maximum} 之间',
  },
  'path-cli-ok': { en: 'the alarm path works', zh: '报警通路正常' },
  'path-cli-broken': { en: 'the alarm path is BROKEN', zh: '报警通路【中断】' },
  'path-cli-unknown': {
    en: 'the alarm path works as far as anybody can tell',
    zh: '报警通路部分环节状态未知',
  },
  'path-cli-state-ok': { en: 'ok', zh: '正常' },
  'path-cli-state-broken': { en: 'BROKEN', zh: '中断' },
  'path-cli-state-unknown': { en: 'unknown', zh: '未知' },
  'path-cli-since': { en: 'since {since}', zh: '自 {since}' },
  'path-cli-test-none': {
    en: 'path test of {gateway}: none yet, one each {every} s',
    zh: '{gateway} 的通路测试：尚无，每 {every} 秒一次',
  },
  'path-cli-test-open': {
    en: 'path test of {gateway}: raised {at}, not confirmed',
    zh: '{gateway} 的通路测试：{at} 产生，未确认',
  },
  'path-cli-test': {
    en: 'path test of {gateway}: raised {at}, confirmed {seconds} s later',
    zh: '{gateway} 的通路测试：{at} 产生，{seconds} 秒后确认',
  },
  'path-cli-month': {
    en: '{month}: available {percent}, {faults} faults ({wrong} false), longest {longest} s',
    zh: '{month}：可用率 {percent}，故障 {faults} 次（误报 {wrong} 次），最长 {longest} 秒',
  },
  'path-cli-figures': {
    en: 'available {percent}, {faults} faults ({wrong} false), longest {longest} s',
    zh: '可用率 {percent}，故障 {faults} 次（误报 {wrong} 次），最长 {longest} 秒',
  },
  'path-cli-false': { en: 'false fault', zh: '误报' },
  'demo-path': { en: 'alarm path', zh: '报警通路' },
  'demo-path-ok': { en: 'every part works', zh: '各环节正常' },
  'demo-path-broken': { en: 'BROKEN: {what}', zh: '中断：{what}' },
  'demo-path-back': { en: 'alarm path: all parts work again', zh: '报警通路：各环节已恢复' },
  'demo-path-test': {
    en: 'last path test of {gateway}: confirmed {seconds} s after it was raised',
    zh: '{gateway} 最近一次通路测试：产生 {seconds} 秒后确认',
  },
  'demo-lifeline-lost': {
    en: 'the desk hears no heartbeat of the cloud any more',
    zh: '值班台收不到云端心跳',
  },
  'demo-lifeline-ok': {
    en: 'the desk hears the heartbeat of the cloud',
    zh: '值班台收到云端心跳',
  },
  'receiver-lost': {
    en: 'ALARM: no heartbeat for {seconds} s; alarms may not get here',
    zh: '警报：{seconds} 秒未收到心跳；报警可能无法送达',
  },
  'receiver-back': { en: 'heartbeats are heard', zh: '收到心跳' },
  'heartbeat-range': {
    en: 'a heartbeat each {found} is outside 1s to 20s',
    zh: '心跳间隔 {found} 不在 1s 至 20s 之间',
  },
  'supervision-scoped': {
    en: '{name} sees a part of the assets; the supervision of the path is of the whole',
    zh: '{name} 只能查看部分资产；通路监测针对整体',
  },
  'supervision-cloud': { en: 'The cloud itself', zh: '云端自身' },
  'alarm-path-broken': {
    en: 'The alarm path is broken at {name}: {why}{detail}',
    zh: '报警通路在 {name} 处中断：{why}{detail}',
  },
  'supervision-action-receiver': {
    en: 'Reach these people another way, and mend the receiver or the network to it',
    zh: '请改用其他方式联系相关人员，并修复该接收端或其网络',
  },
  'supervision-action-broker': {
    en: 'Look at the broker and the network to it; gateways keep what they take until it is back',
    zh: '检查消息代理及其网络；恢复之前网关会保存所采数据',
  },
  'supervision-action-cloud': {
    en: 'Look at the log and the disk of the cloud; gateways keep what they take until it is back',
    zh: '检查云端日志和磁盘；恢复之前网关会保存所采数据',
  },
  'alarm-path-test-missed': {
    en: 'Path test of gateway {gateway} missed: {stage}',
    zh: '网关 {gateway} 的通路测试未完成：{stage}',
  },
  'alarm-path-test-missed-action': {
    en: 'An alarm of this gateway may not reach anybody: follow the path from where the test ended',
    zh: '该网关的报警可能无法送达：请从测试中断处开始检查通路',
  },
  'path-test-stage-none': { en: 'none was raised', zh: '未产生测试报警' },
  'path-test-stage-raised': { en: 'raised, not queued', zh: '已产生，未进入发送队列' },
  'path-test-stage-queued': { en: 'queued, not sent', zh: '已排队，未发送' },
  'path-test-stage-sent': { en: 'sent, not accepted', zh: '已发送，对方未接收' },
  'path-test-stage-accepted': { en: 'accepted, not confirmed', zh: '对方已接收，未确认' },
  'path-test-stage-failed': { en: 'sending failed', zh: '发送失败' },
  'supervision-why-silent': { en: 'nothing heard', zh: '没有收到任何数据' },
  'supervision-why-disconnected': { en: 'not connected', zh: '未连接' },
  'supervision-why-never-heard': { en: 'never heard', zh: '从未收到数据' },
  'supervision-why-starting': { en: 'not heard since the start', zh: '启动后尚未收到数据' },
  'supervision-why-no-broker': { en: 'no broker', zh: '未连接消息代理' },
  'supervision-why-no-answer': { en: 'no answer', zh: '没有应答' },
  'supervision-why-disk-full': { en: 'the disk is full', zh: '磁盘已满' },
  'supervision-why-inbox-full': { en: 'the inbox is full', zh: '收件箱已满' },
  'supervision-why-behind': { en: 'does not go on', zh: '处理停滞' },
  'supervision-why-failed': { en: 'failed', zh: '故障' },
  'supervision-why-not-running': { en: 'was not running', zh: '未运行' },
  'supervision-why-all-receivers': { en: 'no receiver can be reached', zh: '没有可达的接收端' },
  'supervision-why-no-receiver': {
    en: 'no receiver confirms by machine',
    zh: '没有能自动确认的接收端',
  },
  'supervision-why-untried': { en: 'nothing sent yet', zh: '尚未发送过' },
  'supervision-why-test-missed': { en: 'path test missed', zh: '通路测试未完成' },
} as const satisfies Record<string, Bilingual>;

export const supervisionFaults = {} as const satisfies Record<string, FaultText>;
