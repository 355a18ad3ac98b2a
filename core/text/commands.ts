// Commands: what became of one, why, and what to do about it; and what the cloud says to whoever
// asks for one.
import type { CommandReason, Outcome } from '../command.ts';
import type { Bilingual, FaultText } from './text.ts';

type Dashed<Text extends string> = Text extends `${infer Head}_${infer Rest}`
  ? `${Head}-${Dashed<Rest>}`
  : Text;

/** A reason as the keys of the catalogue write it. */
export function dashed<Text extends string>(text: Text): Dashed<Text> {
  return text.replaceAll('_', '-') as Dashed<Text>;
}

const outcomeMessages = {
  'command-outcome-done': { en: 'done', zh: '已执行' },
  'command-outcome-refused': { en: 'refused', zh: '已拒绝' },
  'command-outcome-expired': { en: 'expired', zh: '已过期' },
  'command-outcome-failed': { en: 'failed', zh: '执行失败' },
  'command-outcome-uncertain': { en: 'uncertain', zh: '结果不明' },
} as const satisfies Record<`command-outcome-${Outcome}`, Bilingual>;

const reasonMessages = {
  'command-reason-none': { en: 'as it was asked for', zh: '按要求执行' },
  'command-reason-unknown-point': {
    en: 'the gateway has no such device or point',
    zh: '网关上没有该设备或测点',
  },
  'command-reason-not-offered': {
    en: 'the profile offers no such command, or the site does not allow it',
    zh: '设备模板未提供该命令，或现场未允许',
  },
  'command-reason-value-unfit': {
    en: 'the value is missing, of the wrong type, or given where none is wanted',
    zh: '数值缺失、类型不符，或该命令不需要数值',
  },
  'command-reason-out-of-range': {
    en: 'the value is outside what may be commanded',
    zh: '数值超出允许范围',
  },
  'command-reason-too-soon': {
    en: 'too soon after the command before it to the same point',
    zh: '距该测点上一条命令时间过短',
  },
  'command-reason-interlock': { en: 'an interlock of the site holds', zh: '现场联锁生效中' },
  'command-reason-needs-second': {
    en: 'no second person has released it',
    zh: '未经第二人放行',
  },
  'command-reason-replayed': {
    en: 'its id was used before for another command',
    zh: '该编号已用于另一条命令',
  },
  'command-reason-other-epoch': {
    en: 'the gateway was restarted since it was last heard of; nothing was sent to the device',
    zh: '网关在此之后已重启，未向设备发送',
  },
  'command-reason-too-late': {
    en: 'its time to live was over before anything was sent to the device',
    zh: '在发送给设备之前已超过有效时间',
  },
  'command-reason-full': {
    en: 'too many commands wait at the gateway, or its disk is full; nothing of this one was sent',
    zh: '网关上等待的命令过多或磁盘已满，未向设备发送',
  },
  'command-reason-no-connection': {
    en: 'there was no connection to the device; nothing was sent',
    zh: '与设备无连接，未发送',
  },
  'command-reason-device-refused': {
    en: 'the device answered that it will not',
    zh: '设备拒绝执行',
  },
  'command-reason-no-answer': {
    en: 'sent, and nobody said what became of it',
    zh: '已发送，但未得到结果',
  },
  'command-reason-read-back-differs': {
    en: 'the device confirmed it, and the point shows another value',
    zh: '设备已确认，但回读数值不一致',
  },
  'command-reason-read-back-failed': {
    en: 'the device confirmed it, and the point could not be read',
    zh: '设备已确认，但无法回读',
  },
  'command-reason-interrupted': {
    en: 'the gateway stopped between the first byte and the answer',
    zh: '网关在发送途中停止，未收到应答',
  },
} as const satisfies Record<`command-reason-${Dashed<CommandReason>}`, Bilingual>;

const adviceMessages = {
  'command-advice-none': { en: 'nothing to do', zh: '无需处理' },
  'command-advice-unknown-point': {
    en: 'look at what may be commanded now: the configuration of the gateway has changed',
    zh: '查看现在可下达的命令：网关配置可能已变更',
  },
  'command-advice-not-offered': {
    en: 'have the site file allow it, or correct the profile',
    zh: '由负责人在现场文件中允许，或更正设备模板',
  },
  'command-advice-value-unfit': {
    en: 'ask again with a value of the right type, or without one',
    zh: '以正确类型的数值（或不带数值）重新下达',
  },
  'command-advice-out-of-range': {
    en: 'ask again with a value within the range shown with the offer',
    zh: '在所示范围内取值后重新下达',
  },
  'command-advice-too-soon': {
    en: 'wait as long as the offer says, look at the point, then ask again',
    zh: '等待规定间隔，查看测点后再下达',
  },
  'command-advice-interlock': {
    en: 'see which interlock the detail names and why it holds; it is never passed by from here',
    zh: '查看是哪条联锁及其原因；联锁不能从此处绕过',
  },
  'command-advice-needs-second': {
    en: 'ask again, with a second person at hand who may release it',
    zh: '请有权限的第二人在场后重新下达',
  },
  'command-advice-replayed': {
    en: 'ask again under a new id; if nobody did this, somebody sends old commands: report it',
    zh: '以新编号重新下达；若无人操作，则可能有人重放旧命令，请上报',
  },
  'command-advice-other-epoch': {
    en: 'look at the point, then ask again',
    zh: '查看测点状态后重新下达',
  },
  'command-advice-too-late': {
    en: 'look at the point, then ask again, with a longer time to live on a slow line',
    zh: '查看测点后重新下达；线路较慢时延长有效时间',
  },
  'command-advice-full': {
    en: 'see what floods the gateway with commands or fills its disk, then ask again',
    zh: '查明是谁在大量下达命令或占满网关磁盘，然后重试',
  },
  'command-advice-no-connection': {
    en: 'see why the device does not answer, then ask again',
    zh: '查明设备无应答的原因后重新下达',
  },
  'command-advice-device-refused': {
    en: 'see the code in the detail and the manual: local mode, a fault, a lock',
    zh: '对照详细代码和设备手册：就地模式、故障或闭锁',
  },
  'command-advice-no-answer': {
    en: 'it may have happened: look at the point or go and see before asking again',
    zh: '可能已经执行：查看测点或到现场确认后再下达',
  },
  'command-advice-read-back-differs': {
    en: 'look at the device: it may need longer, be held locally, or be broken',
    zh: '检查设备：可能需要更长时间、处于就地控制或已损坏',
  },
  'command-advice-read-back-failed': {
    en: 'it was probably done: look at the point once it can be read again',
    zh: '很可能已执行：待测点可读后确认',
  },
  'command-advice-interrupted': {
    en: 'it may have happened: look at the point or go and see before asking again',
    zh: '可能已经执行：查看测点或到现场确认后再下达',
  },
} as const satisfies Record<`command-advice-${Dashed<CommandReason>}`, Bilingual>;

export const commandMessages = {
  ...outcomeMessages,
  ...reasonMessages,
  ...adviceMessages,
  'command-reason-unsaid': {
    en: 'its gateway gave no reason that is known here',
    zh: '网关未给出此处可识别的原因',
  },
  'command-state-waiting': { en: 'waits for a second person', zh: '等待第二人放行' },
  'command-state-issued': { en: 'sent, no outcome yet', zh: '已下达，尚无结果' },
  'command-no-point': {
    en: '{point}: no such point, or none that you may see',
    zh: '{point}：没有此测点，或您无权查看',
  },
  'command-no-offer': {
    en: '{point} has no command "{command}"; it has: {known}',
    zh: '{point} 没有命令“{command}”；可用的有：{known}',
  },
  'command-point-closed': {
    en: 'nothing may be commanded of {point}',
    zh: '{point} 不接受任何命令',
  },
  'command-value-none': {
    en: '{command} writes {fixed}: no other value can be given',
    zh: '“{command}”固定写入 {fixed}，不能另给数值',
  },
  'command-value-wanted': {
    en: '{command} needs a value: {wanted}',
    zh: '“{command}”需要数值：{wanted}',
  },
  'command-value-outside': {
    en: '{value} is not allowed for {command}: {wanted}',
    zh: '“{command}”不允许取值 {value}：{wanted}',
  },
  'command-wanted-any': { en: 'a value', zh: '任意数值' },
  'command-wanted-range': { en: '{low} to {high} {unit}', zh: '{low} 至 {high} {unit}' },
  'command-wanted-states': { en: 'one of {states}', zh: '可取：{states}' },
  'command-soon': {
    en: '{point} was commanded {since} s ago; at most once every {every} s',
    zh: '{point} 在 {since} 秒前已有命令；间隔至少 {every} 秒',
  },
  'command-right-needed': {
    en: '{name} has the right "{has}"; {command} needs "{needed}"',
    zh: '{name} 的权限为“{has}”，命令“{command}”需要“{needed}”',
  },
  'command-offline': {
    en: '{gateway} is not connected: a command is for now and cannot wait for it',
    zh: '网关 {gateway} 未连接：命令只对当前有效，不能等待',
  },
  'command-unheard': {
    en: 'nothing was received from {gateway} yet: the time of a command could not be told',
    zh: '尚未收到 {gateway} 的任何数据：无法确定命令的时间',
  },
  'command-open-beyond': {
    en: '{max} commands to {gateway} have no outcome yet',
    zh: '{gateway} 已有 {max} 条命令尚无结果',
  },
  'command-none': { en: 'no command {id}', zh: '没有命令 {id}' },
  'command-id-of-other': {
    en: '{id} is another command: {what}, asked by {by}',
    zh: '{id} 是另一条命令：{what}，由 {by} 下达',
  },
  'command-ttl-bounds': {
    en: 'a time to live is {least} s to {most} s, not {found} s',
    zh: '有效时间应为 {least} 至 {most} 秒，而非 {found} 秒',
  },
  'command-not-as-asked': {
    en: '{point} {command} is offered otherwise now than when it was asked for: ask again',
    zh: '{point} 的“{command}”在下达之后已有变更：请重新下达',
  },
  'command-not-waiting': {
    en: '{id} does not wait any more: {state}',
    zh: '{id} 不再等待放行：{state}',
  },
  'edge-command-refused': {
    en: 'the gateway answered {status}: {detail}',
    zh: '网关应答 {status}：{detail}',
  },
  'edge-command-waits': {
    en: '{id} waits {minutes} min for a second person: lifeline edge command {file} release {id}',
    zh: '{id} 等待第二人放行（{minutes} 分钟内）：lifeline edge command {file} release {id}',
  },
  'edge-command-reversal': {
    en: '{point} is set back to {value} in {seconds} s unless the cloud is heard',
    zh: '若 {seconds} 秒内仍收不到平台消息，{point} 将恢复为 {value}',
  },
  'command-cli-summary': {
    en: 'offers [GATEWAY[/DEVICE]], send GATEWAY/DEVICE/POINT [COMMAND] --why TEXT [--value V] [--ttl 30s] [--no-wait], list, show ID, follow',
    zh: 'offers 列出可下达的命令，send 网关/设备/测点 [命令] --why 原因 [--value 数值] [--ttl 30s] [--no-wait] 下达，list、show 编号、follow 查看',
  },
  'command-cli-no-offers': {
    en: 'nothing may be commanded',
    zh: '没有可下达的命令',
  },
  'command-cli-none': { en: 'no commands', zh: '没有命令' },
  'command-cli-not-yours': { en: 'not with your right', zh: '您的权限不足' },
  'command-cli-two': { en: 'two people', zh: '需两人' },
  'command-cli-every': { en: 'once every {every}', zh: '每 {every} 最多一次' },
  'command-cli-ttl': { en: 'worth {ttl}', zh: '有效 {ttl}' },
  'command-cli-revert': {
    en: 'back to {value} after {after} without the cloud',
    zh: '与云端失联 {after} 后恢复为 {value}',
  },
  'command-cli-waits': {
    en: 'waits for a second person until {until}: lifeline alarm approve {id}',
    zh: '等待第二人放行，截止 {until}：lifeline alarm approve {id}',
  },
  'command-cli-late': {
    en: '  afterwards {by} said; the outcome above stands:',
    zh: '  此后 {by} 的答复（以上结果不变）：',
  },
  'command-cli-read-back': { en: 'read back: {value}', zh: '回读：{value}' },
  'command-cli-issued': {
    en: '{id}  sent {at}, epoch {epoch}, sequence {sequence}, time to live {ttl}',
    zh: '{id}  下达于 {at}，纪元 {epoch}，序号 {sequence}，有效时间 {ttl}',
  },
  'command-cli-unheard': {
    en: 'it may have been taken: lifeline cloud command show {id}; or the same call with --id {id}',
    zh: '命令可能已被受理：lifeline cloud command show {id}；或以 --id {id} 重发同一命令',
  },
  'command-cli-id': {
    en: '--id {found} is not 32 lower-case hexadecimal digits',
    zh: '--id {found} 不是 32 位小写十六进制数字',
  },
  'approval-command': {
    en: 'command {what}: {title}{value}',
    zh: '命令 {what}：{title}{value}',
  },
} as const satisfies Record<string, Bilingual>;

export const commandFaults = {
  edge_command_refused: {
    en: {
      what: 'The gateway did not take the command.',
      cause: 'The token is of an earlier run, the words are not understood, or it is not waiting.',
      action: 'See the detail; a second person must be another one than the first.',
    },
    zh: {
      what: '网关未接受该命令。',
      cause: '令牌属于上一次运行、请求无法识别，或该命令已不在等待。',
      action: '查看详细信息；放行人不得与下达人相同。',
    },
  },
  command_point_unknown: {
    en: {
      what: 'There is no such point to command.',
      cause: 'The name is wrong, the gateway has another configuration now, or it is not yours.',
      action: 'List what may be commanded: lifeline cloud command offers.',
    },
    zh: {
      what: '没有可下达命令的此测点。',
      cause: '名称有误、网关配置已变更，或不在您的范围内。',
      action: '列出可下达的命令：lifeline cloud command offers。',
    },
  },
  command_not_offered: {
    en: {
      what: 'The point has no such command.',
      cause: 'Its profile offers none of this name, or the site file does not allow it.',
      action: 'List what may be commanded; who is responsible for the site may allow more there.',
    },
    zh: {
      what: '该测点没有这个命令。',
      cause: '设备模板未提供，或现场文件未允许。',
      action: '列出可下达的命令；需要时由现场负责人在现场文件中允许。',
    },
  },
  command_value_unfit: {
    en: {
      what: 'The value cannot be commanded.',
      cause: 'It is missing, of the wrong type, or the command has a value of its own.',
      action: 'See the detail, and ask again.',
    },
    zh: {
      what: '该数值不能下达。',
      cause: '缺少数值、类型不符，或该命令自带固定数值。',
      action: '按提示改正后重新下达。',
    },
  },
  command_out_of_range: {
    en: {
      what: 'The value is outside what may be commanded.',
      cause: 'The profile or the site file bounds it.',
      action: 'Give a value within the bounds that the detail names.',
    },
    zh: {
      what: '数值超出允许范围。',
      cause: '设备模板或现场文件限定了范围。',
      action: '在提示的范围内取值。',
    },
  },
  command_too_soon: {
    en: {
      what: 'The point was commanded a moment ago.',
      cause: 'The offer allows one command in so much time; the device needs it.',
      action: 'Look at the point, wait, and ask again if it is still wanted.',
    },
    zh: {
      what: '该测点刚刚接受过命令。',
      cause: '为保护设备，规定了两次命令之间的间隔。',
      action: '查看测点，等待后再决定是否下达。',
    },
  },
  command_not_allowed: {
    en: {
      what: 'This command needs a right that the token has not.',
      cause: 'Each command names the least right that may give it; reading never does.',
      action: 'Ask somebody who has the right, or an administrator to give it.',
    },
    zh: {
      what: '该令牌没有下达此命令的权限。',
      cause: '每个命令都规定了最低权限；只读权限不能下达命令。',
      action: '请有权限的人员操作，或由管理员授予。',
    },
  },
  gateway_offline: {
    en: {
      what: 'The gateway is not connected.',
      cause: 'Without hearing it the cloud cannot say until when the command holds.',
      action: 'Command at the gateway itself, or wait until it is back and ask again.',
    },
    zh: {
      what: '网关未连接。',
      cause: '收不到网关数据，就无法确定命令的有效时间。',
      action: '在网关本地操作，或等网关恢复后重新下达。',
    },
  },
  command_full: {
    en: {
      what: 'Too many commands to this gateway have no outcome yet.',
      cause: 'The gateway does not answer, or a program asks without end.',
      action: 'List the commands that are open, and see what the gateway does.',
    },
    zh: {
      what: '该网关尚无结果的命令过多。',
      cause: '网关没有应答，或有程序不断下达命令。',
      action: '列出未结束的命令，并检查网关。',
    },
  },
  command_unknown: {
    en: {
      what: 'There is no such command.',
      cause: 'The id is wrong, or it is a command to something you may not see.',
      action: 'List the commands: lifeline cloud command list.',
    },
    zh: {
      what: '没有这条命令。',
      cause: '编号有误，或不在您的范围内。',
      action: '列出命令：lifeline cloud command list。',
    },
  },
  command_id_taken: {
    en: {
      what: 'The id belongs to another command.',
      cause: 'An id stands for one command for ever; a repeat must say the very same.',
      action: 'Draw a new id of 128 random bits for each command.',
    },
    zh: {
      what: '该编号已属于另一条命令。',
      cause: '一个编号永远只对应一条命令；重复提交必须内容完全一致。',
      action: '每条命令使用新的 128 位随机编号。',
    },
  },
  command_time_to_live: {
    en: {
      what: 'The time to live is out of bounds.',
      cause: 'Shorter cannot reach a device; longer is no longer for now.',
      action: 'Give a time within the bounds that the detail names, or none.',
    },
    zh: {
      what: '有效时间超出范围。',
      cause: '过短无法送达设备，过长则不再是“当前”的命令。',
      action: '在提示的范围内填写，或不填。',
    },
  },
  command_format: {
    en: {
      what: 'The tables of commands were written by a newer version.',
      cause: 'The program was replaced by an older one.',
      action: 'Start the newer version again.',
    },
    zh: {
      what: '命令数据表由更新的版本写入。',
      cause: '程序被替换成了旧版本。',
      action: '请重新启动新版本。',
    },
  },
  command_changed: {
    en: {
      what: 'The command is not what was asked for any more.',
      cause: 'The offer has changed since, or it was released, withdrawn or has lapsed.',
      action: 'Look at the command; ask again where it is still wanted.',
    },
    zh: {
      what: '该命令已与下达时不同。',
      cause: '命令的规定已变更，或已放行、撤回、失效。',
      action: '查看该命令；仍需要时重新下达。',
    },
  },
} as const satisfies Record<string, FaultText>;
