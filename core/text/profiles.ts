// Texts of the auxiliary parts of a device profile, its default alarms and its identification.
import type { Bilingual, FaultText } from './text.ts';

export const profileMessages = {
  'not-a-whole': {
    en: '{found} is not a whole number; write 5, -1 or 0x0005',
    zh: '{found} 不是整数；请写 5、-1 或 0x0005',
  },
  'not-a-step': {
    en: '{found} is not a step; write { read: … } or { write: … }',
    zh: '{found} 不是有效的步骤；请写 { read: … } 或 { write: … }',
  },
  'map-excludes': {
    en: '{key} and map cannot stand together: map is the whole line',
    zh: '{key} 与 map 不能同时使用：map 已给出整条直线',
  },
  'map-flat': {
    en: 'both ends of {key} are the same',
    zh: '{key} 的两端相同',
  },
  'mode-unknown': {
    en: 'there is no other point {point} to tell the mode',
    zh: '没有可以说明工作模式的另一测点 {point}',
  },
  'mode-without-states': {
    en: 'no state of {point} says in_service: false, so nothing is ever out of service',
    zh: '{point} 没有任何状态写明 in_service: false，因此永远不会判为未投运',
  },
  'help-in-service': {
    en: 'say it of a state, beside en and zh: in_service: false',
    zh: '请在状态的 en、zh 旁写明 in_service: false',
  },
  'mode-depends': {
    en: '{point} depends on something itself: a mode is read as it stands',
    zh: '{point} 自身又依赖其他条件：工作模式应直接读取',
  },
  'mode-unused': {
    en: 'no point names {point} as its mode, so its states change nothing',
    zh: '没有测点把 {point} 作为工作模式，因此这些状态不起作用',
  },
  'register-not-whole': {
    en: '{what} must be a whole number, not {type}',
    zh: '{what} 必须是整数，而不是 {type}',
  },
  'unit-never-fits': {
    en: 'the point is in {unit}, and no value of the register stands for it or has a factor',
    zh: '测点单位为 {unit}，但寄存器没有任何取值与之对应或给出换算系数',
  },
  'order-twice': {
    en: 'order and order_from cannot stand together: the device decides',
    zh: 'order 与 order_from 不能同时使用：由设备决定',
  },
  'trigger-unknown': { en: 'there is no trigger {trigger}', zh: '没有触发动作 {trigger}' },
  'trigger-too-slow': {
    en: 'a wait of {wait} does not fit a poll period of {poll}',
    zh: '等待 {wait} 超出采集周期 {poll}',
  },
  'trigger-unused': {
    en: 'no point is read after the trigger {trigger}',
    zh: '没有测点在触发动作 {trigger} 之后读取',
  },
  'clear-needed': {
    en: 'nothing tells how far below or above {raise} is normal again; write clear',
    zh: '无法得知距 {raise} 多远才恢复正常；请写 clear',
  },
  'default-alarms-unit': {
    en: 'the default alarms {set} are in {wanted}, this point in {unit}',
    zh: '默认报警 {set} 的单位是 {wanted}，而此测点的单位是 {unit}',
  },
  'block-order': {
    en: 'a block of at least {least} and at most {most} registers cannot be',
    zh: '寄存器块不可能至少 {least} 个又至多 {most} 个',
  },
  'block-forbidden': {
    en: 'a block of {least} registers around {address} always touches a forbidden range',
    zh: '{address} 周围 {least} 个寄存器的块总会触及禁读区',
  },

  // Profiles for OPC UA.
  'modbus-only': {
    en: '{key} is for devices with registers; an OPC UA server needs none of it',
    zh: '{key} 只用于带寄存器的设备；OPC UA 服务器不需要',
  },
  'opcua-prefix-unknown': {
    en: 'the prefix {prefix} is tied to no namespace',
    zh: '前缀 {prefix} 没有对应的命名空间',
  },
  'opcua-prefix-help': {
    en: 'tie it to a URI under device.namespaces, as {prefix}: "urn:…"',
    zh: '请在 device.namespaces 下为其写明 URI，如 {prefix}: "urn:…"',
  },
  'opcua-event-holds': {
    en: '{key} means nothing for an event: it is told when something happens, and holds for no time',
    zh: '{key} 对事件没有意义：事件只在发生时报告，不会持续',
  },
  'opcua-event-help': {
    en: 'what holds is read as the field active of a condition',
    zh: '持续的状态请读取 condition 的 active 字段',
  },
  'point-node-twice': {
    en: '{point} reads the same node as {other}',
    zh: '{point} 与 {other} 读取同一个节点',
  },
  'test-other-protocol': {
    en: 'a test of this profile gives {wanted}',
    zh: '该设备描述的测试应给出 {wanted}',
  },
  'test-node-missing': {
    en: 'the test gives no node of {point}',
    zh: '测试没有给出 {point} 的节点',
  },

  // Titles of alarms that a profile does not name.
  'alarm-state': { en: '{point}: off normal', zh: '{point}异常' },
  'alarm-not-in-service': {
    en: '{point}: detector not in service',
    zh: '{point}：探测器未投运',
  },
  'action-not-in-service': {
    en: 'The place is not watched until then: find out who works on the device, or why it stays out',
    zh: '在此期间该处无监测：查明何人在操作设备，或为何未恢复',
  },

  // The profile catalogue.
  'profile-state': {
    en: '{title}: while it is {states}, level {level}, after {delay}',
    zh: '{title}：处于{states}时，{level} 级，持续 {delay}',
  },
  'profile-default': { en: 'default', zh: '默认' },
  'profile-latching': { en: 'stays until it is reset', zh: '锁存，须人工复位' },
  'profile-default-parts': { en: 'default: {parts}', zh: '默认值：{parts}' },
  'profile-scaling': {
    en: 'value = raw x {scale} + {offset}',
    zh: '值 = 原始值 × {scale} + {offset}',
  },
  'profile-mode': {
    en: 'counts while {mode} says so ({where})',
    zh: '是否有效以 {mode} 为准（{where}）',
  },
  'profile-unit-from': {
    en: 'unit checked in {where}: {list}',
    zh: '单位按 {where} 核对：{list}',
  },
  'profile-scale-from': {
    en: 'scale from {where} ({kind})',
    zh: '比例取自 {where}（{kind}）',
  },
  'profile-order-from': {
    en: 'word order from {where}: {list}',
    zh: '字序取自 {where}：{list}',
  },
  'profile-before': {
    en: 'read {wait} after the trigger {trigger}',
    zh: '触发 {trigger} 后等待 {wait} 再读取',
  },
  'profile-signal': {
    en: '4-20 mA from raw {zero} to {full}; below 3.6 and above 21 mA bad, below 3.8 and above 20.5 mA uncertain (NAMUR NE 43)',
    zh: '4-20 mA，对应原始值 {zero} 到 {full}；低于 3.6 或高于 21 mA 无效，低于 3.8 或高于 20.5 mA 可疑（NAMUR NE 43）',
  },
  'profile-states': { en: 'states: {list}', zh: '状态：{list}' },
  'profile-out-of-service': { en: 'not in service', zh: '未投运' },
  'profile-invalid': { en: 'no measurement: {list}', zh: '非测量值：{list}' },
  'profile-device': { en: 'The device', zh: '设备' },
  'profile-settings': { en: 'settings: {list}', zh: '设置：{list}' },
  'profile-wakes': {
    en: 'when nothing was asked for {after}, the first request may go unanswered and is sent again',
    zh: '超过 {after} 未询问时，首个请求可能没有应答，会再发一次',
  },
  'profile-trigger': {
    en: 'trigger {trigger}: {start}, then wait {wait}',
    zh: '触发 {trigger}：{start}，然后等待 {wait}',
  },
  'profile-trigger-stop': { en: '; afterwards {stop}', zh: '；读完后{stop}' },
  'profile-step-read': { en: 'read {what} of {where}', zh: '读取 {where} 的 {what} 个寄存器' },
  'profile-step-write': { en: 'write {what} to {where}', zh: '向 {where} 写入 {what}' },
  'profile-identify': { en: 'known by {where} = {equals}', zh: '识别：{where} = {equals}' },
  'profile-identify-id': {
    en: 'known by its device identification (function 43/14): {patterns}',
    zh: '识别：设备标识（功能码 43/14）{patterns}',
  },
  'profile-tests': { en: '{count} tests in the file', zh: '文件自带 {count} 个测试' },
} as const satisfies Record<string, Bilingual>;

export const profileFaults = {} as const satisfies Record<string, FaultText>;
