// What may be commanded: the commands of a profile, and what a gateway file allows of them.
import type { Bilingual } from './text.ts';

export const offerMessages = {
  'command-set-title': { en: 'Set {point}', zh: '设定{point}' },
  'keys-exclude': {
    en: '{key} and {other} cannot stand together',
    zh: '{key} 与 {other} 不能同时使用',
  },
  'command-set-twice': {
    en: 'the command set is offered by write already',
    zh: '命令 set 已由 write 提供',
  },
  'command-no-calls': {
    en: 'the protocol {protocol} calls nothing; give the address in write',
    zh: '协议 {protocol} 不支持调用；请在 write 中写明地址',
  },
  'command-read-only': {
    en: 'nothing can be written there',
    zh: '该处不能写入',
  },
  'command-derived': {
    en: 'the unit, scale or order of the point is only known with a reading; say in write, with scale and offset, what to write',
    zh: '该测点的单位、比例或字序随读数才能确定；请在 write 中写明写入地址，并给出 scale 和 offset',
  },
  'command-line-alone': {
    en: '{key} belongs to write or call; where the point is read, its own counts',
    zh: '{key} 只用于 write 或 call；写入读取地址时以测点自身的换算为准',
  },
  'command-unbounded': {
    en: 'nothing says which values may be given; write range or states',
    zh: '没有说明可以给出哪些值；请写 range 或 states',
  },
  'command-duration': {
    en: '{key} can be {minimum} to {maximum}, not {found}',
    zh: '{key} 可以是 {minimum} 到 {maximum}，不能是 {found}',
  },
  'command-value-unfit': {
    en: '{value} cannot be written as {type}, or would not read back as it',
    zh: '{value} 不能作为 {type} 写入，或写入后读回的不是它',
  },
  'command-value-invalid': {
    en: 'the range includes {value}, which the point reads as no measurement',
    zh: '范围内含有 {value}，而该测点把它读作非测量值',
  },
  'command-range-outside': {
    en: '{low} to {high} goes beyond the range of the point, {min} to {max}',
    zh: '{low} 到 {high} 超出测点量程 {min} 到 {max}',
  },
  'command-state-unknown': {
    en: '{state} is none of the states of the point',
    zh: '{state} 不在该测点的状态之内',
  },
  'command-word-missing': {
    en: 'words does not say what to write for {value}',
    zh: 'words 没有说明值 {value} 应写入什么',
  },
  'command-revert-unfit': {
    en: 'this command cannot go back to {value}',
    zh: '此命令不能恢复到 {value}',
  },
  'command-no-value': {
    en: 'what is called is given no value; $value among its arguments stands for it',
    zh: '所调用的方法不带值；可在其 arguments 中用 $value 表示',
  },
  'command-revert-call': {
    en: 'a call that is given no value cannot go back to one',
    zh: '不带值的调用无法恢复到某个值',
  },

  // Commands in words (device-profiles/described.ts).
  'command-right': { en: 'right: {right}', zh: '权限：{right}' },
  'right-operate': { en: 'operate', zh: '操作' },
  'right-control': { en: 'control', zh: '控制' },
  'right-administer': { en: 'administer', zh: '管理' },
  'command-two-people': { en: 'a second person releases it', zh: '须第二人放行' },
  'command-every': { en: 'not sooner than {every} after the one before', zh: '间隔不少于 {every}' },
  'command-reverts': {
    en: 'back to {value} when the cloud was not heard for {after}',
    zh: '{after} 未收到云端消息时恢复为{value}',
  },
  'command-read-back': { en: 'shown within {within}', zh: '{within} 内回读确认' },
  'command-unseen': { en: 'not read back', zh: '不回读' },
  'profile-commands': {
    en: 'Commands (given only where the gateway file allows them)',
    zh: '命令（仅在网关文件允许时可下发）',
  },
  'page-commands': { en: 'Commands', zh: '命令' },
  'page-commands-note': {
    en: 'Given only where the gateway file allows them, and refused while an interlock of the site holds.',
    zh: '仅在网关文件允许时可下发；现场联锁起作用时一律拒绝。',
  },
  'check-commands': { en: 'What may be commanded', zh: '允许的命令' },
  'check-command': {
    en: '{device}/{point}.{command}: {offer}',
    zh: '{device}/{point}.{command}：{offer}',
  },
  'check-unguarded': { en: 'no interlock', zh: '无联锁' },
  'check-guarded': {
    en: 'refused while {watch} {condition}, bad, or older than {stale} (interlock {id})',
    zh: '{watch} {condition}、无效或超过 {stale} 未更新时拒绝（联锁 {id}）',
  },
  'check-guarded-values': { en: 'for {values}: {guard}', zh: '写入 {values} 时：{guard}' },
  'holds-above': { en: 'is above {limit}', zh: '高于 {limit}' },
  'holds-below': { en: 'is below {limit}', zh: '低于 {limit}' },
  'holds-is': { en: 'is {states}', zh: '为 {states}' },

  // What a gateway file allows (edge/config/commands.ts).
  'not-an-offer': {
    en: '{found} is not a point and a command, such as run.stop',
    zh: '{found} 不是“测点.命令”，应如 run.stop',
  },
  'not-a-watch': {
    en: '{found} is not device/point',
    zh: '{found} 不是 设备/测点',
  },
  'command-unknown': {
    en: 'the profile {profile} offers no command {command}',
    zh: '设备描述 {profile} 没有命令 {command}',
  },
  'command-none-offered': {
    en: 'the profile {profile} offers no commands',
    zh: '设备描述 {profile} 不提供任何命令',
  },
  'command-allowed-twice': {
    en: '{command} is allowed already',
    zh: '{command} 已经允许',
  },
  'command-not-allowed': {
    en: '{command} is not allowed, so nothing of it can be set',
    zh: '{command} 未被允许，因此不能对它作设置',
  },
  'command-widened': {
    en: '{key} of {command} may only be narrower than in the profile, which says {found}',
    zh: '{command} 的 {key} 只能比设备描述更严，其中为 {found}',
  },
  'command-setting': {
    en: '{setting}: what may be commanded is allowed and narrowed under commands, not here',
    zh: '{setting}：命令在 commands 下允许和收窄，不能在此设置',
  },
  'interlock-unknown-command': {
    en: '{point} offers no command {command}',
    zh: '{point} 没有命令 {command}',
  },
  'interlock-condition': {
    en: 'an interlock holds by one of above, below and is; {count} are given',
    zh: '联锁条件应为 above、below、is 之一；这里给出 {count} 个',
  },
  'unknown-device': { en: 'there is no device {device}', zh: '没有设备 {device}' },
  'unknown-point': {
    en: 'the device {device} has no point {point}',
    zh: '设备 {device} 没有测点 {point}',
  },
  'interlock-watches-kind': {
    en: '{key} means nothing for {point}, a value of kind {type}',
    zh: '{key} 对 {point} 没有意义，其值类型为 {type}',
  },
  'interlock-watches-event': {
    en: '{point} is told when something happens, and holds for no time',
    zh: '{point} 只在事件发生时报告，不会持续',
  },
  'same-nodes': {
    en: '{device} reads the same nodes of the same server as {other}',
    zh: '{device} 与 {other} 读取同一服务器的相同节点',
  },
  'interlock-never': {
    en: '{point} is never {key} {limit}: its range is {min} to {max}',
    zh: '{point} 不会出现 {key} {limit}：其量程为 {min} 到 {max}',
  },
  'interlock-stale-soon': {
    en: '{point} is read every {poll}: with {stale}, one lost answer makes the interlock hold',
    zh: '{point} 每 {poll} 采集一次：设为 {stale} 时，丢失一次应答就会使联锁起作用',
  },
  'interlock-guards-nothing': {
    en: 'no command of {point} is allowed that this could refuse',
    zh: '{point} 没有允许的命令可供此联锁拒绝',
  },
  'interlock-value-unfit': {
    en: 'no command of {point} can write {value}',
    zh: '{point} 没有任何命令会写入 {value}',
  },
} as const satisfies Record<string, Bilingual>;
