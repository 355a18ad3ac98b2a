import type { Bilingual, FaultText } from './text.ts';

export const edgeMessages = {
  'outbox-open-elsewhere': {
    en: '{path} is open in another process',
    zh: '{path} 已被另一个进程打开',
  },
  'outbox-disordered': { en: '{path}: rows out of order', zh: '{path}：记录次序错乱' },
  'link-told-to-stop': { en: '{name}: told to stop', zh: '{name}：已被要求停止' },
  'link-no-answer': { en: '{name}: no answer in {ms} ms', zh: '{name}：{ms} 毫秒内没有应答' },
  'link-unread': {
    en: '{name}: {bytes} bytes are waiting to be read',
    zh: '{name}：有 {bytes} 字节等待对方读取',
  },
  'link-port-ours': {
    en: '{port}: another link of this gateway has it',
    zh: '{port}：已被本网关的另一条链路占用',
  },
  'link-port-theirs': { en: '{port}: process {owner} has it', zh: '{port}：被进程 {owner} 占用' },
  'link-port-no-device': { en: '{port}: {device} is no device', zh: '{port}：{device} 不是设备' },
  'link-port-not-opened': {
    en: '{port} at {settings}: {why}',
    zh: '{port}（{settings}）无法打开：{why}',
  },
  'link-port-other-speed': {
    en: '{port}: {asked} baud asked, the port does {actual}',
    zh: '{port}：要求 {asked} 波特，串口实际为 {actual}',
  },
  'link-port-stuck': {
    en: '{port}: {bytes} bytes do not leave the port',
    zh: '{port}：有 {bytes} 字节发不出去',
  },
  'link-port-gone': { en: '{port}: gone', zh: '{port}：已消失' },
  'link-dialed-again': {
    en: '{link}: the unit dialed in again',
    zh: '{link}：终端已重新拨入',
  },
  'link-not-dialed': {
    en: '{link}: no unit has dialed in for {seconds} s',
    zh: '{link}：{seconds} 秒内没有终端拨入',
  },
  'link-first-well': { en: '{name}: can be reached again', zh: '{name}：已恢复可达' },
  'line-wire-broken': {
    en: 'not the wire of a simulated line: {what}',
    zh: '不是模拟线路的数据格式：{what}',
  },
  'link-closed-there': { en: '{name}: closed by the device', zh: '{name}：设备关闭了连接' },
} as const satisfies Record<string, Bilingual>;

export const edgeFaults = {
  status_port: {
    en: {
      what: 'The status page cannot be opened at its address.',
      cause: 'Another program has the port, or the address is not one of this machine.',
      action: 'Change status.host or status.port, or stop the other program.',
    },
    zh: {
      what: '状态页面无法在指定地址打开。',
      cause: '端口被其他程序占用，或该地址不属于本机。',
      action: '修改 status.host 或 status.port，或停止占用端口的程序。',
    },
  },
  link_refused: {
    en: {
      what: 'The device refused the connection.',
      cause: 'Nothing listens at that address and port: the port is wrong or the service is off.',
      action: 'Check host and port of the link; most Modbus TCP devices listen on 502.',
    },
    zh: {
      what: '设备拒绝连接。',
      cause: '该地址和端口上没有服务：端口写错，或设备的服务未开启。',
      action: '核对链路的主机和端口；多数 Modbus TCP 设备使用 502 端口。',
    },
  },
  link_timeout: {
    en: {
      what: 'The device did not answer the connection attempt in time.',
      cause: 'It is off, unplugged, behind a firewall, or has another address.',
      action: 'Check power and cable, then whether the address answers from this gateway.',
    },
    zh: {
      what: '设备未在规定时间内应答连接请求。',
      cause: '设备断电、网线未接、被防火墙阻挡，或地址不对。',
      action: '检查电源和网线，再从本网关确认该地址能否连通。',
    },
  },
  link_unknown_host: {
    en: {
      what: 'The host name of the link has no address.',
      cause: 'The name is misspelt, or the name server cannot be reached.',
      action: 'Write the IP address into the link: a device should be found without a name server.',
    },
    zh: {
      what: '链路的主机名无法解析为地址。',
      cause: '名称拼写错误，或域名服务器不可达。',
      action: '在链路中直接填写 IP 地址：查找设备不应依赖域名服务器。',
    },
  },
  link_unreachable: {
    en: {
      what: 'There is no way to the device.',
      cause: 'The network of the gateway has no route there, or its interface is down.',
      action: "Check the gateway's own address, its cable, and the device's network.",
    },
    zh: {
      what: '网络上无法到达设备。',
      cause: '网关没有通往该网络的路由，或网口未启用。',
      action: '检查网关自身的地址、网线以及设备所在的网络。',
    },
  },
  link_lost: {
    en: {
      what: 'The connection to the device ended.',
      cause: 'The device restarted, closed an idle or surplus connection, or the network failed.',
      action: 'Nothing, if it comes back by itself; else check for other masters on the device.',
    },
    zh: {
      what: '与设备的连接中断。',
      cause: '设备重启、关闭了空闲或多余的连接，或网络故障。',
      action: '若自行恢复则无需处理；否则检查是否有其他主站占用该设备。',
    },
  },
  link_stalled: {
    en: {
      what: 'The device stopped reading what it is sent.',
      cause: 'Its program hangs, or a gateway between is overloaded.',
      action: 'Restart the device; poll it less often if it happens again.',
    },
    zh: {
      what: '设备停止接收发送给它的数据。',
      cause: '设备程序卡死，或中间的网关过载。',
      action: '重启设备；若再次发生，请降低采集频率。',
    },
  },
  link_silent: {
    en: {
      what: 'The connection is open, but no device behind it answers.',
      cause: 'The devices are off, the unit ids are wrong, or the connection is dead on one side.',
      action:
        'Check power, bus wiring and unit ids. The gateway opens the connection anew by itself.',
    },
    zh: {
      what: '连接已建立，但其后没有任何设备应答。',
      cause: '设备断电、站号错误，或连接单边失效。',
      action: '检查电源、总线接线和站号。网关会自动重新建立连接。',
    },
  },
  link_distrusted: {
    en: {
      what: 'The gateway closed the connection because answers no longer fitted the questions.',
      cause: 'A converter mixes up its masters, or bytes were lost on the way.',
      action: 'Nothing, if it happens once; else look for a second master behind the converter.',
    },
    zh: {
      what: '应答与请求不再对应，网关已关闭连接。',
      cause: '转换器混淆了多个主站，或传输中丢失字节。',
      action: '偶发无需处理；若反复出现，请检查转换器后是否有第二个主站。',
    },
  },
  line_wire: {
    en: {
      what: 'What answers at that socket is no simulated serial line.',
      cause: 'Another program listens there, or it is of another version.',
      action: 'Point the link at the socket that the line simulator says it listens on.',
    },
    zh: {
      what: '该套接字上应答的不是模拟串行线路。',
      cause: '监听者是其他程序，或版本不同。',
      action: '把链路指向线路模拟器所报告的套接字。',
    },
  },
  link_port_missing: {
    en: {
      what: 'The serial port does not exist.',
      cause:
        'The adapter is unplugged, or its name is another: ttyUSB numbers change with the order of plugging in.',
      action:
        'Plug it in, and write the name that stays: ls -l /dev/serial/by-id. The gateway opens it by itself once it is there.',
    },
    zh: {
      what: '串口不存在。',
      cause: '转接器未插好，或名称已变：ttyUSB 编号随插入顺序变化。',
      action: '插好转接器，并填写固定名称：ls -l /dev/serial/by-id。出现后网关会自动打开。',
    },
  },
  link_port_taken: {
    en: {
      what: 'The serial port is in use by another.',
      cause:
        'A second gateway, a terminal program or a test tool has it open; a bus has one owner.',
      action:
        'End the other program (the message names its process), or give it a port of its own.',
    },
    zh: {
      what: '串口已被占用。',
      cause: '另一个网关进程、终端程序或测试工具打开了它；一条总线只能有一个主站。',
      action: '结束该程序（消息中给出进程号），或让它使用别的串口。',
    },
  },
  link_port_denied: {
    en: {
      what: 'The gateway may not use the serial port.',
      cause: 'Its user is not in the group of the port, on most systems dialout.',
      action: 'usermod -aG dialout followed by the user of the service, then restart the service.',
    },
    zh: {
      what: '网关无权使用该串口。',
      cause: '运行网关的用户不在串口所属的组内，多数系统为 dialout。',
      action: '执行 usermod -aG dialout 加服务用户名，然后重启服务。',
    },
  },
  link_port_unfit: {
    en: {
      what: 'What the link names cannot be opened as a serial port.',
      cause:
        'The path leads to something else, the port has no hardware behind it, or the adapter reports an error.',
      action:
        'Check the path with ls -l; plug the adapter in anew; try the port with another program.',
    },
    zh: {
      what: '链路所指的对象无法作为串口打开。',
      cause: '路径指向其他东西，串口没有对应硬件，或适配器报错。',
      action: '用 ls -l 核对路径；重新插拔适配器；用其他程序试用该串口。',
    },
  },
  link_port_settings: {
    en: {
      what: 'The serial port cannot do the speed that is set.',
      cause: 'The adapter has only certain speeds and took another one.',
      action: 'Set a speed that the adapter does, at the devices too, or use another adapter.',
    },
    zh: {
      what: '串口不支持所设的速率。',
      cause: '适配器只支持某些速率，实际采用了另一速率。',
      action: '改用适配器支持的速率（设备侧也要改），或更换适配器。',
    },
  },
  link_port_vanished: {
    en: {
      what: 'The serial port went away while it was in use.',
      cause: 'The USB adapter was pulled, lost power or restarted.',
      action:
        'Plug it in again: the gateway opens it by itself. If it repeats, check cable, hub and power.',
    },
    zh: {
      what: '串口在使用中消失。',
      cause: 'USB 转接器被拔出、掉电或自行重启。',
      action: '重新插入即可，网关会自动打开。若反复出现，请检查线缆、集线器和供电。',
    },
  },
  link_listen: {
    en: {
      what: 'The gateway cannot listen for terminal units.',
      cause: 'Another program has the port, or the address is not one of this machine.',
      action: 'Change listen.host or listen.port of the link, or stop the other program.',
    },
    zh: {
      what: '网关无法监听终端的拨入。',
      cause: '端口被其他程序占用，或该地址不属于本机。',
      action: '修改链路的 listen.host 或 listen.port，或停止占用端口的程序。',
    },
  },
  link_not_dialed_in: {
    en: {
      what: 'The terminal unit has not dialed in.',
      cause: 'It is off, has no network, dials another address, or registers with another packet.',
      action:
        'Check its power and signal, the server address and port set in it, and its registration packet against identity. The log names units that were refused.',
    },
    zh: {
      what: '终端（DTU）尚未拨入。',
      cause: '终端断电、无网络、拨往其他地址，或注册包不一致。',
      action:
        '检查终端的供电和信号、其中设置的服务器地址和端口，并将注册包与 identity 核对。日志会列出被拒绝的终端。',
    },
  },
  link_replaced: {
    en: {
      what: 'The terminal unit dialed in again, and its new connection is used.',
      cause: 'The old one was dead without having said so, or two units register alike.',
      action:
        'Nothing, if it happens now and then; else look for a second unit with the same registration packet.',
    },
    zh: {
      what: '终端重新拨入，已改用新连接。',
      cause: '旧连接已失效但未报告，或有两个终端使用同一注册包。',
      action: '偶发无需处理；若频繁出现，请查找使用相同注册包的另一终端。',
    },
  },
  link_first_again: {
    en: {
      what: 'The first way to the devices is well again, and is used instead of the backup.',
      cause: 'It could be reached for a while.',
      action: 'Nothing.',
    },
    zh: {
      what: '通往设备的首选路径已恢复，不再使用备用路径。',
      cause: '首选路径已连续一段时间可达。',
      action: '无需处理。',
    },
  },
  link_closed: {
    en: {
      what: 'The link was closed by this program.',
      cause: 'The agent is stopping, or its configuration no longer has the link.',
      action: 'Nothing.',
    },
    zh: {
      what: '链路由本程序关闭。',
      cause: '采集程序正在停止，或配置中已无此链路。',
      action: '无需处理。',
    },
  },
  outbox_full: {
    en: {
      what: 'The disk has no room for what was measured.',
      cause: 'Other programs filled the disk, or the share of the outbox is larger than the disk.',
      action: 'Free space or make the share smaller. Work resumes by itself; losses are recorded.',
    },
    zh: {
      what: '磁盘空间不足，测量数据无法写入。',
      cause: '其他程序占满了磁盘，或发件箱配额大于磁盘容量。',
      action: '释放空间或调小配额。恢复后自动继续；丢失的数据会记入缺口记录。',
    },
  },
  outbox_busy: {
    en: {
      what: 'Another process has this outbox open.',
      cause: 'The agent was started twice with the same data folder.',
      action: 'Stop the other one, or give each gateway a folder of its own.',
    },
    zh: {
      what: '发件箱已被另一个进程打开。',
      cause: '采集程序以同一数据目录启动了两次。',
      action: '停止另一个进程，或为每个网关指定各自的目录。',
    },
  },
  outbox_damaged: {
    en: {
      what: 'A file of the outbox cannot be read, or not all of it.',
      cause: 'The storage card is worn, the power went while it was writing, or bits flipped.',
      action:
        'What was readable is kept, the rest is a gap record. Replace the card if it repeats.',
    },
    zh: {
      what: '发件箱的某个文件无法读取，或只能部分读取。',
      cause: '存储卡磨损、写入时断电，或数据位翻转。',
      action: '可读部分已保留，其余记为缺口。若再次发生，请更换存储卡。',
    },
  },
  outbox_io: {
    en: {
      what: 'Reading or writing the outbox failed.',
      cause: 'The disk reports errors, is mounted read-only, or the folder is not ours.',
      action: 'Check the system log for disk errors and the rights of the data folder.',
    },
    zh: {
      what: '读写发件箱失败。',
      cause: '磁盘报错、以只读方式挂载，或目录权限不属于本程序。',
      action: '在系统日志中查找磁盘错误，并检查数据目录的权限。',
    },
  },
} as const satisfies Record<string, FaultText>;
