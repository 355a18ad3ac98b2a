import type { Bilingual, FaultText } from './text.ts';

export const notifyMessages = {
  'person-receiver': {
    en: 'there is no receiver {id} under receivers',
    zh: 'receivers 下没有接收方 {id}',
  },
  'unknown-person': {
    en: 'there is nobody {id} under people',
    zh: 'people 下没有人员 {id}',
  },
  'not-a-time-of-day': {
    en: '{found} is not a time of day such as "08:00"',
    zh: '{found} 不是一天中的时刻，应如 "08:00"',
  },
  'not-a-local-time': {
    en: '{found} is not a date such as 2026-12-01 or a time such as 2026-12-01T08:00',
    zh: '{found} 不是日期（如 2026-12-01）或时间（如 2026-12-01T08:00）',
  },
  'shift-days-and-cycle': {
    en: 'a shift has days of the week or a cycle of its own, not both',
    zh: '班次只能写星期几或自己的周期，不能同时写',
  },
  'shift-beyond-cycle': {
    en: 'day {day} is beyond a cycle of {days} days',
    zh: '第 {day} 天超出了 {days} 天的周期',
  },
  'absence-order': {
    en: 'the absence ends ({to}) before it begins ({from})',
    zh: '缺勤的结束（{to}）早于开始（{from}）',
  },
  'substitute-self': {
    en: '{id} cannot stand in for themselves',
    zh: '{id} 不能替自己的班',
  },
  'roster-gap': {
    en: 'nobody of {id} is on duty from {from} to {to} (local time)',
    zh: '{id} 在 {from} 至 {to}（当地时间）无人值班',
  },
  'roster-overlap': {
    en: 'it meets shift {one} from {from} to {to} (local time): both people are told',
    zh: '与第 {one} 个班次在 {from} 至 {to}（当地时间）重叠：两人都会收到通知',
  },
  'by-no-receiver': {
    en: '{person} has no receiver of the kind {kind}',
    zh: '{person} 没有 {kind} 类接收方',
  },
  'by-without-person': {
    en: '{id} is a receiver: "by" chooses among the receivers of a person',
    zh: '{id} 是接收方：“by” 用于在人员的接收方中选择',
  },
  'route-cli-summary': {
    en: 'who is told of an alarm, from the cloud’s file: test --level N [--area A] [--asset PATH] [--kind K] [--gateway G] [--rule R] [--at TIME] [--expect ID] FILE, show FILE',
    zh: '根据云端配置文件查看报警通知对象：test --level N [--area 区域] [--asset 路径] [--kind 类型] [--gateway 网关] [--rule 规则] [--at 时间] [--expect 标识] 文件；show 文件',
  },
  'route-cli-level': {
    en: '--level is 1, 2, 3 or 4, not {found}',
    zh: '--level 应为 1、2、3 或 4，而不是 {found}',
  },
  'route-cli-told': {
    en: '{who} is told by route {route}, step {step}',
    zh: '通知 {who}（路由 {route}，第 {step} 级）',
  },
  'route-cli-untold': { en: '{who} is not told: {why}', zh: '未通知 {who}：{why}' },
  'route-cli-expected': { en: '{id} is told', zh: '{id} 会收到通知' },
  'route-cli-unexpected': {
    en: '{id} would not be told of this alarm',
    zh: '{id} 不会收到此报警的通知',
  },
  'route-cli-duty': { en: '{roster}: on duty are {people}', zh: '{roster}：当前值班 {people}' },
  'route-cli-no-duty': { en: '{roster}: nobody is on duty', zh: '{roster}：当前无人值班' },
  'route-cli-repeat': {
    en: 'the last again every {every}',
    zh: '最后一级每 {every} 重复通知',
  },
  'route-cli-all': { en: 'all alarms', zh: '全部报警' },
  'silence-level': {
    en: 'level I is always told: name other levels, or none for II to IV',
    zh: 'I 级报警必须通知：请指定其他级别，不指定则为 II 至 IV 级',
  },
  'silence-all': {
    en: 'say of what: areas, gateways, assets, levels, kinds or rules',
    zh: '请指明范围：区域、网关、资产、级别、规则类型或规则',
  },
  'silence-long': {
    en: 'a silence lasts {hours} h at most',
    zh: '静默最长 {hours} 小时',
  },
  'silence-many': {
    en: '{most} silences are on: end one first',
    zh: '已有 {most} 个静默生效：请先结束其中一个',
  },
  'silence-scope': {
    en: 'beyond {scope}, of which the token may know: name assets within it',
    zh: '超出令牌可见范围 {scope}：请指定其中的资产',
  },
  'silence-cli-summary': {
    en: 'list, add --for 2h --reason TEXT [--area|--gateway|--asset|--level|--kind|--rule A,B], end NUMBER: nobody is told of what fits; level I always',
    zh: 'list 列出，add --for 2h --reason 原因 [--area|--gateway|--asset|--level|--kind|--rule A,B] 新增，end 编号 结束：符合条件的报警不通知任何人；I 级始终通知',
  },
  'silence-cli-line': {
    en: '{number}  until {until}  {by}: {reason}  {match}',
    zh: '{number}  至 {until}  {by}：{reason}  {match}',
  },
  'silence-cli-none': { en: 'nothing is silenced', zh: '没有生效的静默' },
  'silence-cli-ended': { en: 'silence {number} has ended', zh: '静默 {number} 已结束' },
  'delivery-cli-summary': {
    en: 'who was told of an alarm, when, and what came of it; the newest without ID',
    zh: '查看报警通知了谁、何时以及结果；不带编号时列出最新的',
  },
  'why-no-duty': { en: 'nobody on duty', zh: '当前无人值班' },
  'why-no-receiver': { en: 'no receiver', zh: '没有接收方式' },
  'why-no-route': { en: 'no route', zh: '没有匹配的路由' },
  'why-untold': { en: 'nobody could be told', zh: '未能通知到任何人' },
  'why-unconfirmed': { en: 'nobody has confirmed', zh: '无人确认' },
  'why-merged': {
    en: 'over before it could be told; told with its end',
    zh: '通知前报警已恢复，与恢复通知合并',
  },
  'why-over': {
    en: 'the alarm is over: nothing was commanded',
    zh: '报警已恢复，未下发命令',
  },
  'why-gone': { en: 'receiver is gone (http 410)', zh: '接收方已停用（http 410）' },
  'why-removed': { en: 'receiver is no longer configured', zh: '接收方已从配置中移除' },
  'why-broken': { en: 'notifier broken', zh: '通知程序出错' },
  'why-timeout': { en: 'timeout', zh: '超时' },
  'why-silenced': { en: 'silenced by {who}: {reason}', zh: '由 {who} 设为静默：{reason}' },
  'delivery-cli-none': { en: 'nobody was told of anything', zh: '没有通知记录' },
  'quota-reserve': {
    en: 'a reserve of {reserve} of {messages} messages leaves nothing for levels II to IV',
    zh: '{messages} 条中保留 {reserve} 条，II 至 IV 级将无法发送',
  },
  'wait-range': {
    en: '{found} is not within {least} and {most}',
    zh: '{found} 不在 {least} 到 {most} 之间',
  },
} as const satisfies Record<string, Bilingual>;

export const notifyFaults = {
  notify_url: {
    en: {
      what: 'The address of a webhook receiver cannot be used.',
      cause: 'It is no http or https address, or has a user name or password in it.',
      action: 'Write it as https://host/path; the secret goes into its own setting.',
    },
    zh: {
      what: 'Webhook 接收方地址无法使用。',
      cause: '地址不是 http 或 https,或其中含有用户名或密码。',
      action: '请写成 https://主机/路径;密钥填写在专用设置中。',
    },
  },
  notify_secret: {
    en: {
      what: 'The secret of a webhook receiver cannot be used.',
      cause: 'It is not `whsec_` followed by the base64 of 24 to 64 random bytes.',
      action: 'Make a new one, for example: echo whsec_$(openssl rand -base64 32)',
    },
    zh: {
      what: 'Webhook 接收方密钥无法使用。',
      cause: '它不是 `whsec_` 加 24 至 64 个随机字节的 base64。',
      action: '请生成新的密钥,例如:echo whsec_$(openssl rand -base64 32)',
    },
  },
  silence_refused: {
    en: {
      what: 'This silence is not possible.',
      cause: 'It is of level I or of everything, too long, or one too many.',
      action: 'Name what is silenced, for a shift at most.',
    },
    zh: {
      what: '不能设置该静默。',
      cause: '涉及 I 级或全部报警、时间过长，或数量已达上限。',
      action: '请指明静默范围，最长不超过一个班次。',
    },
  },
  silence_unknown: {
    en: {
      what: 'No silence of this number is on.',
      cause: 'It has ended, or the number was mistyped.',
      action: 'List them: lifeline alarm silences list',
    },
    zh: {
      what: '没有该编号的生效静默。',
      cause: '已结束，或编号输入有误。',
      action: '查看列表：lifeline alarm silences list',
    },
  },
  notify_receiver_unknown: {
    en: {
      what: 'A route names a receiver that does not exist.',
      cause: 'The name was mistyped, or the receiver was removed.',
      action: 'Add the receiver, or take its name out of the route.',
    },
    zh: {
      what: '路由指定了不存在的接收方。',
      cause: '名称输入有误,或该接收方已被删除。',
      action: '请添加该接收方,或从路由中移除其名称。',
    },
  },
  notify_format: {
    en: {
      what: 'The delivery ledger was written by a newer version.',
      cause: 'The program was replaced by an older one.',
      action: 'Start the newer version again.',
    },
    zh: {
      what: '投递台账由更新的版本写入。',
      cause: '程序被替换成了旧版本。',
      action: '请重新启动新版本。',
    },
  },
} as const satisfies Record<string, FaultText>;
