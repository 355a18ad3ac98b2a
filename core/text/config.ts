import type { Bilingual, FaultText } from './text.ts';

export const configMessages = {
  'no-profile': { en: 'there is no profile {reference}', zh: '没有设备描述 {reference}' },
  'no-profile-near': {
    en: 'there is no profile {reference}; did you mean {meant}?',
    zh: '没有设备描述 {reference}；您是不是想输入 {meant}？',
  },
  'profile-other-revision': {
    en: '{id} is installed as revision {revision}, not {wanted}',
    zh: '{id} 已安装的版本是 {revision}，不是 {wanted}',
  },
  // The text itself (core/document.ts).
  'document-too-large': {
    en: 'the file has {bytes} bytes, more than {bytesMax}',
    zh: '文件有 {bytes} 字节，超过上限 {bytesMax}',
  },
  'document-not-utf8': {
    en: 'the file is not UTF-8 text (byte {offset})',
    zh: '文件不是 UTF-8 文本（第 {offset} 字节）',
  },
  'document-empty': { en: 'the file is empty', zh: '文件是空的' },
  'document-too-deep': {
    en: 'the file is nested too deeply to be read',
    zh: '文件嵌套过深，无法读取',
  },
  'yaml-syntax': { en: 'not YAML: {detail}', zh: 'YAML 语法错误：{detail}' },
  'yaml-tab': {
    en: 'a tab is not allowed as indentation',
    zh: '不允许用制表符缩进',
  },
  'yaml-alias': {
    en: 'anchors and aliases are not allowed: {name}',
    zh: '不允许使用锚点和别名：{name}',
  },
  'yaml-tag': { en: 'tags are not allowed: {name}', zh: '不允许使用标签：{name}' },
  'yaml-leading-zero': {
    en: '{text} is {value} here, but another number to older YAML readers',
    zh: '{text} 在这里是 {value}，但旧版 YAML 读取器会读成别的数',
  },
  'yaml-boolean-key': {
    en: 'older YAML readers turn the key {key} into true or false',
    zh: '旧版 YAML 读取器会把键 {key} 读成真或假',
  },
  'number-too-large': {
    en: '{text} is beyond what can be read exactly (2^53)',
    zh: '{text} 超出可精确读取的范围（2^53）',
  },
  'secret-not-found': {
    en: 'there is no secret {name}: make the file, or set the variable',
    zh: '找不到密钥 {name}：请创建该文件或设置该变量',
  },
  'open-without-tls': {
    en: '{found} reaches beyond this machine without TLS; use TLS, or say insecure: true',
    zh: '{found} 可从本机以外访问且未启用 TLS；请启用 TLS，或写明 insecure: true',
  },
  'duplicate-id': { en: 'the id {id} stands here a second time', zh: '编号 {id} 重复出现' },
  'broker-twice': {
    en: 'the cloud is at {url} already',
    zh: '云端已连接 {url}',
  },
  'not-a-broker-url': {
    en: '"{found}" is not mqtt://host:port or mqtts://host:port',
    zh: '“{found}”不是 mqtt://主机:端口 或 mqtts://主机:端口',
  },
  'not-a-webhook-url': {
    en: '"{found}" is not an http:// or https:// address',
    zh: '“{found}”不是 http:// 或 https:// 地址',
  },
  'not-a-public-url': {
    en: '"{found}" is not an address such as https://alarm.example, without a user name, "?" or "#"',
    zh: '“{found}”不是形如 https://alarm.example 的地址（不得含用户名、“?”或“#”）',
  },
  'link-valid-range': {
    en: '{found} is outside 1m to 1d',
    zh: '{found} 超出范围，应为 1m 至 1d',
  },
  'not-a-webhook-secret': {
    en: 'a webhook secret is whsec_ and at least 24 bytes in base64 (Standard Webhooks 1.0)',
    zh: 'Webhook 密钥应为 whsec_ 加至少 24 字节的 base64（Standard Webhooks 1.0）',
  },
  'unknown-receiver': {
    en: 'there is no receiver, person or roster {id}',
    zh: '没有名为 {id} 的接收方、人员或值班表',
  },
  'not-a-secret-reference': {
    en: 'a secret is not written here; refer to a file (secret:NAME) or a variable (env:NAME)',
    zh: '此处不能直接写密钥；请引用文件（secret:NAME）或环境变量（env:NAME）',
  },
  'duplicate-key': {
    en: 'the key {key} stands here a second time; first on line {line}',
    zh: '键 {key} 重复出现；首次出现在第 {line} 行',
  },
  'unknown-key': { en: 'unknown key {key}', zh: '未知的键 {key}' },
  'missing-key': { en: 'the key {key} is missing', zh: '缺少键 {key}' },
  'bad-value': { en: '{found} is not allowed here', zh: '这里不允许 {found}' },
  'bad-key': { en: '{found} is not allowed as a key here', zh: '{found} 不能用作这里的键' },
  'bad-format': { en: '{found} does not have the form {form}', zh: '{found} 不符合格式 {form}' },
  'not-text': { en: '{found} is not a text', zh: '{found} 不是文本' },
  'not-finite': {
    en: '{found} is written where a finite number is needed',
    zh: '此处写的是 {found}，应为有限的数字',
  },
  'not-a-number': { en: '{found} is not a number', zh: '{found} 不是数字' },
  'not-a-whole-number': { en: '{found} is not a whole number', zh: '{found} 不是整数' },
  'not-true-or-false': { en: '{found} is not true or false', zh: '{found} 不是 true 或 false' },
  'not-a-list': { en: '{found} is not a list', zh: '{found} 不是列表' },
  'not-a-map': {
    en: '{found} is not a group of keys and values',
    zh: '{found} 不是键值结构',
  },
  'below-minimum': { en: '{found} is below {minimum}', zh: '{found} 小于 {minimum}' },
  'above-maximum': { en: '{found} is above {maximum}', zh: '{found} 大于 {maximum}' },
  'text-too-short': {
    en: 'the text is shorter than {minimum} characters',
    zh: '文本少于 {minimum} 个字符',
  },
  'text-too-long': {
    en: 'the text is longer than {maximum} characters',
    zh: '文本超过 {maximum} 个字符',
  },
  'too-few': { en: 'at least {minimum} are needed', zh: '至少需要 {minimum} 个' },
  'too-many': { en: 'at most {maximum} are allowed', zh: '最多允许 {maximum} 个' },
  'not-a-duration': {
    en: '{found} is not a duration such as 300ms, 5s, 10m, 2h, 30d',
    zh: '{found} 不是时长，应如 300ms、5s、10m、2h、30d',
  },
  'not-a-size': {
    en: '{found} is not a size such as 64KiB, 256MiB, 4GiB',
    zh: '{found} 不是容量，应如 64KiB、256MiB、4GiB',
  },
  'not-an-id': {
    en: '{found} is not an id: 1 to 64 of a-z, 0-9 and -',
    zh: '{found} 不是有效的标识：1 到 64 个 a-z、0-9 或 -',
  },
  'not-an-asset': {
    en: '{found} is not the place of an asset such as gas/MP-1193/well-07',
    zh: '{found} 不是有效的资产位置，应如 gas/MP-1193/well-07',
  },
  'not-a-level': {
    en: '{found} is not an alarm level: 1 red, 2 orange, 3 yellow, 4 blue',
    zh: '{found} 不是报警等级：1 红、2 橙、3 黄、4 蓝',
  },

  // Help below a finding.
  'help-did-you-mean': { en: 'did you mean {word}?', zh: '您是不是想写 {word}？' },
  'help-one-of': { en: 'expected one of: {list}', zh: '应为其中之一：{list}' },
  'help-did-you-mean-one-of': {
    en: 'did you mean {word}? expected one of: {list}',
    zh: '您是不是想写 {word}？应为其中之一：{list}',
  },
  'help-quote-it': { en: 'put it in quotes: {text}', zh: '请加引号：{text}' },
  'help-write': { en: 'write {text}', zh: '请写成 {text}' },
  'help-use-spaces': { en: 'replace the tab with spaces', zh: '请用空格代替制表符' },
  'help-save-as-utf8': {
    en: 'save the file as UTF-8; spreadsheets and older editors often use GB18030 or UTF-16',
    zh: '请将文件另存为 UTF-8；表格软件和旧编辑器常用 GB18030 或 UTF-16',
  },

  // Device profiles (device-profiles/format.ts, cross-checks.ts).
  'unknown-unit': {
    en: '{found} is no unit this system knows; units are UCUM codes',
    zh: '{found} 不是本系统认识的单位；单位使用 UCUM 代码',
  },
  'not-a-raw-value': {
    en: '{found} is not a raw value: a number, 0x and hexadecimal digits, or nan',
    zh: '{found} 不是原始值：应为数字、0x 加十六进制数字，或 nan',
  },
  'not-a-state': {
    en: '{found} is not a state: a whole number, true or false',
    zh: '{found} 不是状态值：应为整数、true 或 false',
  },
  'not-a-register': {
    en: '{found} is not an address from 0 to 65535, as sent on the wire',
    zh: '{found} 不是 0 到 65535 的地址（以线路上发送的为准）',
  },
  'not-an-expectation': {
    en: '{found} is neither a value nor a group with value: null, quality: bad and reason',
    zh: '{found} 既不是数值，也不是带 value: null、quality: bad 和 reason 的结构',
  },
  'not-an-identification': {
    en: '{found} is neither a read with equals nor a device_id',
    zh: '{found} 既不是带 equals 的 read，也不是 device_id',
  },
  'not-a-profile-id': {
    en: '{found} is not vendor/model in a-z, 0-9 and -',
    zh: '{found} 不是由 a-z、0-9、- 组成的 厂商/型号',
  },
  'not-a-revision': {
    en: '{found} is not a revision such as "1.0.0"',
    zh: '{found} 不是修订号，应如 "1.0.0"',
  },
  'not-a-link': { en: '{found} is not a web address', zh: '{found} 不是网址' },
  'not-a-pattern': {
    en: '{found} is not a regular expression',
    zh: '{found} 不是正则表达式',
  },
  'profile-misplaced': {
    en: 'the profile {id} belongs into {expected}',
    zh: '设备描述 {id} 应放在 {expected}',
  },
  'no-points': {
    en: 'a profile without points reads nothing',
    zh: '没有测点的设备描述什么也读不到',
  },
  'point-beyond-block': {
    en: 'the value takes {width} registers; the device answers at most {widthMax} at once',
    zh: '该值占 {width} 个寄存器；设备一次最多返回 {widthMax} 个',
  },
  'scale-zero': { en: 'a scale of 0 makes every value 0', zh: '比例为 0 会使所有值都为 0' },
  'range-order': {
    en: 'the range begins at {min} and ends at {max}, which is not above it',
    zh: '量程从 {min} 开始，到 {max} 结束，终点没有大于起点',
  },
  'alarm-never-clears': {
    en: '{name} is raised at {raise} but clears at {clear}',
    zh: '{name} 在 {raise} 时报警，却在 {clear} 时解除',
  },
  'help-clear-below': {
    en: 'clear must be below raise, or the alarm chatters at its limit',
    zh: '解除值必须低于报警值，否则报警会在限值处反复',
  },
  'help-clear-above': {
    en: 'clear must be above raise, or the alarm chatters at its limit',
    zh: '解除值必须高于报警值，否则报警会在限值处反复',
  },
  'alarm-out-of-range': {
    en: '{name} at {value} can never happen: the range is {min} to {max}',
    zh: '{name} 的 {value} 不可能出现：量程为 {min} 到 {max}',
  },
  'alarm-order': {
    en: '{outer} at {far} lies on the wrong side of {inner} at {near}',
    zh: '{outer} 的 {far} 位于 {inner} 的 {near} 的错误一侧',
  },
  'alarm-level-order': {
    en: '{outer} is less urgent than {inner}; level 1 is the most urgent',
    zh: '{outer} 的等级低于 {inner}；1 级最紧急',
  },
  'no-data-too-early': {
    en: 'no_data of the point {point}: {after} is less than {polls} times the poll period {poll}: one lost answer would be an alarm',
    zh: '测点 {point} 的 no_data：{after} 不足采集周期 {poll} 的 {polls} 倍：丢失一次应答就会报警',
  },
  'no-data-stretched': {
    en: 'no_data of the point {point}: the {after} of the profile is less than {polls} times the poll period {poll}; {stretched} is in force. To choose another, set {setting}',
    zh: '测点 {point} 的 no_data：设备描述中的 {after} 不足采集周期 {poll} 的 {polls} 倍；按 {stretched} 生效。如需其他值，请设置 {setting}',
  },
  'not-for-kind': {
    en: '{key} means nothing for a value of kind {type}',
    zh: '{key} 对 {type} 类型的值没有意义',
  },
  'state-unfit': {
    en: 'a value of kind {type} is never {state}',
    zh: '{type} 类型的值不会是 {state}',
  },
  'invalid-never-read': {
    en: 'a {type} is never {text}',
    zh: '{type} 不会读出 {text}',
  },
  'help-hex-is-pattern': {
    en: 'write the bits of the register as 0x…, or the number as it is decoded, before scaling',
    zh: '请写寄存器的位模式 0x…，或解码后、换算前的数值',
  },
  'invalid-twice': {
    en: '{text} is the same raw value as {first}',
    zh: '{text} 与 {first} 是同一个原始值',
  },
  'points-overlap': {
    en: '{point} takes a part of {other} ({table} {address})',
    zh: '{point} 占用了 {other} 的一部分（{table} {address}）',
  },
  'point-read-twice': {
    en: '{point} reads the same registers as {other} ({table} {address})',
    zh: '{point} 与 {other} 读取相同的寄存器（{table} {address}）',
  },
  'point-untested': {
    en: 'no test of the profile expects a value of {point}',
    zh: '没有任何测试检查 {point} 的值',
  },
  'test-name-twice': {
    en: 'another test is called {name} as well',
    zh: '另有测试也叫 {name}',
  },
  'test-unknown-point': { en: 'there is no point {point}', zh: '没有测点 {point}' },
  'test-data-short': {
    en: '{point} needs {table} {address}, which the test does not give',
    zh: '{point} 需要 {table} {address}，测试没有给出',
  },

  // The profile catalogue (device-profiles/catalogue.ts).
  'profile-count': { en: '{count} profiles', zh: '共 {count} 个设备描述' },
  'profile-source': { en: 'Source: {document} ({status})', zh: '来源：{document}（{status}）' },
  'profile-link': { en: 'Link: {link}', zh: '链接：{link}' },
  'profile-models': { en: 'Models: {models}', zh: '型号：{models}' },
  'profile-points': { en: 'Points', zh: '测点' },
  'profile-point-line': {
    en: '{id}: {title}; every {poll}, {class}; {where}{range}',
    zh: '{id}：{title}；每 {poll} 采集，{class}；{where}{range}',
  },
  'profile-range': { en: '; range {min} to {max} {unit}', zh: '；量程 {min} 到 {max} {unit}' },
  'profile-rules': {
    en: 'Proposed alarms (defaults; the cloud decides)',
    zh: '建议报警（默认值，以云端设定为准）',
  },
  'profile-limit-high': {
    en: '{title}: from {limit}, level {level}, after {delay}',
    zh: '{title}：达到或高于 {limit}，{level} 级，持续 {delay}',
  },
  'profile-rule-when': {
    en: '{title}: {when}, level {level}, after {delay}',
    zh: '{title}：{when}，{level} 级，持续 {delay}',
  },
  'profile-limit-low': {
    en: '{title}: {limit} or lower, level {level}, after {delay}',
    zh: '{title}：达到或低于 {limit}，{level} 级，持续 {delay}',
  },
  'profile-silent': {
    en: '{title}: no good reading for {after}, level {level}',
    zh: '{title}：{after} 内没有有效读数，{level} 级',
  },
  'profile-norm': { en: 'after {norm}', zh: '依据 {norm}' },
  'profile-caveats': { en: 'Good to know', zh: '注意事项' },
  'profile-fine': { en: '{file}: no problems', zh: '{file}：没有问题' },
  'profile-checked': {
    en: 'files: {files}, errors: {errors}, warnings: {warnings}',
    zh: '{files} 个文件：{errors} 个错误，{warnings} 个警告',
  },
  'profile-test-passed': { en: 'passed  {profile}: {test}', zh: '通过  {profile}：{test}' },
  'profile-test-failed': { en: 'FAILED  {profile}: {test}', zh: '失败  {profile}：{test}' },
  'profile-test-difference': {
    en: '        {point}: expected {expected}, got {got}',
    zh: '        {point}：应为 {expected}，实为 {got}',
  },
  'profile-tests-total': {
    en: '{passed} of {total} tests passed',
    zh: '{total} 个测试中通过 {passed} 个',
  },

  // Titles of alarms that a profile does not name.
  'alarm-high-high': { en: '{point} very high', zh: '{point}超高' },
  'alarm-high': { en: '{point} high', zh: '{point}偏高' },
  'alarm-low': { en: '{point} low', zh: '{point}偏低' },
  'alarm-low-low': { en: '{point} very low', zh: '{point}超低' },
  'alarm-no-data': { en: '{point}: no data', zh: '{point}无数据' },

  // A gateway file (edge/config).
  'not-a-host': {
    en: '{found} is not an address or host name',
    zh: '{found} 不是有效的地址或主机名',
  },
  'not-line-settings': {
    en: '{found} is no setting of a serial line such as 9600-8N1: 300 to 921600 baud, 7 or 8 data bits, N, E or O, 1 or 2 stop bits',
    zh: '{found} 不是有效的串口参数，应如 9600-8N1：波特率 300 至 921600，数据位 7 或 8，校验 N、E 或 O，停止位 1 或 2',
  },
  'not-a-packet': {
    en: '{found} is not 1 to 64 bytes, written as plain text or as "hex:c0 01"',
    zh: '{found} 不是 1 至 64 字节的数据，应写成普通文本，或如 "hex:c0 01"',
  },
  'not-a-port': {
    en: '{found} is not the path of a serial port such as /dev/serial/by-id/usb-FTDI_AB0K5QXE-if00-port0',
    zh: '{found} 不是串口路径，应如 /dev/serial/by-id/usb-FTDI_AB0K5QXE-if00-port0',
  },
  'not-a-socket': {
    en: '{found} is neither the path of a socket nor host:port',
    zh: '{found} 既不是套接字路径，也不是“主机:端口”',
  },
  'not-a-broker': {
    en: '{found} is not a broker such as mqtts://host:8883',
    zh: '{found} 不是有效的消息服务器地址，应如 mqtts://host:8883',
  },
  'not-a-profile-reference': {
    en: '{found} does not name a profile and its revision, such as acme/gd200@1',
    zh: '{found} 未指明设备描述及其版本，应如 acme/gd200@1',
  },
  'not-a-setting': {
    en: '{found} is not the path of a value such as points.ch4.alarms.high.raise',
    zh: '{found} 不是取值路径，应如 points.ch4.alarms.high.raise',
  },
  'too-many-settings': {
    en: 'more than 200 settings of one device: write a profile',
    zh: '单个设备的设置超过 200 项：请编写设备描述',
  },
  'too-many-labels': { en: 'more than 20 labels', zh: '标签超过 20 个' },
  'too-many-links': { en: 'more than 500 links', zh: '链路超过 500 条' },
  'outbox-too-small': { en: 'an outbox needs at least {minimum}', zh: '发件箱至少需要 {minimum}' },
  'same-endpoint': {
    en: 'the links {link} and {other} both lead to {endpoint}; a bus has one owner',
    zh: '链路 {link} 和 {other} 都通往 {endpoint}；一条总线只能有一个主站',
  },
  'same-port': {
    en: 'the links {link} and {other} name one serial port, {device}; a bus has one owner',
    zh: '链路 {link} 和 {other} 指向同一串口 {device}；一条总线只能有一个主站',
  },
  'port-renumbered': {
    en: '{port} may be another adapter after the next start: such names are given in the order of plugging in',
    zh: '{port} 在下次启动后可能变成另一个转接器：这类名称按插入顺序分配',
  },
  'help-port-by-id': {
    en: 'ls -l /dev/serial/by-id shows the name that stays (by-path where two adapters have no serial number)',
    zh: '执行 ls -l /dev/serial/by-id 可查到固定不变的名称（适配器没有序列号时用 by-path）',
  },
  'in-flight-on-line': {
    en: 'framing {framing} carries one request at a time',
    zh: '帧格式 {framing} 同一时刻只能有一个请求',
  },
  'same-identity': {
    en: 'the identities of the links {link} and {other} begin alike: a unit that dials in to {place} could be either',
    zh: '链路 {link} 与 {other} 的注册包开头相同：无法分辨拨入 {place} 的终端属于哪一个',
  },
  'heartbeat-like-answer': {
    en: 'an answer of a device behind this link could begin with the heartbeat {heartbeat}',
    zh: '此链路上设备的应答可能以心跳包 {heartbeat} 开头',
  },
  'help-heartbeat': {
    en: 'set another one in the unit and here, such as the text heartbeat',
    zh: '请在终端和此处改用其他心跳包，例如文本 heartbeat',
  },
  'heartbeat-unsupported': {
    en: 'in the answers of {protocol} a heartbeat cannot be told from data',
    zh: '{protocol} 的应答中无法区分心跳包与数据',
  },
  'listen-unprotected': {
    en: 'whoever reaches {host}:{port} could pretend to be the unit: its registration is no password',
    zh: '任何能访问 {host}:{port} 的人都可冒充终端：注册包不是密码',
  },
  'help-listen-insecure': {
    en: 'let it end in a VPN on this machine, or write insecure: true beside it and be told so at every start',
    zh: '请经 VPN 接入本机；或在旁边写 insecure: true，每次启动都会提示',
  },
  'insecure-listen': {
    en: 'terminal units dial in to {host}:{port} without encryption or password',
    zh: '终端以未加密、无密码方式拨入 {host}:{port}',
  },
  'not-an-endpoint': {
    en: '{found} is no endpoint; write opc.tcp://host:4840/path',
    zh: '{found} 不是端点；请写 opc.tcp://主机:4840/路径',
  },
  'unit-on-opcua': {
    en: 'device {device} has a unit, but devices behind link {link} have none: an OPC UA server is asked for names',
    zh: '设备 {device} 写有 unit，但链路 {link} 后的设备没有从站号：OPC UA 服务器按名称访问；请删去该行',
  },
  'opcua-policy-mode': {
    en: 'policy {policy} and mode {mode} do not go together: None only with None',
    zh: '策略 {policy} 与模式 {mode} 不能同时使用：None 只能与 None 搭配',
  },
  'opcua-unprotected': {
    en: 'policy None: anybody on the way to {endpoint} can read and change what is said',
    zh: '策略为 None：通往 {endpoint} 途中的任何人都能读取和篡改数据',
  },
  'help-opcua-insecure': {
    en: 'take Basic256Sha256, or write insecure: true beside it and be told so at every start',
    zh: '请使用 Basic256Sha256；或在旁边写 insecure: true，每次启动都会提示',
  },
  'insecure-opcua': {
    en: 'OPC UA without signature or encryption: {endpoint}',
    zh: 'OPC UA 未签名、未加密：{endpoint}',
  },
  'insecure-opcua-user': {
    en: 'a password crosses the network over a channel without encryption: {endpoint}',
    zh: '密码经未加密的通道在网络上传输：{endpoint}',
  },
  'opcua-keepalive-short': {
    en: 'keepalive {keepAliveMs} ms is shorter than publishing {publishingMs} ms: a server says something that often only',
    zh: 'keepalive 为 {keepAliveMs} 毫秒，短于 publishing 的 {publishingMs} 毫秒：服务器最多按此频率发送',
  },
  'opcua-session-short': {
    en: 'session_timeout {sessionTimeoutMs} ms is too short for the keepalive; at least {leastMs} ms',
    zh: 'session_timeout 为 {sessionTimeoutMs} 毫秒，对 keepalive 来说太短；至少 {leastMs} 毫秒',
  },
  'protocol-own-link': {
    en: '{protocol} has a kind of link of its own: kind: {protocol}',
    zh: '{protocol} 使用自己的链路类型：kind: {protocol}',
  },
  'protocol-needs-link': {
    en: '{protocol} does not connect by itself; take kind tcp, serial or tcp-server',
    zh: '{protocol} 不能自行建立连接；请使用 tcp、serial 或 tcp-server 类型',
  },
  'unused-link': { en: 'no device uses the link {link}', zh: '没有设备使用链路 {link}' },
  'unknown-link': {
    en: 'device {device} uses the link {link}, which is not defined under links',
    zh: '设备 {device} 使用的链路 {link} 未在 links 中定义',
  },
  'link-overloaded': {
    en: 'the link {link} cannot keep up: {requests} requests a second at {answerMs} ms each, {inFlight} at a time, need {busyMs} ms of every 1000; poll less often or split the link',
    zh: '链路 {link} 来不及采集：每秒 {requests} 个请求，每个 {answerMs} 毫秒，并发 {inFlight}，每 1000 毫秒需要 {busyMs} 毫秒；请降低采集频率或拆分链路',
  },
  'link-busy': {
    en: 'the link {link} is taken {percent} % of the time: {requests} requests a second at {answerMs} ms each, {inFlight} at a time, need {busyMs} ms of every 1000; up to 60 % devices that are well keep their periods beside one that does not answer',
    zh: '链路 {link} 占用率为 {percent}%：每秒 {requests} 个请求，每个 {answerMs} 毫秒，并发 {inFlight}，每 1000 毫秒需要 {busyMs} 毫秒；不超过 60% 时，即使有设备无应答，正常设备也能保持采集周期',
  },
  'line-overloaded': {
    en: 'the line {link} cannot keep its periods: {requests} requests a second, which are {bytes} characters with their pauses at {baud} baud and {bits} bits each ({bytesMs} ms), and {answerMs} ms until each answer, need {busyMs} ms of every 1000; poll less often, set a higher speed, or put devices on another line',
    zh: '线路 {link} 无法保持采集周期：每秒 {requests} 个请求，连同间隔共 {bytes} 个字符（{baud} 波特，每字符 {bits} 位，{bytesMs} 毫秒），每个应答还需等待 {answerMs} 毫秒，合计每 1000 毫秒需要 {busyMs} 毫秒；请降低采集频率、提高波特率或把设备分到另一条线路',
  },
  'line-busy': {
    en: 'the line {link} is taken {percent} % of the time: {requests} requests a second, which are {bytes} characters with their pauses at {baud} baud and {bits} bits each ({bytesMs} ms), and {answerMs} ms until each answer, need {busyMs} ms of every 1000; up to 60 % devices that are well keep their periods beside one that does not answer',
    zh: '线路 {link} 占用率为 {percent}%：每秒 {requests} 个请求，连同间隔共 {bytes} 个字符（{baud} 波特，每字符 {bits} 位，{bytesMs} 毫秒），每个应答还需等待 {answerMs} 毫秒，合计每 1000 毫秒需要 {busyMs} 毫秒；不超过 60% 时，即使有设备无应答，正常设备也能保持采集周期',
  },
  'line-long-request': {
    en: 'on the line {link} one request of {device} takes {requestMs} ms, more than a tenth of the {periodMs} ms after which {other} is due: its polls come late by so much now and then; give {device} a smaller limits.maxRegisters, set a higher speed, or poll {other} less often',
    zh: '线路 {link} 上，{device} 的一个请求占用 {requestMs} 毫秒，超过 {other} 采集周期 {periodMs} 毫秒的十分之一：后者的采集有时会相应推迟；请为 {device} 减小 limits.maxRegisters、提高波特率或降低 {other} 的采集频率',
  },
  'duplicate-device': {
    en: 'the device id {device} is used a second time',
    zh: '设备标识 {device} 重复使用',
  },
  'same-address': {
    en: 'devices {device} and {other} are both unit {unit} of the link {link}',
    zh: '设备 {device} 和 {other} 都是链路 {link} 上的站号 {unit}',
  },
  'broadcast-unit': {
    en: 'unit 0 on the bus {link} is every device at once: none answers, {device} cannot be polled',
    zh: '总线 {link} 上的站号 0 是广播地址：没有设备应答，无法轮询 {device}',
  },
  'unknown-profile': {
    en: 'no profile {profile} is installed',
    zh: '未安装设备描述 {profile}',
  },
  'profile-refused': {
    en: 'the profile cannot be used: {detail}',
    zh: '设备描述无法使用：{detail}',
  },
  'profile-other-protocol': {
    en: 'the profile {profile} is for {wanted}, the link speaks {protocol}',
    zh: '设备描述 {profile} 适用于 {wanted}，而链路使用 {protocol}',
  },
  'setting-unknown-point': {
    en: 'the profile {profile} has no point {point}',
    zh: '设备描述 {profile} 中没有测点 {point}',
  },
  'secret-inline': {
    en: 'a secret may not stand in this file',
    zh: '密钥不得写在此文件中',
  },
  'help-secret-reference': {
    en: 'put it into the file secrets/cloud beside this one, and write {reference} here',
    zh: '请存入同目录的文件 secrets/cloud，并在此处写 {reference}',
  },
  'secret-missing': {
    en: 'there is no secret {name}: {place} cannot be read',
    zh: '找不到密钥 {name}：无法读取 {place}',
  },
  'secret-unfit': {
    en: 'the secret {name} is empty or longer than {bytesMax} bytes',
    zh: '密钥 {name} 为空，或超过 {bytesMax} 字节',
  },
  'secret-readable': {
    en: 'others on this machine can read {place}',
    zh: '本机其他用户可以读取 {place}',
  },
  'help-chmod': { en: 'chmod 600 {place}', zh: '请执行 chmod 600 {place}' },
  'not-an-address': {
    en: '{found} is not an address of this gateway such as 10.64.0.7',
    zh: '{found} 不是本网关的地址，应如 10.64.0.7',
  },
  'same-path': {
    en: 'both paths lead to {url} by the same network: when one fails, so does the other',
    zh: '两条通道经同一网络连接 {url}：一条中断时另一条也会中断',
  },
  'help-same-path': {
    en: 'give the second path another broker, or its local_address on another network',
    zh: '请为第二条通道指定另一台消息服务器，或另一网络上的 local_address',
  },
  'cloud-unprotected': {
    en: '{url} leaves this machine without encryption',
    zh: '{url} 在离开本机时未加密',
  },
  'help-cloud-insecure': {
    en: 'use mqtts://, or write insecure: true beside it and be told so at every start',
    zh: '请使用 mqtts://；或在旁边写 insecure: true，每次启动都会提示',
  },
  'status-unprotected': {
    en: 'the status page would be readable beyond this machine, on {host}',
    zh: '状态页面将可从本机以外通过 {host} 读取',
  },
  'help-status-insecure': {
    en: 'use 127.0.0.1, or write insecure: true beside it and be told so at every start',
    zh: '请使用 127.0.0.1；或在旁边写 insecure: true，每次启动都会提示',
  },
  'insecure-cloud': {
    en: 'readings and the password go to {url} without encryption',
    zh: '数据和密码以未加密方式发送到 {url}',
  },
  'insecure-status': {
    en: 'the status page is readable beyond this machine, on {host}',
    zh: '状态页面可从本机以外通过 {host} 读取',
  },
} as const satisfies Record<string, Bilingual>;

export const configFaults = {
  config_unreadable: {
    en: {
      what: 'The configuration cannot be read.',
      cause: 'The file is not there, or this user may not read it.',
      action: 'Check the path that was given and the rights of the file.',
    },
    zh: {
      what: '无法读取配置文件。',
      cause: '文件不存在，或当前用户无权读取。',
      action: '检查给出的路径和文件权限。',
    },
  },
  profile_unknown: {
    en: {
      what: 'There is no device profile of this name.',
      cause: 'A misspelt name, or a profile that this release does not contain.',
      action: 'Look at the list with `lifeline profile list`; names are vendor/model.',
    },
    zh: {
      what: '没有这个名称的设备描述。',
      cause: '名称拼写有误，或此版本不含该设备描述。',
      action: '用 `lifeline profile list` 查看清单；名称为 厂商/型号。',
    },
  },
  profile_revision: {
    en: {
      what: 'The device profile is installed in another revision than the one asked for.',
      cause: 'The program was updated, or the site file was written for a newer release.',
      action:
        'Look at what changed with `lifeline profile show`, then name the installed revision.',
    },
    zh: {
      what: '已安装的设备描述版本与要求的不同。',
      cause: '程序已升级，或现场文件是为更新的版本编写的。',
      action: '用 `lifeline profile show` 查看差异，然后改写为已安装的版本。',
    },
  },
  profile_unreadable: {
    en: {
      what: 'A device profile file cannot be read.',
      cause: 'The file does not exist, or this user may not read it.',
      action: 'Check the path and the rights of the file.',
    },
    zh: {
      what: '无法读取设备描述文件。',
      cause: '文件不存在，或当前用户没有读取权限。',
      action: '检查文件路径和权限。',
    },
  },
} as const satisfies Record<string, FaultText>;
