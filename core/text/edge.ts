import type { Bilingual, FaultText } from './text.ts';

export const edgeMessages = {
  'outbox-disordered': { en: '{path}: rows out of order', zh: '{path}：记录次序错乱' },
  'link-told-to-stop': { en: '{name}: told to stop', zh: '{name}：已被要求停止' },
  'link-no-answer': { en: '{name}: no answer in {ms} ms', zh: '{name}：{ms} 毫秒内没有应答' },
  'link-unread': {
    en: '{name}: {bytes} bytes are waiting to be read',
    zh: '{name}：有 {bytes} 字节等待对方读取',
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
