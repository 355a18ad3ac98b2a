import type { Bilingual, FaultText } from './text.ts';

export const cloudMessages = {} as const satisfies Record<string, Bilingual>;

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
} as const satisfies Record<string, FaultText>;
