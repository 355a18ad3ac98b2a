// What the operating system refuses, in words. `{where}` is a path, or an address with its port; the
// key is `system-` and the name of the error (errno(3)) in lower case.
import type { Bilingual, FaultText } from './text.ts';

export const systemMessages = {
  'system-eaddrinuse': {
    en: '{where}: another program listens there already',
    zh: '{where}：已有其他程序在此监听',
  },
  'system-eaddrnotavail': {
    en: '{where}: this machine has no such address',
    zh: '{where}：本机没有该地址',
  },
  'system-eacces': {
    en: '{where}: this user may not do that',
    zh: '{where}：当前用户没有权限',
  },
  'system-eperm': {
    en: '{where}: this user may not do that',
    zh: '{where}：当前用户没有权限',
  },
  'system-enoent': { en: '{where}: there is no such file', zh: '{where}：文件不存在' },
  'system-enotdir': {
    en: '{where}: a part of the path is a file, not a folder',
    zh: '{where}：路径中有一段是文件而不是文件夹',
  },
  'system-eisdir': {
    en: '{where}: is a folder, a file is expected',
    zh: '{where}：是文件夹，此处需要文件',
  },
  'system-eexist': {
    en: '{where}: is a file, a folder is expected',
    zh: '{where}：是文件，此处需要文件夹',
  },
  'system-enospc': { en: '{where}: the disk is full', zh: '{where}：磁盘已满' },
  'system-erofs': {
    en: '{where}: lies on a disk that is mounted read-only',
    zh: '{where}：所在磁盘以只读方式挂载',
  },
  'system-emfile': {
    en: '{where}: too many files are open',
    zh: '{where}：打开的文件过多',
  },
  'system-econnrefused': {
    en: '{where}: nothing listens there',
    zh: '{where}：该处没有程序监听',
  },
  'system-econnreset': {
    en: '{where}: the other side broke the connection off',
    zh: '{where}：对方中断了连接',
  },
  'system-enotfound': {
    en: '{where}: the name has no address',
    zh: '{where}：该名称没有对应地址',
  },
  'system-eai_again': {
    en: '{where}: the name has no address',
    zh: '{where}：该名称没有对应地址',
  },
  'system-etimedout': { en: '{where}: no answer', zh: '{where}：没有应答' },
  'system-ehostunreach': {
    en: '{where}: there is no way to that address',
    zh: '{where}：到该地址没有通路',
  },
  'system-enetunreach': {
    en: '{where}: there is no way to that network',
    zh: '{where}：到该网络没有通路',
  },
  'file-is-there': {
    en: '{path}: is there already and is left as it is',
    zh: '{path}：文件已存在，未作改动',
  },
  'later-format': {
    en: '{what}: format {found}, this version reads up to {known}',
    zh: '{what}：格式版本 {found}，本版本最高支持 {known}',
  },
  'system-other': { en: '{where}: {why}', zh: '{where}：{why}' },
} as const satisfies Record<string, Bilingual>;

export const systemFaults = {
  file_not_found: {
    en: {
      what: 'A file that was named does not exist.',
      cause: 'A misspelt path, or a path that is relative to another folder.',
      action: 'Check the path; it is looked up from the folder the command runs in.',
    },
    zh: {
      what: '指定的文件不存在。',
      cause: '路径拼写有误，或路径相对于另一个文件夹。',
      action: '检查路径；相对路径从命令运行时所在的文件夹算起。',
    },
  },
  file_unreadable: {
    en: {
      what: 'A file that was named cannot be read.',
      cause: 'This user may not read it, or it is a folder.',
      action: 'Check the path and the rights of the file.',
    },
    zh: {
      what: '指定的文件无法读取。',
      cause: '当前用户没有读取权限，或该路径是文件夹。',
      action: '检查路径和文件权限。',
    },
  },
  folder_unwritable: {
    en: {
      what: 'The folder for the data cannot be made or written.',
      cause: 'Another user owns it, the disk is read-only, or the path leads through a file.',
      action: 'Name a folder this user may write, or change its owner (chown).',
    },
    zh: {
      what: '数据文件夹无法创建或写入。',
      cause: '文件夹属于其他用户、磁盘只读，或路径中有一段是文件。',
      action: '指定当前用户可写的文件夹，或更改其所有者（chown）。',
    },
  },
  system_refused: {
    en: {
      what: 'The operating system refused something the command needs.',
      cause: 'The line above names the file or address and what is wrong with it.',
      action: 'Mend that, then run the command again.',
    },
    zh: {
      what: '操作系统拒绝了命令所需的操作。',
      cause: '上一行指出了文件或地址以及问题所在。',
      action: '排除该问题后重新运行命令。',
    },
  },
} as const satisfies Record<string, FaultText>;
