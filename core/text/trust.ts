import type { Bilingual, FaultText } from './text.ts';

export const trustMessages = {
  'trust-unknown': {
    en: '{endpoint}: nobody has looked at certificate {fingerprint} ({subject}) yet',
    zh: '{endpoint}：证书 {fingerprint}（{subject}）尚无人确认',
  },
  'trust-refused-before': {
    en: '{endpoint}: certificate {fingerprint} ({subject}) was refused by a person',
    zh: '{endpoint}：证书 {fingerprint}（{subject}）已被人工拒绝',
  },
  'trust-other-host': {
    en: '{endpoint}: certificate {fingerprint} is for {names}, not for {wanted}',
    zh: '{endpoint}：证书 {fingerprint} 属于 {names}，而不是 {wanted}',
  },
  'trust-not-yet': {
    en: '{endpoint}: certificate {fingerprint} begins on {from}',
    zh: '{endpoint}：证书 {fingerprint} 自 {from} 起才有效',
  },
  'trust-expired': {
    en: '{endpoint}: certificate {fingerprint} ended on {until}',
    zh: '{endpoint}：证书 {fingerprint} 已于 {until} 到期',
  },
  'trust-weak': {
    en: '{endpoint}: certificate {fingerprint} has an RSA key of {bits} bits, {least} are the least',
    zh: '{endpoint}：证书 {fingerprint} 的 RSA 密钥为 {bits} 位，至少应为 {least} 位',
  },
  'trust-no-certificate': {
    en: '{endpoint}: what the server shows is no certificate ({bytes} bytes)',
    zh: '{endpoint}：服务器出示的不是证书（{bytes} 字节）',
  },
  'trust-key-of-other': {
    en: '{path}: not the key of {certificate}',
    zh: '{path}：不是 {certificate} 的密钥',
  },
  'trust-own-unreadable': { en: '{path}: no certificate', zh: '{path}：不是证书' },
  'trust-key-unreadable': { en: '{path}: no private key', zh: '{path}：不是私钥' },
  'trust-key-missing': {
    en: '{path}: missing, and {certificate} is of no use without it',
    zh: '{path}：文件缺失，没有它 {certificate} 无法使用',
  },
  'trust-no-such': {
    en: 'no certificate here begins with {fingerprint}',
    zh: '没有以 {fingerprint} 开头的证书',
  },
  'trust-ambiguous': {
    en: '{count} certificates begin with {fingerprint}: give more of it',
    zh: '有 {count} 个证书以 {fingerprint} 开头：请多写几位',
  },
  'trust-no-next': {
    en: '{path}: no certificate has been made to go over to',
    zh: '{path}：没有可切换的新证书',
  },
  'trust-fingerprint-usage': {
    en: 'FINGERPRINT: the first 8 or more of its hex digits, not "{found}"',
    zh: 'FINGERPRINT：指纹的前 8 位或更多十六进制数字，而不是“{found}”',
  },
  'trust-state-trusted': { en: 'trusted', zh: '已信任' },
  'trust-state-unknown': { en: 'unknown', zh: '待确认' },
  'trust-state-refused': { en: 'refused', zh: '已拒绝' },
  'trust-column-state': { en: 'STATE', zh: '状态' },
  'trust-column-fingerprint': { en: 'FINGERPRINT', zh: '指纹' },
  'trust-column-ends': { en: 'ENDS', zh: '到期' },
  'trust-column-days': { en: 'DAYS', zh: '剩余天数' },
  'trust-column-subject': { en: 'SUBJECT', zh: '主体' },
  'trust-column-seen': { en: 'SEEN AT', zh: '出现于' },
  'trust-empty': {
    en: 'no server has shown a certificate yet: {folder}',
    zh: '尚无服务器出示过证书：{folder}',
  },
  'trust-own-line': {
    en: 'own certificate: {fingerprint}, ends {until}, {days} days left',
    zh: '本网关证书：{fingerprint}，{until} 到期，剩余 {days} 天',
  },
  'trust-own-none': {
    en: 'own certificate: none yet; it is made when a link of OPC UA opens, or by: {command}',
    zh: '本网关证书：尚未生成；首次打开 OPC UA 链路时生成，或执行：{command}',
  },
  'trust-next-line': {
    en: 'prepared: {fingerprint}, ends {until}; when the servers trust it: {command}',
    zh: '已备新证书：{fingerprint}，{until} 到期；各服务器信任后执行：{command}',
  },
  'trust-no-file-line': {
    en: '{file}: {bytes} bytes, {why}',
    zh: '{file}：{bytes} 字节，{why}',
  },
  'trust-why-too-large': { en: 'too large for a certificate', zh: '过大，不是证书' },
  'trust-why-no-certificate': { en: 'no certificate', zh: '不是证书' },
  'trust-why-unreadable': { en: 'cannot be read', zh: '无法读取' },
  'trust-beyond': { en: '{count} files more were not looked at', zh: '另有 {count} 个文件未查看' },
  'trust-next-accept': {
    en: 'next: compare the fingerprint with the one the server shows, then: {command}',
    zh: '下一步：与服务器显示的指纹核对，一致后执行：{command}',
  },
  'trust-field-state': { en: 'state', zh: '状态' },
  'trust-field-subject': { en: 'subject', zh: '主体' },
  'trust-field-issuer': { en: 'issuer', zh: '签发者' },
  'trust-field-uri': { en: 'application', zh: '应用 URI' },
  'trust-field-hosts': { en: 'hosts', zh: '主机' },
  'trust-field-life': { en: 'valid', zh: '有效期' },
  'trust-field-key': { en: 'key', zh: '密钥' },
  'trust-field-sha256': { en: 'SHA-256', zh: 'SHA-256' },
  'trust-field-sha1': { en: 'SHA-1', zh: 'SHA-1' },
  'trust-field-seen': { en: 'seen', zh: '出现' },
  'trust-field-decided': { en: 'decided', zh: '决定' },
  'trust-field-file': { en: 'file', zh: '文件' },
  'trust-itself': { en: 'itself', zh: '自签名' },
  'trust-life': {
    en: '{from} to {until}, {days} days left',
    zh: '{from} 至 {until}，剩余 {days} 天',
  },
  'trust-life-over': { en: '{from} to {until}: OVER', zh: '{from} 至 {until}：已到期' },
  'trust-seen': {
    en: '{endpoint}, first {first}, last {last}',
    zh: '{endpoint}，首次 {first}，最近 {last}',
  },
  'trust-decided': { en: '{at} by {who}', zh: '{at}，{who}' },
  'trust-accepted': {
    en: 'trusted: {subject} ({fingerprint})',
    zh: '已信任：{subject}（{fingerprint}）',
  },
  'trust-accepted-before': {
    en: 'trusted already: {subject} ({fingerprint})',
    zh: '此前已信任：{subject}（{fingerprint}）',
  },
  'trust-accepted-next': {
    en: 'next: nothing. A running gateway takes it at its next attempt, a few minutes at the most.',
    zh: '下一步：无需操作。运行中的网关会在下次尝试时采用，最多几分钟。',
  },
  'trust-accepted-host': {
    en: 'It names {names}, and was shown at {endpoint}: the link needs security: {setting}.',
    zh: '证书中的名称为 {names}，而出现在 {endpoint}：链路需要 security: {setting}。',
  },
  'trust-accepted-over': {
    en: 'It ended on {until}: renew it at the server, or say security: {setting} in the link.',
    zh: '它已于 {until} 到期：请在服务器上更换，或在链路中写 security: {setting}。',
  },
  'trust-refused': {
    en: 'refused: {subject} ({fingerprint})',
    zh: '已拒绝：{subject}（{fingerprint}）',
  },
  'trust-refused-next': {
    en: 'It counts from the next attempt to connect; to end a connection that stands, restart the gateway.',
    zh: '自下次连接起生效；如需断开已建立的连接，请重启网关。',
  },
  'trust-removed': {
    en: 'removed: {subject} ({fingerprint}); it is listed again when its server shows it',
    zh: '已移除：{subject}（{fingerprint}）；服务器再次出示时会重新列出',
  },
  'trust-own-next': {
    en: 'next: have the server trust it. As a file for the server: {command}',
    zh: '下一步：让服务器信任它。导出给服务器的文件：{command}',
  },
  'trust-own-written': {
    en: 'written: {file}. Put it on the trust list of the server.',
    zh: '已写入：{file}。请将其加入服务器的信任列表。',
  },
  'trust-prepared': {
    en: 'prepared, not in use yet: {fingerprint}, ends {until}',
    zh: '已备好，尚未启用：{fingerprint}，{until} 到期',
  },
  'trust-prepared-next': {
    en: 'next: have every server trust it, then: {command}',
    zh: '下一步：让所有服务器信任它，然后执行：{command}',
  },
  'trust-used': {
    en: 'in use: {fingerprint}, ends {until}. Links take it when they connect next.',
    zh: '已启用：{fingerprint}，{until} 到期。各链路下次连接时采用。',
  },
  'trust-actions': {
    en: 'ACTION: {known}, not "{found}"',
    zh: 'ACTION：{known}，而不是“{found}”',
  },
  'trust-usage': {
    en: 'trust {action} GATEWAY_FILE FINGERPRINT',
    zh: 'trust {action} 网关文件 指纹',
  },
  'browse-no-node': { en: '{path}: no such node ({why})', zh: '{path}：没有该节点（{why}）' },
  'browse-draft-head': {
    en: 'Drafted from {endpoint}. What stands as {mark} only a person knows; see docs/opcua.md.',
    zh: '由 {endpoint} 生成的草稿。标有 {mark} 之处需由人填写，见 docs/opcua.md。',
  },
  'browse-draft-source': {
    en: 'document that describes this server, its issue and page',
    zh: '说明该服务器的文件、版本和页码',
  },
  'browse-draft-unit': {
    en: 'The server says "{unit}", which is no unit we know: say which it is.',
    zh: '服务器给出的单位为“{unit}”，无法识别：请填写单位。',
  },
  'browse-draft-array': {
    en: 'An array: say which element, or make a point of each.',
    zh: '数组：请写明元素，或为每个元素建一个测点。',
  },
  'browse-draft-writable': {
    en: 'The server lets us write it. To offer that: an empty `write` (docs/commands.md).',
    zh: '服务器允许写入。如需提供：写一个空的 `write`（见 docs/commands.md）。',
  },
  'browse-draft-methods': {
    en: 'Methods; a command that calls one is offered with `commands` of a point:',
    zh: '方法；如需提供调用，请在测点的 commands 中写明：',
  },
  'browse-under-endpoint': { en: '{endpoint}, {count} nodes', zh: '{endpoint}，{count} 个节点' },
  'browse-connecting': { en: '{endpoint}: connecting', zh: '{endpoint}：正在连接' },
  'browse-more-depth': {
    en: 'There may be more below: --depth {depth}, or --under PATH.',
    zh: '下面可能还有：--depth {depth}，或 --under 路径。',
  },
  'browse-more-nodes': {
    en: 'There is more: --under PATH shows a part, --nodes {count} more of all.',
    zh: '还有更多：用 --under 路径 查看局部，或 --nodes {count}。',
  },
  'browse-more-time': {
    en: 'The server is slow, and the walk ended where it was: --under PATH shows a part.',
    zh: '服务器响应慢，浏览提前结束：用 --under 路径 查看局部。',
  },
  'browse-writable': { en: 'writable', zh: '可写' },
  'browse-history': { en: 'history', zh: '有历史' },
  'browse-method': { en: 'method({inputs})', zh: '方法({inputs})' },
  'browse-condition': { en: 'condition', zh: '报警条件' },
  'browse-untrusted': {
    en: 'This server has not been trusted yet. If the fingerprint is the one it shows: {command}',
    zh: '该服务器尚未被信任。若指纹与其显示的一致：{command}',
  },
  'browse-unencrypted': {
    en: 'Where a server offers nothing but None, --insecure reads it all the same: nothing is encrypted, nobody is proved to be who they say, and whoever is in between may read and change everything.',
    zh: '若服务器只提供 None，可用 --insecure 读取：数据不加密、身份不验证，中间的任何人都能读取和篡改。',
  },
  'browse-own-first': {
    en: 'Most likely the server does not trust this side yet: {command}',
    zh: '多半是服务器尚未信任本方：{command}',
  },
  'browse-insecure': {
    en: 'insecure: nothing of this is encrypted, and the server may be another',
    zh: '不安全：数据未加密，且无法确认服务器身份',
  },
  'browse-as-link': {
    en: 'as link {link} of the gateway file: {policy}, {mode}, {who}',
    zh: '按网关文件中的链路 {link}：{policy}，{mode}，{who}',
  },
  'browse-as-anonymous': { en: 'anonymous', zh: '匿名' },
  'browse-as-user': { en: 'with user and password', zh: '使用用户名和密码' },
  'browse-as-certificate': { en: 'with a user certificate', zh: '使用用户证书' },
  'browse-endpoint-usage': {
    en: 'ENDPOINT: opc.tcp://HOST:PORT, not "{found}"',
    zh: 'ENDPOINT：opc.tcp://主机:端口，而不是“{found}”',
  },
  'browse-between': {
    en: '{option}: a whole number from 1 to {most}',
    zh: '{option}：1 到 {most} 的整数',
  },
  'browse-drafted': {
    en: 'written: {file}, {points} points, left out: {left}. Fill in what stands as {mark}.',
    zh: '已写入：{file}，{points} 个测点，未列入：{left}。请填写标有 {mark} 之处。',
  },
  'browse-drafted-next': {
    en: 'next: lifeline profile check {file}',
    zh: '下一步：lifeline profile check {file}',
  },
  'insecure-opcua-expired': {
    en: '{endpoint}: a certificate that has ended is accepted',
    zh: '{endpoint}：接受已到期的证书',
  },
  'certificate-server-days': { en: 'OPC UA server certificate', zh: 'OPC UA 服务器证书剩余天数' },
  'certificate-own-days': { en: 'OPC UA gateway certificate', zh: 'OPC UA 网关证书剩余天数' },
  'certificate-server-ends': {
    en: 'Certificate of the OPC UA server ends within {days} days',
    zh: 'OPC UA 服务器证书将在 {days} 天内到期',
  },
  'certificate-own-ends': {
    en: 'OPC UA certificate of the gateway ends within {days} days',
    zh: '网关的 OPC UA 证书将在 {days} 天内到期',
  },
  'certificate-server-action': {
    en: 'Have a new certificate made at the server; then list, compare and accept it: lifeline edge trust list',
    zh: '在服务器上生成新证书，然后列出、核对并信任：lifeline edge trust list',
  },
  'certificate-own-action': {
    en: 'Make the next one (lifeline edge trust renew), have every server trust it, then take it into use (--use)',
    zh: '生成新证书（lifeline edge trust renew），让各服务器信任，然后启用（--use）',
  },
  'certificate-server-consequence': {
    en: 'From that day on the gateway refuses the server, and nothing behind it is read',
    zh: '到期后网关将拒绝该服务器，其后的数据全部中断',
  },
  'certificate-own-consequence': {
    en: 'From that day on servers refuse the gateway, and nothing behind them is read',
    zh: '到期后各服务器将拒绝本网关，其后的数据全部中断',
  },
} as const satisfies Record<string, Bilingual>;

export const trustFaults = {
  opcua_untrusted: {
    en: {
      what: 'An OPC UA server shows a certificate that nobody has trusted yet.',
      cause:
        'The server is new, has a new certificate, or is not the server: somebody else answers at its address.',
      action:
        'Compare the fingerprint with the one the server itself shows, then: lifeline edge trust accept GATEWAY_FILE FINGERPRINT. If they differ, somebody is in between.',
    },
    zh: {
      what: 'OPC UA 服务器出示的证书尚未被任何人信任。',
      cause: '服务器是新的、更换了证书，或者应答的根本不是该服务器。',
      action:
        '与服务器自身显示的指纹核对，一致后执行：lifeline edge trust accept 网关文件 指纹。若不一致，说明连接被他人截获。',
    },
  },
  opcua_certificate_host: {
    en: {
      what: 'An OPC UA server shows a certificate of another host.',
      cause:
        'It is dialed by an address where its certificate has a name, or the address leads to another server.',
      action:
        'If it is the right server, put the name its certificate bears into security.host of the link; else correct the endpoint.',
    },
    zh: {
      what: 'OPC UA 服务器出示的是另一台主机的证书。',
      cause: '连接使用地址而证书中写的是名称，或者该地址通向另一台服务器。',
      action: '若确是该服务器，请把证书中的名称写入链路的 security.host；否则改正 endpoint。',
    },
  },
  opcua_certificate_expired: {
    en: {
      what: 'The certificate of an OPC UA server is over.',
      cause: 'It was not renewed in time, or the clock of this gateway is ahead.',
      action:
        'Renew it at the server and trust the new one. Until then security.expired: accept of the link lets the connection go on; every start says so.',
    },
    zh: {
      what: 'OPC UA 服务器的证书已到期。',
      cause: '没有及时更换，或本网关的时钟超前。',
      action:
        '在服务器上更换证书并信任新证书。在此之前可在链路中写 security.expired: accept 继续连接，每次启动都会提示。',
    },
  },
  opcua_certificate_not_yet: {
    en: {
      what: 'The certificate of an OPC UA server is not valid yet.',
      cause:
        'The clock of this gateway is behind, or that of the server was ahead when it was made.',
      action: 'Check the clock of the gateway (lifeline edge status), then that of the server.',
    },
    zh: {
      what: 'OPC UA 服务器的证书尚未生效。',
      cause: '本网关的时钟滞后，或服务器生成证书时时钟超前。',
      action: '先检查网关的时钟，再检查服务器的时钟。',
    },
  },
  opcua_certificate_weak: {
    en: {
      what: 'The key of an OPC UA server is too short to protect anything.',
      cause: 'It was made long ago, or is of a kind that the security policies here do not take.',
      action: 'Have the server make a certificate with an RSA key of 2048 bits or more.',
    },
    zh: {
      what: 'OPC UA 服务器的密钥太短，起不到保护作用。',
      cause: '证书生成已久，或其密钥类型不被所用的安全策略接受。',
      action: '让服务器用 2048 位或更长的 RSA 密钥重新生成证书。',
    },
  },
  opcua_certificate_refused: {
    en: {
      what: 'What an OPC UA server shows as its certificate is none.',
      cause: 'It has none for the security policy that was asked for, or it is damaged.',
      action:
        'See what it offers: lifeline edge browse ENDPOINT. Then set its certificate up anew.',
    },
    zh: {
      what: 'OPC UA 服务器出示的不是有效证书。',
      cause: '它没有用于所选安全策略的证书，或证书已损坏。',
      action: '用 lifeline edge browse ENDPOINT 查看它提供的策略，然后重新配置其证书。',
    },
  },
  opcua_own_certificate: {
    en: {
      what: 'The certificate of this gateway cannot be used.',
      cause: 'A file below pki/own is damaged, missing, or belongs to another key.',
      action:
        'Put the right files back, or make a new certificate: lifeline edge trust renew GATEWAY_FILE --new-key, have the servers trust it, then --use.',
    },
    zh: {
      what: '本网关的证书无法使用。',
      cause: 'pki/own 下的文件损坏、缺失，或与密钥不匹配。',
      action:
        '恢复正确的文件，或重新生成：lifeline edge trust renew 网关文件 --new-key，让各服务器信任后再执行 --use。',
    },
  },
  pki_unusable: {
    en: {
      what: 'The folder of certificates beside the gateway file cannot be used.',
      cause: 'It belongs to another user, or the disk is full or read-only.',
      action: 'Give pki/ to the user that the gateway runs as, with mode 0700.',
    },
    zh: {
      what: '网关文件旁的证书文件夹无法使用。',
      cause: '它属于其他用户，或磁盘已满或只读。',
      action: '把 pki/ 的所有者改为运行网关的用户，权限设为 0700。',
    },
  },
  opcua_node_not_found: {
    en: {
      what: 'The OPC UA server has no node of that path.',
      cause: 'A name is spelt otherwise, or has another prefix than the one typed.',
      action: 'Browse without --under and look; names and prefixes count, capitals too.',
    },
    zh: {
      what: 'OPC UA 服务器上没有该路径的节点。',
      cause: '名称拼写不同，或前缀与所输入的不一致。',
      action: '不带 --under 浏览并查看；名称、前缀和大小写都要一致。',
    },
  },
  certificate_not_found: {
    en: {
      what: 'No certificate here has that fingerprint.',
      cause: 'It was typed wrong, its server was never dialed, or newer ones took its place.',
      action: 'List what there is: lifeline edge trust list GATEWAY_FILE.',
    },
    zh: {
      what: '没有具有该指纹的证书。',
      cause: '指纹输入有误、从未连接过该服务器，或已被较新的证书挤掉。',
      action: '查看现有证书：lifeline edge trust list 网关文件。',
    },
  },
} as const satisfies Record<string, FaultText>;
