import type { Bilingual, FaultText } from './text.ts';

export const notifyMessages = {} as const satisfies Record<string, Bilingual>;

export const notifyFaults = {
  notify_url: {
    en: {
      what: 'The address of a webhook receiver cannot be used.',
      cause: 'It is no http or https address, or has a user name or password in it.',
      action: 'Write it as https://host/path; the secret goes into its own setting.',
    },
    zh: {
      what: 'Webhook 接收方地址无法使用。',
      cause: '地址不是 http 或 https,或其中含有用户名或密码。',
      action: '请写成 https://主机/路径;密钥填写在专用设置中。',
    },
  },
  notify_secret: {
    en: {
      what: 'The secret of a webhook receiver cannot be used.',
      cause: 'It is not `whsec_` followed by the base64 of 24 to 64 random bytes.',
      action: 'Make a new one, for example: echo whsec_$(openssl rand -base64 32)',
    },
    zh: {
      what: 'Webhook 接收方密钥无法使用。',
      cause: '它不是 `whsec_` 加 24 至 64 个随机字节的 base64。',
      action: '请生成新的密钥,例如:echo whsec_$(openssl rand -base64 32)',
    },
  },
  notify_receiver_unknown: {
    en: {
      what: 'A route names a receiver that does not exist.',
      cause: 'The name was mistyped, or the receiver was removed.',
      action: 'Add the receiver, or take its name out of the route.',
    },
    zh: {
      what: '路由指定了不存在的接收方。',
      cause: '名称输入有误,或该接收方已被删除。',
      action: '请添加该接收方,或从路由中移除其名称。',
    },
  },
  notify_format: {
    en: {
      what: 'The delivery ledger was written by a newer version.',
      cause: 'The program was replaced by an older one.',
      action: 'Start the newer version again.',
    },
    zh: {
      what: '投递台账由更新的版本写入。',
      cause: '程序被替换成了旧版本。',
      action: '请重新启动新版本。',
    },
  },
} as const satisfies Record<string, FaultText>;
