import type { Bilingual, FaultText } from './text.ts';

export const deployMessages = {
  'right-login': {
    en: 'logs in with its secret under its own name',
    zh: '可用自己的名称和密钥登录',
  },
  'right-wrong-secret': { en: 'is not let in with another secret', zh: '用其他密钥不能登录' },
  'right-anonymous': { en: 'nobody is let in without a name', zh: '不提供名称者不能登录' },
  'right-client-id': {
    en: 'is known by its own name, whatever client id it gives',
    zh: '无论提供何种客户端标识，都只按自己的名称识别',
  },
  'right-second-login': {
    en: 'has a login of its own for a second path, beside the first',
    zh: '第二条上行通道有独立的登录，与第一条并存',
  },
  'right-no-third-login': { en: 'has no third login', zh: '没有第三个登录' },
  'right-will': { en: 'leaves no last will for {topic}', zh: '不能为 {topic} 留下遗嘱消息' },
  'right-publish': { en: 'publishes {topic}', zh: '可发布 {topic}' },
  'right-no-publish': { en: 'does not publish {topic}', zh: '不能发布 {topic}' },
  'right-hear': { en: 'hears {topic}', zh: '可收到 {topic}' },
  'right-no-hear': { en: 'does not hear {topic}', zh: '不能收到 {topic}' },
  'right-holds': { en: 'holds', zh: '成立' },
  'right-broken': { en: 'BROKEN', zh: '不成立' },
  'right-unshown': { en: 'not shown', zh: '未能证明' },
  'rights-hold': {
    en: '{url}: {count} rights of {gateway} hold',
    zh: '{url}：{gateway} 的 {count} 项权限均成立',
  },
  'rights-broken': {
    en: '{url}: {count} rights of {gateway} do not hold',
    zh: '{url}：{gateway} 有 {count} 项权限不成立',
  },
  'rights-unshown': {
    en: '{url}: {count} rights of {gateway} could not be shown with its credential alone, as this broker grants every subscription and withholds the messages; --with-cloud shows them (a running cloud is off the broker for a moment)',
    zh: '{url}：此消息代理接受所有订阅、仅不投递消息，只凭网关自己的凭据无法证明 {gateway} 的 {count} 项权限；加 --with-cloud 可证明（运行中的云端会短暂断开）',
  },
  'broker-files-written': {
    en: '{folder}: mosquitto.conf, passwords and acl for {count} gateway(s) written',
    zh: '{folder}：已写入 mosquitto.conf、passwords 和 acl，共 {count} 个网关',
  },
  'broker-gateway-left-out': {
    en: '{gateway} was enrolled before passwords for Mosquitto were kept and is left out; enrol it again',
    zh: '网关 {gateway} 登记时尚未保存 Mosquitto 口令，未写入；请重新登记',
  },
  'secret-made': { en: 'secret made: {file}', zh: '已生成密钥：{file}' },
  'secret-kept': { en: 'secret kept as it is: {file}', zh: '密钥已存在，保持不变：{file}' },
  'enrolled-before': {
    en: 'gateway {id} of area {area} is enrolled with the secret in {file}',
    zh: '区域 {area} 的网关 {id} 已登记，密钥见 {file}',
  },
} as const satisfies Record<string, Bilingual>;

export const deployFaults = {
  gateway_not_found: {
    en: {
      what: 'The registry knows no gateway of this name.',
      cause: 'A typing mistake, or the gateway was never enrolled in this cloud.',
      action: 'Enrol it: lifeline cloud enrol AREA/GATEWAY --config CLOUD.yaml',
    },
    zh: {
      what: '登记库中没有该网关。',
      cause: '名称有误，或该网关从未在此云端登记。',
      action: '先登记：lifeline cloud enrol 区域/网关 --config CLOUD.yaml',
    },
  },
  broker_is_embedded: {
    en: {
      what: 'Files for another broker were asked for, but the cloud uses its embedded one.',
      cause: 'The cloud file has no broker.url.',
      action: 'Set broker.url and broker.credentials in the cloud file.',
    },
    zh: {
      what: '要求生成外部消息代理的文件，但云端使用的是内置代理。',
      cause: '云端配置中没有 broker.url。',
      action: '在云端配置中设置 broker.url 和 broker.credentials。',
    },
  },
  broker_no_password: {
    en: {
      what: 'The cloud has no password for the broker.',
      cause: 'The cloud file has a broker.url without broker.credentials.',
      action: 'Add broker.credentials: ${secret:broker}, and: lifeline cloud secret secrets/broker',
    },
    zh: {
      what: '云端没有登录消息代理的口令。',
      cause: '云端配置中有 broker.url，但没有 broker.credentials。',
      action:
        '添加 broker.credentials: ${secret:broker}，并运行 lifeline cloud secret secrets/broker',
    },
  },
  broker_unreachable: {
    en: {
      what: 'The broker could not be reached.',
      cause: 'It is not running, listens elsewhere, or its certificate is not trusted.',
      action:
        'Check address and port; NODE_EXTRA_CA_CERTS names the certificate of an own authority.',
    },
    zh: {
      what: '无法连接消息代理。',
      cause: '代理未运行、监听在其他地址，或其证书不受信任。',
      action: '检查地址和端口；自建 CA 的证书可用 NODE_EXTRA_CA_CERTS 指定。',
    },
  },
  broker_unanswered: {
    en: {
      what: 'The broker did not answer in time.',
      cause: 'It is overloaded or hangs, or the network lost the connection silently.',
      action: 'Look at its log, and try again.',
    },
    zh: {
      what: '消息代理未在限定时间内应答。',
      cause: '代理过载或无响应，或网络静默中断。',
      action: '查看代理日志后重试。',
    },
  },
  broker_cloud_refused: {
    en: {
      what: 'The broker does not let the cloud in with its password.',
      cause: 'The broker has files of before the password was made, or did not read them yet.',
      action: 'Write them: lifeline cloud broker mosquitto; then send the broker SIGHUP.',
    },
    zh: {
      what: '消息代理拒绝云端用其口令登录。',
      cause: '代理上的文件早于该口令，或代理尚未重新读取。',
      action: '运行 lifeline cloud broker mosquitto 重新生成，然后向代理发送 SIGHUP。',
    },
  },
  broker_taken_over: {
    en: {
      what: 'The broker ended the connection of the check without being given a reason.',
      cause: 'The gateway itself is running and took its name back, or the broker was restarted.',
      action: 'Stop the gateway, or check with a gateway enrolled for this purpose.',
    },
    zh: {
      what: '检查所用的连接被消息代理无故断开。',
      cause: '该网关正在运行并重新占用了自己的名称，或代理已重启。',
      action: '先停止该网关，或专门登记一个网关用于检查。',
    },
  },
} as const satisfies Record<string, FaultText>;
