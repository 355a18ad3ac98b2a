import type { Bilingual, FaultText } from './text.ts';

export const simulatorMessages = {
  'sim-no-point': { en: '{profile} has no point {id}', zh: '{profile} 没有测点 {id}' },
  'sim-no-device': { en: 'no device {id}', zh: '没有设备 {id}' },
  'sim-no-code': { en: '{id} has no code for {reason}', zh: '{id} 没有表示 {reason} 的代码' },
  'sim-unfit': { en: '{id} ({type}) cannot show {value}', zh: '{id}（{type}）无法表示 {value}' },
  'sim-set-usage': {
    en: '--set point=value, not "{found}"',
    zh: '--set 测点=值，而不是“{found}”',
  },
  'sim-frozen-usage': {
    en: '--fault frozen=DEVICE or frozen=DEVICE/POINT, not "{found}"',
    zh: '--fault frozen=设备 或 frozen=设备/测点，而不是“{found}”',
  },
  'sim-speed-usage': { en: '--speed: more than 0', zh: '--speed：应大于 0' },
  'sim-playing': { en: 'playing since {at}', zh: '自 {at} 开始回放' },
  'sim-played': {
    en: 'played {rows} rows, {skipped} skipped',
    zh: '已回放 {rows} 行，跳过 {skipped} 行',
  },
  'recording-no-column': {
    en: 'the recording has no column {name}; it has {known}',
    zh: '录制数据没有列 {name}；现有列：{known}',
  },
  'recording-unit-twice': {
    en: 'the unit {unit} stands here a second time',
    zh: '单元号 {unit} 重复出现',
  },
  'recording-too-long': {
    en: 'the recording has {rows} rows, more than {rowsMax}',
    zh: '录制数据有 {rows} 行，超过上限 {rowsMax}',
  },
} as const satisfies Record<string, Bilingual>;

export const simulatorFaults = {
  sim_bind: {
    en: {
      what: 'The simulator cannot listen on its address.',
      cause: 'Another program has the port, or the machine has no such address.',
      action: 'Choose another port with --port, or stop the other program.',
    },
    zh: {
      what: '模拟器无法监听其地址。',
      cause: '端口被其他程序占用，或本机没有该地址。',
      action: '用 --port 更换端口，或停止占用它的程序。',
    },
  },
  sim_point_unknown: {
    en: {
      what: 'The simulated device has no such point.',
      cause: 'A misspelt point, or another profile than the scenario was written for.',
      action: 'Compare with `lifeline profile show` of the profile.',
    },
    zh: {
      what: '模拟设备没有该测点。',
      cause: '测点名称有误，或场景针对的是另一个设备描述。',
      action: '对照 `lifeline profile show` 的输出检查。',
    },
  },
  sim_value_unfit: {
    en: {
      what: 'The registers of the simulated point cannot hold this value.',
      cause:
        'A text for a number, a number for a switch, or no number for a whole-number register.',
      action: 'Give the point a value of its own kind.',
    },
    zh: {
      what: '模拟测点的寄存器无法表示该值。',
      cause: '给数值测点写了文本、给开关量写了数字，或给整数寄存器写了非数字。',
      action: '请写入与测点类型相符的值。',
    },
  },
  sim_no_such_code: {
    en: {
      what: 'The simulated device has no code for this reason.',
      cause: 'Its profile lists no raw value under `invalid` that means this.',
      action: 'Choose a reason the profile knows, or let the server answer with a fault instead.',
    },
    zh: {
      what: '模拟设备没有表示该原因的代码。',
      cause: '设备描述的 `invalid` 中没有对应的原始值。',
      action: '选择设备描述中已有的原因，或改用服务器故障来模拟。',
    },
  },
} as const satisfies Record<string, FaultText>;
