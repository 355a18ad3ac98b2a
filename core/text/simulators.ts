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
  'sim-line-stalled': {
    en: 'simulated line: {characters} characters wait to be sent',
    zh: '模拟线路：有 {characters} 个字符等待发送',
  },
  'sim-line-closed': { en: 'simulated line: closed', zh: '模拟线路：已关闭' },
  'sim-no-pty': {
    en: 'no pseudo-terminal at {path}: the folder is missing or the name is taken',
    zh: '{path} 处无法建立伪终端：目录不存在或名称已被占用',
  },
  'sim-serial-wrong': {
    en: '"{found}" are no settings of a line; write baud, data bits, parity and stop bits as 9600-8N1',
    zh: '“{found}”不是线路参数；请按“波特率-数据位校验停止位”书写，例如 9600-8N1',
  },
  'sim-rtu-needs-8': {
    en: 'RTU needs eight data bits; {found} has seven: use framing ascii',
    zh: 'RTU 需要 8 个数据位；{found} 只有 7 个：请用 ascii 帧格式',
  },
  'sim-endpoint-wrong': {
    en: '"{found}" is no end of a line; write sim:/run/x.sock, sim:HOST:PORT, pty:/tmp/ttyX, rtu-tcp:HOST:PORT or tcp:HOST:PORT',
    zh: '“{found}”不是线路端点；请写成 sim:/run/x.sock、sim:主机:端口、pty:/tmp/ttyX、rtu-tcp:主机:端口 或 tcp:主机:端口',
  },
  'sim-fault-no-unit': {
    en: '"{found}" is about unit {unit}, and no station has it',
    zh: '“{found}”涉及单元 {unit}，但没有这样的从站',
  },
  'sim-framing-wrong': {
    en: '--framing: rtu or ascii, not "{found}"',
    zh: '--framing：rtu 或 ascii，而不是“{found}”',
  },
  'sim-line-nowhere': {
    en: 'nobody could reach the line: say where with --line sim:/run/x.sock or --pty /tmp/ttyX',
    zh: '没有程序能连到该线路：请用 --line sim:/run/x.sock 或 --pty /tmp/ttyX 指明',
  },
  'sim-line-what': {
    en: 'name a FILE, or the devices with --profile vendor/model and --units 1-8',
    zh: '请给出文件，或用 --profile 厂商/型号 和 --units 1-8 指明设备',
  },
  'sim-line-both': {
    en: '--{option} stands in the file already; leave one of the two out',
    zh: '文件中已包含 --{option}；二者只能取一',
  },
  'sim-line-done': {
    en: '{frames} frames, {served} answers, {collisions} collisions; later than computed by {p50} ms (half), {p99} ms (99 %)',
    zh: '{frames} 帧，{served} 个应答，{collisions} 次冲突；比计算时刻晚 {p50} 毫秒（半数）、{p99} 毫秒（99%）',
  },
  'sim-fault-form': {
    en: 'KIND[=VALUE][:UNITS][/EVERY][@FROM[-TO]], as in late=800:2+5-8/3@10s-1m',
    zh: '写法：类型[=值][:单元号][/每几次][@开始[-结束]]，例如 late=800:2+5-8/3@10s-1m',
  },
  'sim-fault-unknown': {
    en: 'no fault is called "{found}"; there are {known}',
    zh: '没有名为“{found}”的故障；可用：{known}',
  },
  'sim-fault-line-only': {
    en: '{kind} shows only on a serial line; `lifeline sim line` has one',
    zh: '{kind} 只在串行线路上出现；请用 `lifeline sim line`',
  },
  'sim-fault-tcp-only': {
    en: '{kind} shows only over Modbus TCP; `lifeline sim device` has it',
    zh: '{kind} 只在 Modbus TCP 上出现；请用 `lifeline sim device`',
  },
  'sim-fault-modbus-only': {
    en: '{kind} shows only over Modbus; the profile speaks OPC UA',
    zh: '{kind} 只在 Modbus 上出现；该设备描述使用 OPC UA',
  },
  'sim-fault-opcua-only': {
    en: '{kind} shows only over OPC UA; `lifeline sim device` has it for profiles that speak it',
    zh: '{kind} 只在 OPC UA 上出现；请对使用 OPC UA 的设备描述运行 `lifeline sim device`',
  },
  'sim-opcua-element': {
    en: 'the simulator shows elements of arrays as [2] and of ranges as Low and High, not "{element}"',
    zh: '模拟器可显示数组元素（如 [2]）和范围的 Low、High，不支持“{element}”',
  },
  'sim-opcua-option': {
    en: '--{option} is for devices that speak {protocol}',
    zh: '--{option} 只用于使用 {protocol} 的设备',
  },
  'sim-no-station': {
    en: 'the pump station is not shown: {why}',
    zh: '泵站未启动：{why}',
  },
  'sim-units-wrong': {
    en: '"{found}" names no units; write 2, 1-8 or 2+5-8, from 1 to 255',
    zh: '“{found}”不是单元号；请写成 2、1-8 或 2+5-8，范围 1 至 255',
  },
  'sim-fault-time': {
    en: 'in "{found}" the time is not from a moment to a later one, as in @10s-1m',
    zh: '“{found}”中的时间不是从某时刻到更晚的时刻，写法如 @10s-1m',
  },
  'sim-fault-settings': {
    en: '{kind} takes the settings of a line, as 9600-8E1, not "{found}"',
    zh: '{kind} 需要线路参数，例如 9600-8E1，而不是“{found}”',
  },
  'sim-fault-no-value': {
    en: '{kind} takes no value; "{found}" was given',
    zh: '{kind} 不带参数值；给出的是“{found}”',
  },
  'sim-fault-value': {
    en: '{kind} takes a whole number from {min} to {max}, not "{found}"',
    zh: '{kind} 需要 {min} 至 {max} 的整数，而不是“{found}”',
  },
  'sim-fault-silence': {
    en: 'the unit does not answer',
    zh: '该单元不应答',
  },
  'sim-fault-late': {
    en: 'answers come so many ms late, also behind the next question',
    zh: '应答迟到若干毫秒，甚至晚于下一次询问',
  },
  'sim-fault-exception': {
    en: 'every request is answered with this exception code',
    zh: '一律以该异常码应答',
  },
  'sim-fault-wrong-transaction': {
    en: 'answers carry another transaction number',
    zh: '应答带有其他事务号',
  },
  'sim-fault-wrong-unit': {
    en: 'answers carry another unit number',
    zh: '应答带有其他单元号',
  },
  'sim-fault-split': {
    en: 'answers come in pieces of so many bytes with pauses between them',
    zh: '应答分成若干字节的片段，片段之间有停顿',
  },
  'sim-fault-truncate': {
    en: 'answers end after so many bytes',
    zh: '应答在若干字节后中断',
  },
  'sim-fault-merge': {
    en: 'so many answers come as one piece; on a line the earlier wait for the last',
    zh: '若干个应答合并为一段；在线路上先到的等待最后一个',
  },
  'sim-fault-garbage': {
    en: 'so many bytes that are no frame come ahead of an answer',
    zh: '应答之前先来若干个不成帧的字节',
  },
  'sim-fault-noise': {
    en: 'so many bits of each answer are turned round',
    zh: '每个应答中有若干位被翻转',
  },
  'sim-fault-duplicate': {
    en: 'answers come twice',
    zh: '应答重复两次',
  },
  'sim-fault-close': {
    en: 'the connection is closed instead of an answer',
    zh: '不应答而是断开连接',
  },
  'sim-fault-echo': {
    en: 'the adapter of the master hears what it sends itself',
    zh: '主站的适配器会收到自己发出的字节',
  },
  'sim-fault-duplicate-address': {
    en: 'a second device with other values has the same address',
    zh: '另一台数值不同的设备使用同一地址',
  },
  'sim-fault-second-master': {
    en: 'somebody else polls the line, about every so many ms',
    zh: '另有主站轮询该线路，约每隔若干毫秒一次',
  },
  'sim-fault-wrong-settings': {
    en: 'these stations are set to another speed or parity',
    zh: '这些从站的波特率或校验设置不同',
  },
  'sim-fault-swapped-pair': {
    en: 'A and B are swapped at these stations; without units, at the master',
    zh: '这些从站的 A、B 线接反；不写单元号则为主站接反',
  },
  'sim-fault-missing-bias': {
    en: 'nothing holds the idle pair: stray characters about every so many ms',
    zh: '空闲时线对无偏置：约每隔若干毫秒出现杂散字符',
  },
  'sim-fault-frozen': {
    en: 'the device, or the one point named, keeps showing what it shows now',
    zh: '设备（或指定的一个测点）一直显示当前值不变',
  },
  'sim-fault-spikes': {
    en: 'about every so many reads one value is at the far end of its range',
    zh: '约每若干次读取有一个值跳到量程另一端',
  },
  'sim-fault-clock-reset': {
    en: 'the clock of the device starts again at 2000-01-01',
    zh: '设备时钟从 2000-01-01 重新开始',
  },
  'sim-fault-hung': {
    en: 'connections are taken and nothing is answered',
    zh: '接受连接，但什么都不应答',
  },
  'sim-fault-no-publish': {
    en: 'every request is answered, and nothing is published',
    zh: '所有请求都应答，但不发布任何数据',
  },
  'sim-fault-session-limit': {
    en: 'so many sessions are let in, further ones refused',
    zh: '只允许若干个会话，其余拒绝',
  },
  'sim-fault-bad-status': {
    en: 'the points, or the one named, have no value but BadDeviceFailure',
    zh: '全部测点（或指定的一个）没有值，状态为 BadDeviceFailure',
  },
  'sim-fault-clock-off': {
    en: 'the clock of the server is ahead by so many seconds; behind with a minus',
    zh: '服务器时钟快若干秒；负值为慢',
  },
  'sim-fault-expired-certificate': {
    en: 'the certificate of the server has expired',
    zh: '服务器证书已过期',
  },
  'sim-fault-foreign-certificate': {
    en: 'the certificate of the server is made out to another host',
    zh: '服务器证书属于另一台主机',
  },
} as const satisfies Record<string, Bilingual>;

export const simulatorFaults = {
  sim_no_socat: {
    en: {
      what: 'The simulator cannot make a pseudo-terminal.',
      cause: 'The program socat is not installed.',
      action: 'Install it (`apt install socat`), or use --line sim:PATH or rtu-tcp:HOST:PORT.',
    },
    zh: {
      what: '模拟器无法建立伪终端。',
      cause: '没有安装 socat 程序。',
      action: '请安装（`apt install socat`），或改用 --line sim:路径 或 rtu-tcp:主机:端口。',
    },
  },
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
  sim_opcua_missing: {
    en: {
      what: 'The simulated OPC UA server cannot start.',
      cause: 'The development package node-opcua-server is not installed.',
      action: 'Install with development packages: `npm ci` without `--omit=dev`.',
    },
    zh: {
      what: '模拟 OPC UA 服务器无法启动。',
      cause: '没有安装开发用软件包 node-opcua-server。',
      action: '请连同开发用软件包一起安装：运行 `npm ci`，不要加 `--omit=dev`。',
    },
  },
  sim_opcua_failed: {
    en: {
      what: 'The simulated OPC UA server failed.',
      cause: 'It could not start, or its process ended.',
      action: 'See what it said; a port that is taken is chosen with --port.',
    },
    zh: {
      what: '模拟 OPC UA 服务器出错。',
      cause: '无法启动，或其进程已退出。',
      action: '请查看其输出；端口被占用时用 --port 更换。',
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
