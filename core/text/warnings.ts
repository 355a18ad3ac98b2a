// Warnings to other systems: what they say where nobody wrote it, and why one does not go out.
import type { Bilingual, FaultText } from './text.ts';

export const warningMessages = {
  'warning-colour-1': { en: 'Red', zh: '红色' },
  'warning-colour-2': { en: 'Orange', zh: '橙色' },
  'warning-colour-3': { en: 'Yellow', zh: '黄色' },
  'warning-colour-4': { en: 'Blue', zh: '蓝色' },
  'warning-headline': {
    en: '{colour} warning, {place}: {title}{value}',
    zh: '{colour}预警：{place}，{title}{value}',
  },
  'warning-headline-over': {
    en: '{colour} warning cancelled, {place}: {title}',
    zh: '{colour}预警解除：{place}，{title}',
  },
  'warning-over': {
    en: 'The condition is back to normal. The warning is cancelled.',
    zh: '情况已恢复正常，预警解除。',
  },
  'warning-said': { en: '{name}: {title}.', zh: '{name}：{title}。' },
  'warning-measured': { en: 'Measured {value}.', zh: '实测 {value}。' },
  'warning-limit': { en: 'Limit {limit}.', zh: '限值 {limit}。' },
  'warning-mark-drill': { en: 'DRILL: ', zh: '【演练】' },
  'warning-mark-test': { en: 'TEST: ', zh: '【测试】' },
  'warning-back-to-normal': { en: 'Back to normal', zh: '已恢复正常' },
  'warning-changed': { en: 'Level, place or advice has changed', zh: '级别、地点或处置建议有变化' },
  'warning-renewed': { en: 'It still holds, and would expire', zh: '情况仍在持续，预警即将到期' },
  'not-a-sender': {
    en: '{found} cannot be a sender of CAP: it has no blank, comma, < or &',
    zh: '{found} 不能作为 CAP 发送者：不得含空格、逗号、< 或 &',
  },
  'warning-valid-range': {
    en: '{found} is outside 10m to 7d',
    zh: '{found} 不在 10m 至 7d 之间',
  },
  'warning-scope-other': {
    en: 'it belongs to scope {scope} alone',
    zh: '仅用于 scope 为 {scope} 时',
  },
  'warning-restriction-none': {
    en: 'scope restricted needs a restriction: for whom the warnings are',
    zh: 'scope 为 restricted 时需填写 restriction：预警面向哪些对象',
  },
  'warning-addresses-none': {
    en: 'scope private needs addresses: to whom the warnings go',
    zh: 'scope 为 private 时需填写 addresses：预警发给谁',
  },
  'warning-not-gcj02': {
    en: '{latitude}, {longitude} is outside China, where there is no GCJ-02: state it in wgs84',
    zh: '{latitude}, {longitude} 在中国境外，不适用 GCJ-02：请改用 wgs84',
  },
  'warning-radius-alone': {
    en: 'a radius needs a position',
    zh: '填写半径需同时填写 position',
  },
  'warning-polygon-crossed': {
    en: 'sides of the polygon cross or touch: give the corners in order, the first once',
    zh: '多边形的边相交或重叠：请按顺序填写角点，首点只填一次',
  },
  'warning-approver': {
    en: 'releasing a warning takes the right "control"',
    zh: '放行预警需要 "control" 权限',
  },
  'warning-of-what': {
    en: 'name either an alarm or a case',
    zh: '请指定报警或处置单之一',
  },
  'warning-none': { en: 'no warning {id}', zh: '没有预警 {id}' },
  'warning-no-document': { en: '{id} has no such document', zh: '{id} 没有该文件' },
  'warning-off': {
    en: 'the cloud\'s file has no part "warnings": nobody knows in whose name to warn',
    zh: '云端配置文件没有 "warnings" 部分：不知道以谁的名义发布预警',
  },
  'warning-there-is': {
    en: '{key} has warning {id} already: update or cancel that one',
    zh: '{key} 已有预警 {id}：请更新或解除该预警',
  },
  'warning-of-path-test': {
    en: 'a path test warns of nothing',
    zh: '通路测试不发布预警',
  },
  'warning-of-history': {
    en: 'the alarm is historical: it was over before anybody knew of it',
    zh: '该报警为历史报警：在获知之前已结束',
  },
  'warning-of-hidden': {
    en: 'the alarm is shelved, suppressed or out of service: what people do not see is not told others',
    zh: '该报警已搁置、抑制或停用：内部不显示的报警不对外发布',
  },
  'warning-type-alert': { en: 'Alert', zh: '首次发布' },
  'warning-type-update': { en: 'Update', zh: '更新' },
  'warning-type-cancel': { en: 'Cancel', zh: '解除' },
  'warning-status-actual': { en: 'Actual', zh: '实际' },
  'warning-status-exercise': { en: 'Exercise', zh: '演练' },
  'warning-status-test': { en: 'Test', zh: '测试' },
  'warning-status-draft': { en: 'Draft', zh: '草稿' },
  'warning-status-changed': {
    en: 'it was drafted as {drafted} and the alarm is {now} now: drop it and draft it anew',
    zh: '草稿状态为 {drafted}，而报警现为 {now}：请撤销草稿后重新起草',
  },
  'warning-no-draft': {
    en: '{id} is {state} and has no draft that could be released or dropped',
    zh: '{id} 状态为 {state}，没有可放行或撤销的草稿',
  },
  'warning-not-now': {
    en: '{id} is {state}: {type} makes no sense now',
    zh: '{id} 状态为 {state}，此时不能 {type}',
  },
  'warning-messages-beyond': {
    en: '{id} has had {max} messages: cancel it and warn anew',
    zh: '{id} 已发布 {max} 条消息：请解除后重新发布',
  },
  'warning-serials-beyond': {
    en: '{max} messages have left within this second: try again',
    zh: '本秒内已发布 {max} 条消息：请重试',
  },
  'warning-changed-since': {
    en: 'the draft of {id} was changed after its release was asked for',
    zh: '{id} 的草稿在申请放行之后已被修改',
  },
  'approval-warning': {
    en: '{type} of warning {id}, {status}, level {level}: {headline}',
    zh: '预警 {id} {type}，{status}，{level}级：{headline}',
  },
  'warning-cli-summary': {
    en: 'warnings to other systems: draft, release by two people, feed',
    zh: '对外预警：起草、两人放行、订阅源',
  },
  'warning-cli-words': {
    en: '{file} is not a JSON object of words, as docs/warnings.md shows',
    zh: '{file} 不是 JSON 对象，格式见 docs/warnings.md',
  },
  'warning-cli-waits': {
    en: 'asked by {by}: another person runs `lifeline cloud warning release {id}` until {until}',
    zh: '{by} 已申请放行：请另一人在 {until} 之前执行 `lifeline cloud warning release {id}`',
  },
  'warning-cli-next': { en: 'draft: {type}', zh: '草稿：{type}' },
  'warning-cli-asked': { en: 'release asked by {by}', zh: '{by} 已申请放行' },
  'warning-cli-until': { en: 'until {until}', zh: '有效至 {until}' },
  'warning-cli-none': { en: 'no warnings', zh: '没有预警' },
  'warning-cli-unsigned': {
    en: 'unsigned: no platform takes it',
    zh: '未签名：平台不会接收',
  },
  'warning-receipt-0': { en: 'broadcast failed', zh: '播发失败' },
  'warning-receipt-1': { en: 'being broadcast', zh: '正在播发' },
  'warning-receipt-2': { en: 'broadcast', zh: '播发完成' },
  'warning-state-drafted': { en: 'drafted', zh: '草稿' },
  'warning-state-released': { en: 'in force', zh: '已发布' },
  'warning-state-updated': { en: 'in force, updated', zh: '已更新' },
  'warning-state-cancelled': { en: 'cancelled', zh: '已解除' },
  'warning-state-expired': { en: 'expired', zh: '已过期' },
  'warning-state-dropped': { en: 'dropped', zh: '已撤销' },
} as const satisfies Record<string, Bilingual>;

export const warningFaults = {
  warning_unknown: {
    en: {
      what: 'There is no such warning, or it is beyond the scope of the token',
      cause: 'A wrong id, or a warning that was left out because there are too many',
      action: 'See `lifeline cloud warning list`; the journal keeps what it was',
    },
    zh: {
      what: '没有该预警，或超出令牌范围',
      cause: '编号有误，或该预警因数量超限已移除',
      action: '查看 `lifeline cloud warning list`；日志中仍有记录',
    },
  },
  warning_off: {
    en: {
      what: 'Warnings are not set up',
      cause: 'The cloud\'s file has no part "warnings"',
      action: 'Add sender, name and scope as docs/warnings.md shows, and start the cloud anew',
    },
    zh: {
      what: '未配置预警发布',
      cause: '云端配置文件没有 "warnings" 部分',
      action: '按 docs/warnings.md 填写 sender、name、scope 后重启云端',
    },
  },
  warning_refused: {
    en: {
      what: 'The warning cannot be drafted or released as things stand',
      cause:
        'Its alarm is hidden, historical or a test of the path, or the chain is past that step',
      action: 'The detail says what stands against it',
    },
    zh: {
      what: '当前情况下不能起草或放行该预警',
      cause: '报警被隐藏、为历史报警或通路测试，或消息链已过该步骤',
      action: '详情说明了原因',
    },
  },
  warning_full: {
    en: {
      what: 'No further message of this warning now',
      cause: 'A bound of messages of one warning, or of identifiers within one second',
      action: 'Try again in a second, or cancel the warning and draft another',
    },
    zh: {
      what: '该预警暂不能再发布消息',
      cause: '单个预警的消息数或一秒内的编号数已达上限',
      action: '一秒后重试，或解除该预警后重新起草',
    },
  },
  warning_format: {
    en: {
      what: 'The tables of warnings were written by a later version',
      cause: 'The cloud was replaced by an older one',
      action: 'Run the version that wrote them, or a later one',
    },
    zh: {
      what: '预警数据表由更新的版本写入',
      cause: '云端被换成了旧版本',
      action: '请使用写入该数据的版本或更新的版本',
    },
  },
} as const satisfies Record<string, FaultText>;
