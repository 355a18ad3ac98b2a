// What people do with alarms: acknowledge, reset, silence, shelve, take out of service, test,
// approve.
import type { Bilingual, FaultText } from './text.ts';

export const actMessages = {
  'approvals-waiting': { en: '{max} wait already', zh: '已有 {max} 项待批准' },
  'approval-by': { en: 'asked by {by}', zh: '由 {by} 提出' },
  'approval-gone': { en: 'an alarm that is gone', zh: '已不存在的报警' },
  'approval-shelve': {
    en: 'shelve for {time}: {title}, level {level}, {target}',
    zh: '搁置 {time}：{title}，{level} 级，{target}',
  },
  'approval-retire': { en: 'retire rule {target}: {now}', zh: '停用规则 {target}：{now}' },
  'approval-rule': {
    en: 'change rule {target}: {from} -> {to} (condition, delays on/off, level)',
    zh: '修改规则 {target}：{from} -> {to}（条件、报警/恢复延时、级别）',
  },
  'approval-case': {
    en: 'end case {id} while its alarm holds',
    zh: '在报警仍存在时结束案件 {id}',
  },
  'cli-approval-by': {
    en: 'asked by {by}: {reason}; lapses {until}',
    zh: '由 {by} 提出：{reason}；{until} 失效',
  },
  'act-no-test': { en: '{device} is not under test', zh: '{device} 未处于测试中' },
  'act-needed': {
    en: '{name} may not {act}; an administrator gives it with the token',
    zh: '{name} 无权执行 {act}；由管理员在令牌中授予',
  },
  'act-level-one': {
    en: 'level I is never shelved: take the device out of service, or change the rule',
    zh: 'I 级报警不得搁置：请将设备退出服务或修改规则',
  },
  'act-too-long': { en: '{asked} is more than {max}', zh: '{asked} 超过上限 {max}' },
  'act-no-reason': { en: 'a reason is needed', zh: '必须填写原因' },
  'act-no-target': { en: '{target} is no alarm and no rule', zh: '{target} 既不是报警也不是规则' },
  'act-no-device': { en: 'no device {device} with rules', zh: '没有带规则的设备 {device}' },
  'act-refused-superseded': { en: 'a newer one has come', zh: '已有新的一次报警' },
  'act-refused-already': { en: 'it is so already', zh: '已处于该状态' },
  'act-refused-hidden': {
    en: 'it is shelved, suppressed or out of service',
    zh: '报警已搁置、被抑制或退出服务',
  },
  'act-refused-not-so': { en: 'it is not in that state', zh: '报警不处于该状态' },
  'act-refused-active': {
    en: 'the condition still holds: a latched alarm is reset after its return to normal',
    zh: '条件仍然存在：锁存报警须在恢复正常后复位',
  },
  'cli-do': { en: 'Do:', zh: '处置：' },
  'cli-consequence': { en: 'Consequence:', zh: '后果：' },
  'cli-basis': { en: 'Limit from:', zh: '限值依据：' },
  'cli-time-available': { en: 'Time to act: {minutes} min', zh: '可用处置时间：{minutes} 分钟' },
  'cli-shelved': {
    en: 'Shelved by {by} until {until}: {reason}',
    zh: '由 {by} 搁置至 {until}：{reason}',
  },
  'cli-removed': {
    en: 'Out of service by {by} until {until}: {reason}',
    zh: '由 {by} 退出服务至 {until}：{reason}',
  },
  'cli-tested': {
    en: 'Under test by {by} until {until}: {reason}',
    zh: '由 {by} 测试至 {until}：{reason}',
  },
  'cli-suppressed': { en: 'Hidden under {under}', zh: '被 {under} 抑制' },
  'cli-act-done': { en: '{target}: state {state}', zh: '{target}：状态 {state}' },
  'cli-act-waits': {
    en: '{target} waits for a second person: lifeline alarm approve {id}',
    zh: '{target} 等待第二人批准：lifeline alarm approve {id}',
  },
  'cli-silenced': { en: 'silent at this desk until {until}', zh: '本席消音至 {until}' },
  'cli-none-hidden': { en: 'nothing is hidden', zh: '没有被隐藏的报警' },
  'cli-none-waiting': { en: 'nothing waits for a second person', zh: '没有待批准的请求' },
  'cli-approved': { en: '{id} approved: {what}', zh: '已批准 {id}：{what}' },
  'cli-withdrawn': { en: '{id} withdrawn: {what}', zh: '已撤回 {id}：{what}' },
  'cli-no-tests': { en: 'no device is tested', zh: '没有正在测试的设备' },
  'cli-test-begun': {
    en: '{device} is tested by {by} until {until}',
    zh: '{device} 由 {by} 测试，至 {until}',
  },
  'cli-test-ended': { en: 'the test of {device} is over', zh: '{device} 的测试已结束' },
  'acts-known': { en: '--acts: one or more of {known}', zh: '--acts 可取：{known}' },
  'changed-by': {
    en: 'changed by {by} at {at}: it is revision {revision} now, not {given}',
    zh: '已由 {by} 于 {at} 更改：现为第 {revision} 版，而非第 {given} 版',
  },
} as const satisfies Record<string, Bilingual>;

export const actFaults = {
  approvals_full: {
    en: {
      what: 'Too many requests wait for a second person.',
      cause: 'Nobody approves or withdraws what others have asked.',
      action: 'List the approvals that wait, and decide them.',
    },
    zh: {
      what: '等待第二人批准的请求过多。',
      cause: '无人批准或撤回他人的请求。',
      action: '列出待批准的请求并逐一处理。',
    },
  },
  approval_unknown: {
    en: {
      what: 'Nothing of this number waits for a second person.',
      cause: 'It was approved or withdrawn, or has lapsed.',
      action: 'List the approvals that wait; ask again where it has lapsed.',
    },
    zh: {
      what: '没有这个编号的待批准请求。',
      cause: '已被批准或撤回，或已失效。',
      action: '列出待批准的请求；已失效的请重新提出。',
    },
  },
  approval_same_person: {
    en: {
      what: 'This needs a second person.',
      cause: 'Whoever asks for it cannot approve it.',
      action: 'Have somebody else look at it and approve it under their own name.',
    },
    zh: {
      what: '此操作需要第二人批准。',
      cause: '提出者不能批准自己的请求。',
      action: '请由另一人查看后以本人名义批准。',
    },
  },
  act_refused: {
    en: {
      what: 'The alarm is not in a state for this.',
      cause: 'It is shelved, suppressed or out of service, or is not what the act would end.',
      action: 'Look at the alarm: it shows its state, who hid it, and until when.',
    },
    zh: {
      what: '报警的当前状态不允许此操作。',
      cause: '报警已搁置、被抑制或退出服务，或并不处于该操作所要结束的状态。',
      action: '查看报警：其中显示状态、由谁隐藏及截止时间。',
    },
  },
  act_not_allowed: {
    en: {
      what: 'This act needs a right of its own, and this name has it not.',
      cause: 'Acknowledge, silence, shelve and out of service are four acts with four rights.',
      action: 'Ask somebody who has it, or an administrator to give it.',
    },
    zh: {
      what: '此操作需要单独的权限，而该使用者没有。',
      cause: '确认、消音、搁置、退出服务是四种操作，各有权限。',
      action: '请有权限的人员操作，或由管理员授予。',
    },
  },
  act_malformed: {
    en: {
      what: 'The act lacks something or asks for too much.',
      cause: 'No reason was given, the time is beyond the limit, or the level forbids it.',
      action: 'See the detail, and correct it.',
    },
    zh: {
      what: '操作缺少内容或超出限制。',
      cause: '未填写原因、时长超过上限，或该级别不允许。',
      action: '按提示改正。',
    },
  },
  api_precondition: {
    en: {
      what: 'Somebody was faster: it has changed since it was read.',
      cause: 'The revision in If-Match is not the present one.',
      action: 'Read it again: it shows who changed it. Then decide.',
    },
    zh: {
      what: '他人先行一步：读取之后对象已被更改。',
      cause: 'If-Match 中的版本不是当前版本。',
      action: '重新读取，其中显示由谁更改，再作决定。',
    },
  },
} as const satisfies Record<string, FaultText>;
