import type { Bilingual, FaultText } from './text.ts';

export const cloudMessages = {
  'inbox-lacks': { en: '{what}: not in the inbox', zh: '{what}：不在收件箱中' },
  'inbox-never-adopted': {
    en: '{gateway} never adopted {hash}',
    zh: '{gateway} 从未采用 {hash}',
  },
  'inbox-no-place': {
    en: 'a series of {gateway} has no place in its dictionary',
    zh: '{gateway} 的一个序列在其字典中没有位置',
  },
  'registry-not-an-id': {
    en: '"{id}" is not a valid area and gateway id',
    zh: '“{id}”不是有效的 区域/网关 编号',
  },
  'registry-name-taken': {
    en: '"{name}": names that begin with "gateway" are those of gateways',
    zh: '“{name}”：以“gateway”开头的名称保留给网关',
  },
  'registry-beyond': { en: 'more than {max} {table}', zh: '{table} 超过上限 {max}' },
} as const satisfies Record<string, Bilingual>;

export const cloudFaults = {
  registry_bad_id: {
    en: {
      what: 'An area or gateway id is not valid.',
      cause: 'Ids are 1 to 64 of a-z, 0-9 and "-"; "cloud" is the name of the cloud itself.',
      action: 'Choose an id such as gw-hf-0231 and enrol again.',
    },
    zh: {
      what: '区域或网关编号无效。',
      cause: '编号由 1 至 64 个小写字母、数字和“-”组成；“cloud”保留给云端自身。',
      action: '改用 gw-hf-0231 之类的编号后重新登记。',
    },
  },
  registry_bad_name: {
    en: {
      what: 'A token cannot have this name.',
      cause: 'What a gateway did, or a person at a gateway, is recorded under such a name.',
      action: 'Choose the name of a person or a desk.',
    },
    zh: {
      what: '令牌不能使用该名称。',
      cause: '此类名称用于记录网关自身或现场人员的操作。',
      action: '请改用人员或值班席位的名称。',
    },
  },
  registry_full: {
    en: {
      what: 'The registry holds as many entries as it may.',
      cause: 'Something creates gateways or tokens in a loop.',
      action: 'Remove what is not used, then try again.',
    },
    zh: {
      what: '登记库的条目已达上限。',
      cause: '有程序在循环创建网关或令牌。',
      action: '删除不用的条目后重试。',
    },
  },
  registry_format: {
    en: {
      what: 'The registry file was written by a newer version.',
      cause: 'The cloud was downgraded, or a file was copied from a newer machine.',
      action: 'Start the version that wrote it, or restore a backup made by this one.',
    },
    zh: {
      what: '登记库文件由更新的版本写成。',
      cause: '云端被降级，或文件从较新的机器复制而来。',
      action: '启动写入该文件的版本，或恢复本版本的备份。',
    },
  },
  inbox_format: {
    en: {
      what: 'The inbox file was written by a newer version.',
      cause: 'The cloud was downgraded, or a file was copied from a newer machine.',
      action: 'Start the version that wrote it, or restore a backup made by this one.',
    },
    zh: {
      what: '收件箱文件由更新的版本写成。',
      cause: '云端被降级，或文件从较新的机器复制而来。',
      action: '启动写入该文件的版本，或恢复本版本的备份。',
    },
  },
  inbox_dictionary: {
    en: {
      what: 'A dictionary part named by a record is missing or of the wrong kind.',
      cause: 'The gateway sent a wrong list of pages, or the inbox file is damaged.',
      action: 'Update the gateway; if more than one gateway shows it, check the disk of the cloud.',
    },
    zh: {
      what: '记录引用的字典部分缺失或类型不符。',
      cause: '网关发来的页列表有误，或收件箱文件已损坏。',
      action: '升级该网关；若多个网关同时出现，请检查云端磁盘。',
    },
  },
  broker_bind: {
    en: {
      what: 'The broker cannot listen on its address.',
      cause: 'Another program has the port, or the machine has no such address.',
      action: 'Choose another port, or stop the other program.',
    },
    zh: {
      what: '消息代理无法监听其地址。',
      cause: '端口被其他程序占用，或本机没有该地址。',
      action: '更换端口，或停止占用它的程序。',
    },
  },
  broker_insecure: {
    en: {
      what: 'The broker would listen beyond this machine without TLS.',
      cause:
        'The address is not loopback, and neither a certificate nor `insecure: true` is given.',
      action: 'Give a certificate and key; `insecure: true` only on a network you trust wholly.',
    },
    zh: {
      what: '消息代理将在无 TLS 的情况下对外监听。',
      cause: '地址不是本机回环，且既未提供证书，也未设置 insecure: true。',
      action: '提供证书和私钥；仅在完全可信的网络中才使用 insecure: true。',
    },
  },
  ingest_failed: {
    en: {
      what: 'The receiving worker of the cloud ended.',
      cause: 'The inbox cannot be read or written: disk errors, wrong rights, a damaged file.',
      action:
        'Read the log line before it; nothing acknowledged is lost, the edges wait and send again.',
    },
    zh: {
      what: '云端的接收线程已退出。',
      cause: '收件箱无法读写：磁盘错误、权限不符或文件损坏。',
      action: '查看此前的日志；已确认的数据没有丢失，边缘侧会等待并重发。',
    },
  },
  broker_failed: {
    en: {
      what: 'The worker of the embedded broker ended.',
      cause: 'A mistake in the program, or memory ran out.',
      action: 'It is started again with the cloud; report the log line before it.',
    },
    zh: {
      what: '内置消息代理的线程已退出。',
      cause: '程序错误，或内存不足。',
      action: '重启云端即可恢复；请反馈此前的日志。',
    },
  },
  store_full: {
    en: {
      what: 'The time-series store has no room left on its disk.',
      cause: 'The disk of the cloud is nearly full; a reserve is kept free on purpose.',
      action:
        'Free space or move the folder to a larger disk. Nothing is lost: records wait in the inbox and are stored once there is room.',
    },
    zh: {
      what: '时序库所在磁盘空间不足。',
      cause: '云端磁盘即将写满；系统特意保留了一部分空间。',
      action:
        '清理空间，或把数据目录移到更大的磁盘。数据不会丢失：记录留在收件箱，有空间后自动入库。',
    },
  },
  store_failed: {
    en: {
      what: 'The time-series store could not read or write.',
      cause: 'Disk errors, too little memory for the question asked, or a damaged database file.',
      action:
        'Read the log line before it. The store opens its file anew and tries again; alarms do not depend on it.',
    },
    zh: {
      what: '时序库读写失败。',
      cause: '磁盘错误、查询所需内存不足，或数据库文件损坏。',
      action: '查看此前的日志。时序库会重新打开文件并重试；报警不依赖时序库。',
    },
  },
  store_open_failed: {
    en: {
      what: 'The file of the time-series store could not be opened.',
      cause: 'Another process has it open, the rights are wrong, or the file is damaged.',
      action:
        'End the other process; check the rights of the folder; restore a backup if it is damaged.',
    },
    zh: {
      what: '时序库文件无法打开。',
      cause: '另一进程正在使用、权限不符，或文件损坏。',
      action: '结束另一进程；检查目录权限；如已损坏请恢复备份。',
    },
  },
  store_format: {
    en: {
      what: 'The time-series store was written by a newer version.',
      cause: 'The cloud was downgraded, or the folder was copied from a newer machine.',
      action: 'Start the version that wrote it, or restore a backup made by this one.',
    },
    zh: {
      what: '时序库由更新的版本写成。',
      cause: '云端被降级，或目录从较新的机器复制而来。',
      action: '启动写入该目录的版本，或恢复本版本的备份。',
    },
  },
  store_foreign_inbox: {
    en: {
      what: 'The time-series store is ahead of the inbox.',
      cause: 'The inbox was deleted or restored from a backup, the store was not.',
      action: 'Restore both from one backup, or delete both: they belong together.',
    },
    zh: {
      what: '时序库的进度超前于收件箱。',
      cause: '收件箱被删除或从备份恢复，而时序库没有。',
      action: '请从同一份备份恢复两者，或同时删除：两者必须配套。',
    },
  },
  store_timeout: {
    en: {
      what: 'The time-series store did not answer in time.',
      cause: 'The span asked for is long, or the store is busy or hangs on a slow disk.',
      action: 'Ask for a shorter span or wider buckets, or try again later.',
    },
    zh: {
      what: '时序库未在限定时间内应答。',
      cause: '查询的时间范围过长，或时序库繁忙、磁盘过慢。',
      action: '缩短时间范围或加大聚合间隔，或稍后重试。',
    },
  },
  store_busy: {
    en: {
      what: 'Too many questions wait for the time-series store.',
      cause: 'Many clients ask for history at once, or the store is slow.',
      action: 'Try again in a moment.',
    },
    zh: {
      what: '等待时序库应答的查询过多。',
      cause: '大量客户端同时查询历史，或时序库过慢。',
      action: '请稍后重试。',
    },
  },
  store_down: {
    en: {
      what: 'The time-series store is not running.',
      cause: 'Its worker ended with an error or was closed; it is started again by itself.',
      action: 'Try again in a moment; read the log if it stays so. Alarms go on without it.',
    },
    zh: {
      what: '时序库未在运行。',
      cause: '其工作线程出错退出或已关闭；系统会自动重新启动。',
      action: '请稍后重试；若持续如此，请查看日志。报警不受影响。',
    },
  },
} as const satisfies Record<string, FaultText>;
