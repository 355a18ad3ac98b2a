// The local fallback: what is wrong with it in a gateway file, and what is told when it acts.
import type { Bilingual } from './text.ts';

export const fallbackMessages = {
  'fallback-never': {
    en: 'no alarm could ever start the fallback {fallback}: no rule of these levels on the points meant',
    zh: '后备动作 {fallback} 永远不会启动：所指测点上没有这些级别的报警规则',
  },
  'fallback-not-allowed': {
    en: '{point} cannot be driven by {command}: its profile does not offer it, or the device does not allow it here',
    zh: '{point} 不能用 {command} 驱动：设备模板未提供该命令，或此处该设备未允许',
  },
  'help-fallback-allow': {
    en: 'allow it at the device, under commands.allow',
    zh: '请在该设备的 commands.allow 下允许',
  },
  'fallback-value-unfit': {
    en: '{value} cannot be written to {point} by {command}: it takes {fits}',
    zh: '不能用 {command} 向 {point} 写入 {value}：可写入 {fits}',
  },
  'fallback-no-release': {
    en: 'nobody can tell what releases {point}: give a value of the release, or say release: never',
    zh: '无法确定如何释放 {point}：请给出释放值，或写 release: never',
  },
  'fallback-release-same': {
    en: 'the release of {point} writes what drove it',
    zh: '{point} 的释放值与驱动值相同',
  },
  'fallback-outputs-differ': {
    en: '{fallback} and {other} drive or release {point} each in its own way',
    zh: '{fallback} 与 {other} 对 {point} 的驱动或释放方式不一致',
  },
  'fallback-may-be-held': {
    en: 'the interlock {interlock} may keep {point} from being driven, when nobody is there to see it',
    zh: '联锁 {interlock} 可能在无人看到时阻止驱动 {point}',
  },
  'check-fallbacks': {
    en: 'What is driven when nobody confirms',
    zh: '无人确认时的后备动作',
  },
  'check-fallback': {
    en: '{fallback}: after {limit}, or {away}: {output}; for {rules} rules',
    zh: '{fallback}：{limit} 后，或{away}：{output}；涉及 {rules} 条规则',
  },
  'check-fallback-at-once': { en: 'at once when the cloud is away', zh: '与云端失联时立即执行' },
  'check-fallback-wait': { en: 'as late when the cloud is away', zh: '与云端失联时同样等待' },
  'check-fallback-release': {
    en: 'released by {when}: {release}',
    zh: '释放条件 {when}：{release}',
  },
  'check-fallback-latched': {
    en: 'stays until a person commands it',
    zh: '保持，直到有人下达命令',
  },
  'fallback-why-unconfirmed': {
    en: 'nobody confirmed within {limit}',
    zh: '{limit} 内无人确认',
  },
  'fallback-why-cloud-away': { en: 'the cloud is away', zh: '与云端失联' },
  'fallback-why-confirmed': { en: 'the alarm was confirmed', zh: '报警已确认' },
  'fallback-why-cleared': { en: 'the alarm is over', zh: '报警已解除' },
  'fallback-why-after': { en: 'driven for {after}', zh: '已驱动 {after}' },
} as const satisfies Record<string, Bilingual>;
