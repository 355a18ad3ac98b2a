import type { Bilingual, FaultText } from './text.ts';

export const cliMessages = {
  'cli-unknown-word': { en: 'unknown command: {typed}', zh: '未知命令：{typed}' },
  'cli-did-you-mean': { en: 'did you mean "{meant}"?', zh: '您是不是想输入“{meant}”？' },
  'cli-known-words': { en: 'known: {known}', zh: '可用：{known}' },
  'cli-help-head': {
    en: 'Lifeline: sensing and edge gateways for the infrastructure a city lives on.\n\n  npm start                  a small city on this machine, with an alarm that reaches a desk',
    zh: 'Lifeline：城市生命线基础设施的感知与边缘网关。\n\n  npm start                  在本机运行一座小城市，并让一条报警送达值班台',
  },
  'cli-help-foot': {
    en: '\n`lifeline WORD --help` shows the verbs of a word. --lang en|zh, --json for programs.\n\nexit: 0 done, 1 found what it looks for (a failed test), 2 wrong usage, 3 a file is wrong,\n      4 not found (file, profile, gateway, alarm), 5 no answer from a device, 6 partly done,\n      7 not allowed (right, folder), 8 conflict (port or lock is taken), 9 the cloud or broker\n      does not answer, 10 internal fault, 130 interrupted',
    zh: '\n用 `lifeline 命令 --help` 查看各命令的用法。--lang en|zh 选择语言，--json 供程序使用。\n\n退出码：0 完成，1 查出了要查的问题（如测试未通过），2 用法错误，3 文件内容有误，\n        4 未找到（文件、型号、网关、报警），5 设备无应答，6 部分完成，\n        7 不允许（权限、文件夹），8 冲突（端口或锁被占用），9 云端或消息代理无应答，\n        10 内部故障，130 被中断',
  },
  'cli-unknown-option': { en: '{option}: there is no such option', zh: '{option}：没有这个选项' },
  'cli-unknown-option-near': {
    en: '{option}: there is no such option; did you mean {meant}?',
    zh: '{option}：没有这个选项；您是不是想输入 {meant}？',
  },
  'cli-option-no-value': { en: '{option} takes no value', zh: '{option} 不带值' },
  'cli-option-needs-value': { en: '{option} needs a value', zh: '{option} 需要一个值' },
  'cli-not-a-number': {
    en: '{option}: "{found}" is not a number',
    zh: '{option}：“{found}”不是数字',
  },
  'cli-not-a-port': {
    en: '{option}: {found} is no port; expected a whole number from 0 to {max}',
    zh: '{option}：{found} 不是端口；应为 0 至 {max} 的整数',
  },
  'cli-no-cloud': {
    en: 'no cloud: say --at URL and --token-file FILE',
    zh: '未指定云端：请给出 --at URL 和 --token-file FILE',
  },
  'cli-no-answer': { en: '{where} does not answer', zh: '{where} 没有应答' },
  'cli-part-late': { en: '{name} was not ready in time', zh: '{name} 未能及时就绪' },
  'cli-part-ended': { en: '{name} ended ({why})', zh: '{name} 已退出（{why}）' },
  'cli-ports-taken': { en: '{first} to {last} are all taken', zh: '{first} 至 {last} 均被占用' },
  'cli-usage': { en: 'usage: {detail}', zh: '用法：{detail}' },
  'cli-see-help': { en: 'see: lifeline {word} --help', zh: '参见：lifeline {word} --help' },
  'cli-findings': {
    en: 'findings: {count}; nothing was done',
    zh: '共 {count} 处问题；未执行任何操作',
  },
  'cli-findings-beyond': {
    en: '… and {count} more that are not listed',
    zh: '……另有 {count} 处未列出',
  },
  'cli-file-wrong': {
    en: '{file}: findings: {count}',
    zh: '{file}：共 {count} 处问题',
  },
  'cli-file-one-warning': { en: '{file}: 1 warning', zh: '{file}：1 条警告' },
  'cli-file-warnings': { en: '{file}: {count} warnings', zh: '{file}：{count} 条警告' },
  'cli-explain': { en: 'more: lifeline explain {code}', zh: '详情：lifeline explain {code}' },
  'cli-unknown-code': { en: 'there is no code {code}', zh: '没有代码 {code}' },
  'cli-cause': { en: 'cause: ', zh: '原因：' },
  'cli-action': { en: 'do:    ', zh: '处理：' },
  'cli-file-good': { en: '{file}: no findings', zh: '{file}：未发现问题' },
  'cli-enrolled': {
    en: 'gateway {id} of area {area} enrolled; its secret is given once and not kept',
    zh: '区域 {area} 的网关 {id} 已登记；密钥只给出这一次，不再保存',
  },
  'cli-token-issued': {
    en: 'token for {name} (right {right}) is given once and not kept',
    zh: '{name} 的令牌（权限 {right}）只给出这一次，不再保存',
  },
  'cli-listening': { en: '{name} listens on {address}', zh: '{name} 监听于 {address}' },
  'cli-stopping': { en: 'stopping: {name}', zh: '正在停止：{name}' },
  'gateway-cli-none': { en: 'no gateway that you may see', zh: '没有您可查看的网关' },
  'gateway-cli-online': { en: 'online', zh: '在线' },
  'gateway-cli-silent': { en: 'silent', zh: '离线' },
  'gateway-cli-up': { en: 'up', zh: '连通' },
  'gateway-cli-down': { en: 'down', zh: '中断' },
  'gateway-cli-unknown': { en: 'unknown', zh: '未知' },
  'gateway-cli-heard': { en: 'heard {heard}', zh: '最近收到 {heard}' },
  'gateway-cli-path': {
    en: 'path {number}: {state} since {since}, last status {heard}',
    zh: '通道 {number}：{state}，自 {since}，最近状态 {heard}',
  },
  'gateway-cli-newest': { en: 'newest reading: {newest}', zh: '最新数据：{newest}' },
  'cli-insecure-said': { en: 'INSECURE: {what}', zh: '不安全：{what}' },
  'cli-insecure': {
    en: 'INSECURE: {what} is reachable beyond this machine without TLS',
    zh: '不安全：{what} 可从本机以外访问且未启用 TLS',
  },
  'cli-acknowledged': { en: '{id} acknowledged by {by}', zh: '{id} 已由 {by} 确认' },
  'cli-no-letters': { en: 'no dead letters', zh: '没有死信' },
  'cli-id-short': {
    en: '"{typed}": type at least {least} signs of the id',
    zh: '“{typed}”：请至少输入编号的前 {least} 位',
  },
  'cli-id-many': {
    en: '"{typed}" begins more than one id: {ids}; type more of it',
    zh: '多个编号以“{typed}”开头：{ids}；请多输入几位',
  },
  'cli-no-alarms': { en: 'no alarms', zh: '没有报警' },
  'demo-title': { en: 'Lifeline demo city', zh: 'Lifeline 演示城市' },
  'demo-processes': { en: 'processes', zh: '进程' },
  'demo-readings': { en: 'live readings', zh: '实时读数' },
  'demo-alarms': { en: 'alarms', zh: '报警' },
  'demo-api': {
    en: 'API    {url}   (OpenAPI: {url}/v1/openapi.json)',
    zh: '接口   {url}   （OpenAPI：{url}/v1/openapi.json）',
  },
  'demo-token': { en: 'token  {token}', zh: '令牌   {token}' },
  'demo-data': { en: 'data   {folder}', zh: '数据   {folder}' },
  'demo-started': { en: '{name}  process {pid}  {ports}', zh: '{name}  进程 {pid}  {ports}' },
  'demo-died': {
    en: '{name} ended ({why}); starting it again',
    zh: '{name} 已退出（{why}）；正在重新启动',
  },
  'demo-live': {
    en: 'live after {seconds} s: {count} points, for example {sample}',
    zh: '{seconds} 秒后收到实时数据：{count} 个测点，例如 {sample}',
  },
  'demo-event': { en: 'in the city: {what}', zh: '城市事件：{what}' },
  'demo-burst': { en: 'a main bursts at the harbour', zh: '港口处供水主管爆裂' },
  'demo-gas-leak': { en: 'gas leaks into the cellar of well 07', zh: '燃气泄漏进入 07 号井' },
  'demo-settlement': { en: 'a bridge bearing settles', zh: '桥梁支座发生沉降' },
  'demo-no-station': {
    en: 'the pump station is missing: its OPC UA server is a development package (`npm ci` without --omit=dev)',
    zh: '没有泵站：其 OPC UA 服务器是开发用软件包（运行 `npm ci`，不要加 --omit=dev）',
  },
  'demo-raised': {
    en: 'ALARM {level} {title}: {point} {value} (limit {limit})',
    zh: '报警 {level} {title}：{point} {value}（限值 {limit}）',
  },
  'demo-confirmed': {
    en: 'confirmed by {by}: read {read} s after the register changed, delay over {raised} s, in the cloud {received} s, sent {sent} s, confirmed {confirmed} s',
    zh: '{by} 已确认：寄存器变化后 {read} 秒读取，{raised} 秒延时结束，{received} 秒到云端，{sent} 秒发送，{confirmed} 秒确认',
  },
  'demo-confirmed-unwatched': {
    en: 'confirmed by {by}: since the first reading beyond the limit, delay over {raised} s, in the cloud {received} s, sent {sent} s, confirmed {confirmed} s',
    zh: '{by} 已确认：自首个越限读数起，{raised} 秒延时结束，{received} 秒到云端，{sent} 秒发送，{confirmed} 秒确认',
  },
  'demo-crashed': {
    en: 'gateways killed and started again: {count}; lost from memory and told as gaps, estimated: {readings}; what they took is counted by the store',
    zh: '被终止后重新启动的网关：{count}；内存中丢失并以缺口记录（估计值）：{readings}；其已采数由存储统计',
  },
  'demo-stop-hint': { en: 'Ctrl-C ends it; nothing is lost', zh: '按 Ctrl-C 结束；不会丢失数据' },
  'demo-draining': { en: 'collecting stopped; draining', zh: '已停止采集；正在排空' },
  'demo-account': {
    en: 'account: due {due} = taken {taken} + missed {missed}; taken = stored {stored} + unchanged {unchanged} + given up {givenUp}; served by the devices {served}',
    zh: '账目：应采 {due} = 已采 {taken} + 错过 {missed}；已采 = 入库 {stored} + 未变 {unchanged} + 放弃 {givenUp}；设备侧应答 {served}',
  },
  'demo-alarm-account': {
    en: 'alarms: raised {raised}, accepted {accepted}, confirmed {confirmed}',
    zh: '报警：产生 {raised}，接收 {accepted}，确认 {confirmed}',
  },
  'demo-balanced': { en: 'the account balances', zh: '账目平衡' },
  'demo-unbalanced': { en: 'NOT IN ORDER: {why}', zh: '账目不平：{why}' },
} as const satisfies Record<string, Bilingual>;

export const cliFaults = {
  cli_unreachable: {
    en: {
      what: 'The cloud did not answer.',
      cause: 'It is not running, listens elsewhere, or the network is down.',
      action: 'Check that it runs, and give its address with --at URL.',
    },
    zh: {
      what: '云端没有应答。',
      cause: '云端未运行、监听在其他地址，或网络中断。',
      action: '确认云端正在运行，并用 --at URL 指定地址。',
    },
  },
  cli_no_port: {
    en: {
      what: 'No free port was found.',
      cause: 'Twenty ports in a row from the wished one are taken.',
      action: 'End what holds them, or give another port.',
    },
    zh: {
      what: '找不到空闲端口。',
      cause: '从期望端口起连续二十个端口都被占用。',
      action: '结束占用端口的程序，或改用其他端口。',
    },
  },
  cli_child_failed: {
    en: {
      what: 'A part of the demo did not start.',
      cause: 'Its log says why: the logs folder is inside the data folder.',
      action: 'Read the log; remove the data folder to begin anew if its files are damaged.',
    },
    zh: {
      what: '演示的某个部分未能启动。',
      cause: '原因见其日志：日志文件夹位于数据文件夹内。',
      action: '查看日志；若文件损坏，可删除数据文件夹后重新开始。',
    },
  },
} as const satisfies Record<string, FaultText>;
