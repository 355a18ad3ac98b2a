import type { Bilingual, FaultText } from './text.ts';

/** Steps of an explanation and what a replay says. */
export const explainMessages = {
  'explain-beyond': {
    en: '{value}: beyond the limit of {limit}; the delay of {delay} begins',
    zh: '{value}：越过限值 {limit}，开始计 {delay} 的延时',
  },
  'explain-beyond-signal': {
    en: 'the rule’s condition begins to hold ({value}); the delay of {delay} begins',
    zh: '规则条件开始成立（{value}），开始计 {delay} 的延时',
  },
  'explain-silent': {
    en: 'no good reading any more; {delay} must pass',
    zh: '不再有有效读数，须持续 {delay}',
  },
  'explain-fell-back': {
    en: 'back before the delay was over: no alarm',
    zh: '延时未满即恢复：不报警',
  },
  'explain-held': {
    en: 'bad quality ({reason}): the delay stands still',
    zh: '质量不良（{reason}）：延时暂停',
  },
  'explain-resumed': {
    en: 'good again after {held}: the delay goes on',
    zh: '{held} 后质量恢复：延时继续',
  },
  'explain-raised': { en: 'the delay is over: raised', zh: '延时已满：报警产生' },
  'explain-received-live': {
    en: 'known to the cloud {late} after it was raised, in live data',
    zh: '报警产生 {late} 后由实时数据送达云端',
  },
  'explain-received-late': {
    en: 'known to the cloud {late} after it was raised, in a backlog',
    zh: '报警产生 {late} 后由补传数据送达云端',
  },
  'explain-bad-while-active': {
    en: 'bad quality ({reason}) while it was on: the alarm stays',
    zh: '报警期间质量不良（{reason}）：报警保持',
  },
  'explain-good-while-active': { en: 'good quality again', zh: '质量恢复' },
  'explain-falling': {
    en: '{value}: on the good side of limit and deadband; the off-delay of {delay} begins',
    zh: '{value}：已回到限值与回差的正常一侧，开始计 {delay} 的恢复延时',
  },
  'explain-falling-signal': {
    en: 'the rule’s condition holds no more ({value}); the off-delay of {delay} begins',
    zh: '规则条件不再成立（{value}），开始计 {delay} 的恢复延时',
  },
  'explain-beyond-again': {
    en: '{value}: beyond again before the off-delay was over',
    zh: '{value}：恢复延时未满又越限',
  },
  'explain-cleared': { en: 'returned to normal', zh: '恢复正常' },
  'explain-cleared-known': {
    en: 'the cloud knew of the return {late} later',
    zh: '{late} 后云端获知恢复',
  },
  'explain-still-on': { en: 'still on', zh: '仍在报警' },
  'explain-gateway-silent': {
    en: 'nothing heard of the gateway since then',
    zh: '自此未收到该网关的任何消息',
  },
  'explain-acknowledged': { en: 'acknowledged by {who}', zh: '由 {who} 确认' },
  'explain-moved-back': {
    en: 'a backlog showed that it began or ended earlier: moved',
    zh: '补传数据表明起止时间更早：已更正',
  },
  'explain-historical': {
    en: 'found in a backlog: a historical record, nobody was told',
    zh: '在补传数据中发现：仅作历史记录，未通知任何人',
  },
  'explain-told': { en: 'people were told', zh: '已通知相关人员' },
  'explain-told-again': { en: 'told again as if new', zh: '再次通知' },
  'explain-superseded': {
    en: 'a newer alarm of the same rule took its place',
    zh: '同一规则的新报警取代了它',
  },
  'explain-confirmed': {
    en: 'the notice arrived: {by}; that acknowledges no alarm',
    zh: '通知已送达：{by}；报警并未因此得到确认',
  },
  'explain-shelved-by': { en: 'shelved by {who}', zh: '由 {who} 搁置' },
  'explain-unshelved-by': { en: 'no longer shelved ({who})', zh: '搁置结束（{who}）' },
  'explain-suppressed-by': { en: 'hidden by design ({who})', zh: '按设计被抑制（{who}）' },
  'explain-unsuppressed-by': {
    en: 'no longer hidden by design ({who})',
    zh: '按设计的抑制解除（{who}）',
  },
  'explain-removed-by': { en: 'taken out of service by {who}', zh: '由 {who} 停用' },
  'explain-returned-by': { en: 'back in service ({who})', zh: '恢复使用（{who}）' },
  'explain-reset-by': { en: 'reset by {who}', zh: '由 {who} 复位' },
  'explain-silenced-by': { en: 'sound stopped at a desk by {who}', zh: '{who} 在其席位消音' },
  'explain-asked-by': {
    en: 'asked for by {who}; a second person must agree',
    zh: '{who} 提出申请，须第二人同意',
  },
  'explain-given-by': { en: 'agreed to by {who}', zh: '{who} 同意' },
  'explain-withdrawn-by': { en: 'withdrawn by {who}', zh: '{who} 撤回' },
  'explain-act': { en: '{kind} by {who}', zh: '{who} 执行 {kind}' },
  'explain-suppressed': {
    en: 'hidden by design, under {by}',
    zh: '按设计被抑制：{by}',
  },
  'explain-shelved': {
    en: 'shelved by {who} until {until}: {reason}',
    zh: '由 {who} 搁置至 {until}：{reason}',
  },
  'explain-removed': {
    en: 'its source is out of service until {until}, order {order}: {reason}',
    zh: '信号源停用至 {until}，工单 {order}：{reason}',
  },
  'explain-test': {
    en: 'raised while {who} tested the device: {reason}',
    zh: '{who} 测试设备期间产生：{reason}',
  },
  'explain-rule': {
    en: 'rule {rule}, version {version}, by {author} on {at}: {reason}',
    zh: '规则 {rule} 第 {version} 版，{author} 于 {at} 制定：{reason}',
  },
  'explain-rule-approved': { en: 'approved by {approver}', zh: '{approver} 批准' },
  'explain-rule-proposed': {
    en: 'rule {rule}, version {version}, proposed by the gateway {gateway} on {at}',
    zh: '规则 {rule} 第 {version} 版，由网关 {gateway} 于 {at} 提出',
  },
  'explain-rule-when': {
    en: '{when}; on after {on}, off after {off}',
    zh: '{when}；{on} 后报警，{off} 后恢复',
  },
  'explain-no-version': {
    en: 'the version of the rule that raised it is not kept',
    zh: '产生该报警的规则版本未保留',
  },
  'explain-left-out': {
    en: '{count} samples between are not shown',
    zh: '其间 {count} 个采样未显示',
  },
  'explain-no-samples': {
    en: 'the store holds no samples of that time',
    zh: '存储中没有当时的采样',
  },
  'explain-since-unknown': { en: 'before decisions had a time', zh: '早于有时间记录' },
  'replay-head': {
    en: '{from} to {to}: the changed rules would have raised {changed}, those in force {present}, and {raised} were raised',
    zh: '{from} 至 {to}：新规则将产生 {changed} 条报警，现行规则 {present} 条，实际产生 {raised} 条',
  },
  'replay-rule': {
    en: '{point} {rule}: {changed} (share of time {share}), in force {present}, raised {raised}',
    zh: '{point} {rule}：{changed} 条（占时 {share}），现行 {present} 条，实际 {raised} 条',
  },
  'replay-added': { en: 'new', zh: '新增' },
  'replay-gone': { en: 'gone', zh: '消失' },
  'replay-beyond': { en: '{count} more are not listed', zh: '另有 {count} 条未列出' },
  'replay-left-comparison': {
    en: '{point} {rule}: not replayed, a comparison is judged live only',
    zh: '{point} {rule}：未回放，比较规则仅实时判定',
  },
  'replay-left-too-much': {
    en: '{point} {rule}: not replayed, more data than one replay takes; ask for less time',
    zh: '{point} {rule}：未回放，数据量超出一次回放上限；请缩短时间段',
  },
  'replay-unreadable': {
    en: 'a part of the stored data could not be read: more may have been raised',
    zh: '部分存储数据无法读取：实际产生的报警可能更多',
  },
  'replay-one-at-a-time': { en: 'one runs already', zh: '已有一次正在运行' },
  'replay-span': {
    en: '--from must lie before --to, by at most {days} days',
    zh: '--from 必须早于 --to，且跨度不超过 {days} 天',
  },
  'replay-rules-max': {
    en: '{count} rules of points; one replay takes {max}',
    zh: '共 {count} 条测点规则，一次回放最多 {max} 条',
  },
} as const satisfies Record<string, Bilingual>;

export const explainFaults = {
  replay_busy: {
    en: {
      what: 'Another replay is running.',
      cause: 'One at a time runs, so that evaluation and API keep their processor.',
      action: 'Try again in a minute.',
    },
    zh: {
      what: '另一次回放正在进行。',
      cause: '同一时间只运行一次回放，以免占用判定和接口的处理能力。',
      action: '请一分钟后重试。',
    },
  },
} as const satisfies Record<string, FaultText>;
