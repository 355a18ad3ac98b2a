import type { Bilingual, FaultText } from './text.ts';

export const protocolMessages = {
  'protocol-not-a-map': {
    en: 'this must be a map of settings, found {found}',
    zh: '此处应为键值映射，实际为 {found}',
  },
  'protocol-key-unknown': {
    en: 'unknown key "{key}"; known are {known}',
    zh: '未知的键 “{key}”；可用的键：{known}',
  },
  'protocol-key-missing': {
    en: '"{key}" is missing; expected {expected}',
    zh: '缺少 “{key}”；应为 {expected}',
  },
  'protocol-value-wrong': {
    en: '"{key}" is {found}; expected {expected}',
    zh: '“{key}” 为 {found}；应为 {expected}',
  },
  'protocol-key-unfit': {
    en: '"{key}" has no meaning for type {type}; leave it out',
    zh: '类型 {type} 不使用 “{key}”；请删除',
  },
  'protocol-did-you-mean': {
    en: 'did you mean "{word}"?',
    zh: '是否想写 “{word}”？',
  },
  'modbus-type-on-bits': {
    en: 'table {table} holds single bits; type {type} needs input or holding registers',
    zh: '{table} 表只有单个位；类型 {type} 需要输入寄存器或保持寄存器',
  },
  'modbus-address-end': {
    en: 'the value needs {width} registers from {address}, beyond the last register 65535',
    zh: '该值从 {address} 起需要 {width} 个寄存器，超出最后一个寄存器 65535',
  },
  'modbus-address-notation': {
    en: "addresses are counted from 0 as sent on the wire: the manual's 40001 is table holding, address 0",
    zh: '地址按报文从 0 起计：手册中的 40001 即 holding 表的地址 0',
  },
  'modbus-mask-width': {
    en: 'the mask {mask} has bits beyond type {type}',
    zh: '掩码 {mask} 超出类型 {type} 的位数',
  },
  'modbus-forbidden-order': {
    en: 'the forbidden range ends at {to}, before it begins at {from}',
    zh: '禁读区间的终点 {to} 在起点 {from} 之前',
  },
  'modbus-unit': {
    en: 'unit {unit}',
    zh: '站号 {unit}',
  },
  'modbus-unit-range': {
    en: 'unit {unit}: function {code}, {from}..{to}',
    zh: '站号 {unit}：功能码 {code}，{from}..{to}',
  },
  'modbus-unit-exception': {
    en: 'unit {unit}: exception {exception} to function {code}, {from}..{to}',
    zh: '站号 {unit}：功能码 {code}，{from}..{to} 返回异常 {exception}',
  },
  'modbus-unit-other': {
    en: 'unit {unit} was asked, unit {other} answered: function {code}, {from}..{to}',
    zh: '询问站号 {unit}，应答的是站号 {other}：功能码 {code}，{from}..{to}',
  },
  'modbus-single': {
    en: 'unit {unit}: function {code}',
    zh: '站号 {unit}：功能码 {code}',
  },
  'modbus-single-exception': {
    en: 'unit {unit}: exception {exception} to function {code}',
    zh: '站号 {unit}：功能码 {code} 返回异常 {exception}',
  },
  'modbus-single-other': {
    en: 'unit {unit} was asked, unit {other} answered: function {code}',
    zh: '询问站号 {unit}，应答的是站号 {other}：功能码 {code}',
  },
  'modbus-read-only': {
    en: 'table {table}, address {address}',
    zh: '{table} 表，地址 {address}',
  },
  'modbus-value-unfit': {
    en: '{value} as {type}',
    zh: '{value}，类型 {type}',
  },
  'modbus-desync-misfit': {
    en: '{count} anomalies in a row, the last: an answer that does not fit its request',
    zh: '连续 {count} 次异常，最后一次：应答与请求不符',
  },
  'modbus-desync-unit': {
    en: '{count} anomalies in a row, the last: an answer of a unit that was not asked',
    zh: '连续 {count} 次异常，最后一次：未被询问的站号作了应答',
  },
  'modbus-desync-garbage': {
    en: '{count} anomalies in a row, the last: bytes that are no Modbus TCP frame',
    zh: '连续 {count} 次异常，最后一次：数据不是 Modbus TCP 报文',
  },
  'modbus-desync-unknown': {
    en: '{count} anomalies in a row, the last: an answer to a transaction that is not in flight',
    zh: '连续 {count} 次异常，最后一次：应答的事务号没有对应的请求',
  },
  'modbus-desync-unanswered': {
    en: '{count} requests in {seconds} s went unanswered',
    zh: '{seconds} 秒内有 {count} 个请求无应答',
  },
  'opcua-one-kind': {
    en: 'a point needs exactly one of {kinds}',
    zh: '点位必须且只能有以下之一：{kinds}',
  },
  'opcua-not-writable': {
    en: 'a command cannot write a point of kind {kind}; give path or id, object and method, or acknowledge',
    zh: '命令不能写入 {kind} 类点位；请给出 path 或 id、object 与 method，或 acknowledge',
  },
  'opcua-prefix': {
    en: '"{prefix}" is no prefix: a letter, then up to 31 letters, digits, - or _',
    zh: '“{prefix}” 不是有效前缀：以字母开头，其后最多 31 个字母、数字、- 或 _',
  },
  'opcua-uri': {
    en: 'namespace "{prefix}" needs the URI of the namespace as the server has it, as text',
    zh: '命名空间 “{prefix}” 需要填写服务器中的命名空间 URI（文本）',
  },
  'opcua-indexed': {
    en: '"{text}" names its namespace by index, which another server of this kind may have elsewhere',
    zh: '“{text}” 用序号指定命名空间，而同类的另一台服务器上序号可能不同',
  },
  'opcua-indexed-help': {
    en: 'put the URI into device.namespaces and write its prefix: ps:s=Pump1.Pressure',
    zh: '把 URI 写入 device.namespaces，再使用其前缀：ps:s=Pump1.Pressure',
  },
  'opcua-place': {
    en: '{endpoint}',
    zh: '{endpoint}',
  },
  'opcua-at': {
    en: '{endpoint}: {status}',
    zh: '{endpoint}：{status}',
  },
  'opcua-offers': {
    en: '{endpoint}: {wanted} is not offered; offered are {offered}',
    zh: '{endpoint}：不提供 {wanted}；提供的有 {offered}',
  },
  'opcua-silent-ms': {
    en: '{endpoint}: nothing published for {ms} ms',
    zh: '{endpoint}：{ms} 毫秒内没有发布任何内容',
  },
  'opcua-deadline': {
    en: '{endpoint}: {what} within {ms} ms',
    zh: '{endpoint}：{what} 未在 {ms} 毫秒内完成',
  },
  'opcua-node': {
    en: '{node}: {status}',
    zh: '{node}：{status}',
  },
  'opcua-value-unfit': {
    en: '{node}: {value} as {type}',
    zh: '{node}：{value}，类型 {type}',
  },
} as const satisfies Record<string, Bilingual>;

export const protocolFaults = {
  no_connection: {
    en: {
      what: 'There is no connection to the device.',
      cause: 'The device or its converter is off, the cable is out, or it closed the connection.',
      action:
        'Check power and cable, then whether the address and the port answer from this gateway.',
    },
    zh: {
      what: '与设备之间没有连接。',
      cause: '设备或转换器断电、线缆脱落，或对方关闭了连接。',
      action: '检查供电和线缆，再确认从本网关能否访问该地址和端口。',
    },
  },
  device_timeout: {
    en: {
      what: 'The device did not answer in time.',
      cause:
        'Wrong unit number, device off behind a working converter, or a time-out too short for it.',
      action: 'Check the unit number and the power of the device; raise timeoutMs if it is slow.',
    },
    zh: {
      what: '设备未在时限内应答。',
      cause: '站号错误、转换器正常但设备断电，或超时时间对该设备过短。',
      action: '检查站号和设备供电；设备较慢时调大 timeoutMs。',
    },
  },
  modbus_broken_answer: {
    en: {
      what: 'No answer came in time, but the line carried bytes that are no Modbus frame.',
      cause:
        'Termination or bias is missing, noise, wrong baud rate or parity, or two speak at once.',
      action:
        'Check termination at both ends, bias, shield and A/B; compare baud rate, parity and units.',
    },
    zh: {
      what: '未在时限内收到应答，但线路上收到了不构成 Modbus 报文的字节。',
      cause: '缺少终端电阻或偏置、线路干扰、波特率或校验位错误，或两台设备同时发送。',
      action: '检查两端终端电阻、偏置、屏蔽和 A/B 接线；核对波特率、校验位和站号。',
    },
  },
  poll_aborted: {
    en: {
      what: 'Reading the device was broken off before it was complete.',
      cause:
        'The gateway is stopping, the configuration changed, or the poll took longer than it may.',
      action: 'Nothing, if the gateway was stopped; else give the device a longer period.',
    },
    zh: {
      what: '对设备的读取在完成前被中止。',
      cause: '网关正在停止、配置已更改，或本次轮询超过允许时间。',
      action: '若为停机则无需处理；否则延长该设备的采集周期。',
    },
  },
  modbus_bad_response: {
    en: {
      what: 'The device sent a Modbus answer that does not fit the question.',
      cause:
        'Two devices share a unit number, a converter mixes up answers, or the firmware is faulty.',
      action: 'Check for a duplicate unit number; set inFlightMax to 1; look at the raw frames.',
    },
    zh: {
      what: '设备返回的 Modbus 应答与请求不符。',
      cause: '两台设备站号相同、转换器错配应答，或固件有缺陷。',
      action: '检查是否有重复站号；将 inFlightMax 设为 1；查看原始报文。',
    },
  },
  modbus_other_unit: {
    en: {
      what: 'Another unit answered in the place of the one that was asked.',
      cause: 'A device was given the wrong unit number, or a converter mixes up its devices.',
      action:
        'Look up the unit number of the device that answers; give each device on the line its own.',
    },
    zh: {
      what: '应答的站号与被询问的站号不同。',
      cause: '设备站号设置错误，或转换器混淆了所接设备。',
      action: '核对实际应答设备的站号；确保同一线路上每台设备站号唯一。',
    },
  },
  modbus_collision: {
    en: {
      what: 'The line gave back something else than was sent: two spoke at once.',
      cause: 'A second master is on the line, a device speaks unasked, or the line is disturbed.',
      action:
        'End the other master; check termination, bias and shield; set echo to false if the adapter has none.',
    },
    zh: {
      what: '线路回送的内容与发送的不一致：有两方同时发送。',
      cause: '线路上有另一主站、设备未经询问就发送，或线路受干扰。',
      action: '停用另一主站；检查终端电阻、偏置和屏蔽；若适配器无回显，请将 echo 设为 false。',
    },
  },
  modbus_read_only: {
    en: {
      what: 'The point cannot be written.',
      cause: 'Input registers and discrete inputs are read only in every Modbus device.',
      action: 'Take the holding register or coil that the manual names for the command.',
    },
    zh: {
      what: '该点位不可写。',
      cause: '输入寄存器和离散输入在所有 Modbus 设备中均为只读。',
      action: '使用手册中为该命令指定的保持寄存器或线圈。',
    },
  },
  modbus_value_unfit: {
    en: {
      what: 'The value cannot be written to the point.',
      cause:
        'It is outside the range of the type, not whole where the type is whole, or of another kind.',
      action: 'Write a value that the type of the point can show.',
    },
    zh: {
      what: '该数值无法写入此点位。',
      cause: '数值超出类型范围、整数类型给了小数，或种类不符。',
      action: '写入该点位类型能够表示的数值。',
    },
  },
  modbus_desync: {
    en: {
      what: 'What comes from the device is no longer Modbus TCP; the connection was closed to begin anew.',
      cause: 'Another protocol speaks on this port, or a converter lost its place in the stream.',
      action: 'Check port and protocol (Modbus TCP is not RTU over TCP); update the converter.',
    },
    zh: {
      what: '设备发来的数据已不是 Modbus TCP 报文，连接已关闭以便重新开始。',
      cause: '该端口使用其他协议，或转换器的数据流错位。',
      action: '检查端口和协议（Modbus TCP 不同于 RTU over TCP）；升级转换器固件。',
    },
  },
  modbus_queue_full: {
    en: {
      what: 'More requests wait for one device than may wait.',
      cause: 'More points are asked at once than the line can carry.',
      action: 'Lengthen the period of the device or read fewer points.',
    },
    zh: {
      what: '等待同一设备的请求超过上限。',
      cause: '同时读取的点位超过线路能力。',
      action: '延长该设备的采集周期或减少点位。',
    },
  },
  modbus_exception_1: {
    en: {
      what: 'The device does not know the Modbus function (exception 1).',
      cause: 'The point names a table the device does not have, such as input instead of holding.',
      action: 'Compare the table of the point with the register list of the device.',
    },
    zh: {
      what: '设备不支持该 Modbus 功能码（异常 1）。',
      cause: '点位所选的表设备没有，例如应为 holding 却写成 input。',
      action: '将点位的表与设备寄存器清单核对。',
    },
  },
  modbus_exception_2: {
    en: {
      what: 'The device has no register at this address (exception 2).',
      cause: 'Wrong address, often counted from 1 instead of 0, or another firmware or model.',
      action: 'Compare the address with the register list; addresses here count from 0.',
    },
    zh: {
      what: '设备在该地址没有寄存器（异常 2）。',
      cause: '地址错误（常见为从 1 起计而非从 0 起计），或固件、型号不同。',
      action: '与寄存器清单核对地址；此处地址从 0 起计。',
    },
  },
  modbus_exception_3: {
    en: {
      what: 'The device refuses the quantity or the value (exception 3).',
      cause: 'More registers in one request than the device allows, or half of a longer value.',
      action: 'Set limits.maxRegisters as the manual says; check type and length of the point.',
    },
    zh: {
      what: '设备拒绝该数量或数值（异常 3）。',
      cause: '一次请求的寄存器数超过设备允许，或只读取了长数值的一部分。',
      action: '按手册设置 limits.maxRegisters；检查点位的类型和长度。',
    },
  },
  modbus_exception_4: {
    en: {
      what: 'The device reports that it failed (exception 4).',
      cause: 'A fault inside the device, or a module behind it that is missing.',
      action: 'Look at the display and the status registers of the device.',
    },
    zh: {
      what: '设备报告自身故障（异常 4）。',
      cause: '设备内部故障，或其后缺少模块。',
      action: '查看设备显示屏和状态寄存器。',
    },
  },
  modbus_exception_5: {
    en: {
      what: 'The device has begun a long job and answers later (exception 5).',
      cause: 'It is working on an earlier command.',
      action: 'Nothing; it is asked again.',
    },
    zh: {
      what: '设备正在执行耗时任务，稍后应答（异常 5）。',
      cause: '设备正在处理之前的命令。',
      action: '无需处理，系统会再次读取。',
    },
  },
  modbus_exception_6: {
    en: {
      what: 'The device is busy (exception 6).',
      cause: 'Another master asks it as well, or it is asked too fast.',
      action: 'Lengthen the period, set limits.minGapMs, or end the other master.',
    },
    zh: {
      what: '设备忙（异常 6）。',
      cause: '另有主站在访问，或访问过于频繁。',
      action: '延长周期、设置 limits.minGapMs，或停用另一主站。',
    },
  },
  modbus_exception_8: {
    en: {
      what: 'The device found its memory damaged (exception 8).',
      cause: 'A parity error in its extended memory.',
      action: 'Restart the device; replace it if this comes again.',
    },
    zh: {
      what: '设备存储器校验出错（异常 8）。',
      cause: '扩展存储器奇偶校验错误。',
      action: '重启设备；再次出现则更换。',
    },
  },
  modbus_exception_10: {
    en: {
      what: 'The Modbus gateway has no path to the device (exception 10).',
      cause: 'The unit number is not in the routes of the gateway, or it is overloaded.',
      action: 'Check the routes of the gateway; lower inFlightMax.',
    },
    zh: {
      what: 'Modbus 网关没有到该设备的通路（异常 10）。',
      cause: '站号不在网关路由表中，或网关过载。',
      action: '检查网关路由；减小 inFlightMax。',
    },
  },
  modbus_exception_11: {
    en: {
      what: 'The Modbus gateway heard nothing from the device behind it (exception 11).',
      cause: 'The device is off, its bus is broken, or its unit number is another one.',
      action: 'Check the power, the bus cable and the unit number of the device.',
    },
    zh: {
      what: 'Modbus 网关未收到其后设备的应答（异常 11）。',
      cause: '设备断电、总线断线，或站号不对。',
      action: '检查设备供电、总线线缆和站号。',
    },
  },
  modbus_exception_other: {
    en: {
      what: 'The device answered with an exception outside the standard.',
      cause: 'A code its manufacturer made up.',
      action: 'Look the number up in the manual of the device.',
    },
    zh: {
      what: '设备返回了标准以外的异常码。',
      cause: '厂家自定义的代码。',
      action: '在设备手册中查找该代码。',
    },
  },
  opcua_refused: {
    en: {
      what: 'The OPC UA server refused the connection.',
      cause: 'Mostly it does not trust the certificate of this gateway yet.',
      action:
        'Have the server trust the certificate of this gateway (lifeline edge trust own GATEWAY_FILE --out FILE); look at the status in the detail.',
    },
    zh: {
      what: 'OPC UA 服务器拒绝了连接。',
      cause: '通常是服务器尚未信任本网关的证书。',
      action:
        '让服务器信任本网关的证书（lifeline edge trust own 网关文件 --out 文件）；查看详情中的状态。',
    },
  },
  opcua_bad_credentials: {
    en: {
      what: 'The OPC UA server does not accept the user.',
      cause: 'Wrong user name or password, or a user certificate it does not know.',
      action: 'Check `identity` of the link and the secret behind it.',
    },
    zh: {
      what: 'OPC UA 服务器不接受该用户。',
      cause: '用户名或密码错误，或服务器不认识该用户证书。',
      action: '检查链路的 `identity` 及其引用的密钥。',
    },
  },
  opcua_identity_unsupported: {
    en: {
      what: 'The OPC UA server does not take this kind of user.',
      cause: 'It allows only other kinds: anonymous, name and password, or certificate.',
      action: 'Set `identity` of the link to a kind that the detail names.',
    },
    zh: {
      what: 'OPC UA 服务器不接受这类用户身份。',
      cause: '服务器只允许其他方式：匿名、用户名密码或证书。',
      action: '把链路的 `identity` 改为详情中列出的方式。',
    },
  },
  opcua_security_unsupported: {
    en: {
      what: 'The OPC UA server does not offer this security.',
      cause: 'Policy and mode of the link are not among its endpoints.',
      action: 'Take one of those the detail names, or have the server offer more.',
    },
    zh: {
      what: 'OPC UA 服务器不提供该安全设置。',
      cause: '链路的策略和模式不在其端点之中。',
      action: '改用详情中列出的一种，或让服务器开放更多。',
    },
  },
  opcua_too_many_sessions: {
    en: {
      what: 'The OPC UA server has no session left.',
      cause: 'Other clients hold them, or sessions of an earlier start have not run out yet.',
      action: 'Wait until they run out; raise the limit at the server or end other clients.',
    },
    zh: {
      what: 'OPC UA 服务器没有可用的会话。',
      cause: '会话被其他客户端占用，或之前遗留的会话尚未超时。',
      action: '等待其超时；在服务器上调大上限，或停用其他客户端。',
    },
  },
  opcua_session_lost: {
    en: {
      what: 'The OPC UA server no longer knows the session or the subscription.',
      cause: 'The server was restarted, or nothing reached it for longer than the session lasts.',
      action:
        'Nothing; a new session is made. If it comes often, raise `session_timeout` of the link.',
    },
    zh: {
      what: 'OPC UA 服务器不再认得该会话或订阅。',
      cause: '服务器重启，或超过会话时限没有收到任何数据。',
      action: '无需处理，会建立新会话；频繁出现时调大链路的 `session_timeout`。',
    },
  },
  opcua_messages_lost: {
    en: {
      what: 'Notifications of the OPC UA server were lost for good.',
      cause: 'They did not arrive, and the server no longer has them to send again.',
      action:
        'Nothing; everything is asked anew and the gap is counted. If it comes often, look at the network.',
    },
    zh: {
      what: 'OPC UA 服务器的部分通知已永久丢失。',
      cause: '通知未送达，服务器也不再保留可供重发的副本。',
      action: '无需处理，会重新查询全部数据并记录缺口；频繁出现时检查网络。',
    },
  },
  opcua_no_publish: {
    en: {
      what: 'The OPC UA server is connected and publishes nothing.',
      cause: 'It hangs, or something between holds the data back: not even its keep-alives arrive.',
      action:
        'Look at the load of the server and at firewalls in between; restart the server if it stays so.',
    },
    zh: {
      what: 'OPC UA 服务器已连接但不发布任何内容。',
      cause: '服务器停滞，或中间设备扣住了数据：连保活消息也没有到达。',
      action: '检查服务器负载和中间的防火墙；持续如此则重启服务器。',
    },
  },
  opcua_timeout: {
    en: {
      what: 'The OPC UA server did not answer in time.',
      cause:
        'It hangs or is overloaded, or the endpoint leads to something that is no OPC UA server.',
      action:
        'Check the endpoint and the load of the server; raise `timeout` of the link if it is slow.',
    },
    zh: {
      what: 'OPC UA 服务器未在时限内应答。',
      cause: '服务器停滞或过载，或端点指向的并非 OPC UA 服务器。',
      action: '检查端点和服务器负载；服务器较慢时调大链路的 `timeout`。',
    },
  },
  opcua_service: {
    en: {
      what: 'The OPC UA server answered that it cannot.',
      cause: 'The status in the detail says why.',
      action: 'Look the status up; a limit of the server may be reached, or a right be missing.',
    },
    zh: {
      what: 'OPC UA 服务器回答无法执行。',
      cause: '原因见详情中的状态。',
      action: '查询该状态的含义；可能达到服务器的限制，或缺少权限。',
    },
  },
  opcua_node_unknown: {
    en: {
      what: 'The OPC UA server has no such node.',
      cause: 'The path, the id or the URI of the namespace is wrong, or the server has changed.',
      action:
        'Look for the node with `lifeline edge browse`, and correct profile or `device.namespaces`.',
    },
    zh: {
      what: 'OPC UA 服务器上没有该节点。',
      cause: '路径、标识或命名空间 URI 有误，或服务器已变更。',
      action: '用 `lifeline edge browse` 查找节点，修正设备档案或 `device.namespaces`。',
    },
  },
  opcua_value_unfit: {
    en: {
      what: 'The value does not fit the node.',
      cause: 'The node has another type or a smaller range than the value needs.',
      action: 'Compare the type of the node with the value; correct the profile or the value.',
    },
    zh: {
      what: '该值不适合此节点。',
      cause: '节点的类型不同，或范围小于该值所需。',
      action: '核对节点类型与该值；修正设备档案或该值。',
    },
  },
  uplink_malformed: {
    en: {
      what: 'A message between gateway and cloud is not one of the uplink wire.',
      cause: 'Something else publishes on these topics, or one side has a defect.',
      action: 'Look at the dead letter: who published it, and with which software version.',
    },
    zh: {
      what: '网关与云之间的一条报文不符合上行协议。',
      cause: '有其他程序在这些主题上发布，或某一端有缺陷。',
      action: '查看死信：由谁发布，使用哪个软件版本。',
    },
  },
  uplink_corrupt: {
    en: {
      what: 'The checksum of an uplink record does not hold.',
      cause:
        'Bytes changed after the record was sealed: a failing disk or memory card, or a proxy.',
      action:
        'Check the storage of the gateway; the record is kept aside there and counted as a gap.',
    },
    zh: {
      what: '上行记录的校验和不正确。',
      cause: '记录封装之后字节被改变：磁盘或存储卡故障，或中间代理改动。',
      action: '检查网关的存储；该记录已在网关隔离保存，并记为缺口。',
    },
  },
  uplink_later: {
    en: {
      what: 'An uplink record wants a later reader than this one.',
      cause: 'The gateway was upgraded before the cloud.',
      action: 'Upgrade the cloud; the gateway keeps the records and sends them again.',
    },
    zh: {
      what: '上行记录需要更新版本的读取程序。',
      cause: '网关先于云端升级。',
      action: '升级云端；网关会保留这些记录并重新发送。',
    },
  },
  uplink_too_large: {
    en: {
      what: 'An uplink message or a list in it is larger than the wire allows.',
      cause: 'A text, a rule list or a dictionary is too long, or a record was not split.',
      action: 'Shorten what the detail names; a message has at most 128 KiB.',
    },
    zh: {
      what: '上行报文或其中的列表超过协议允许的大小。',
      cause: '文本、规则列表或字典过长，或记录没有拆分。',
      action: '缩短详情中指出的内容；一条报文最多 128 KiB。',
    },
  },
} as const satisfies Record<string, FaultText>;
