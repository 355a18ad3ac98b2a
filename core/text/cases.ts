// The case: what people do about an alarm, step by step.
import type { Bilingual, FaultText } from './text.ts';

export const caseMessages = {
  'case-new': { en: 'new', zh: '待确认' },
  'case-acknowledged': { en: 'acknowledged', zh: '已确认' },
  'case-verifying': { en: 'verifying', zh: '核实中' },
  'case-dispatched': { en: 'dispatched', zh: '已派遣' },
  'case-on-site': { en: 'on site', zh: '已到场' },
  'case-contained': { en: 'contained', zh: '已控制' },
  'case-closed': { en: 'closed', zh: '已结案' },
  'case-false-alarm': { en: 'false alarm', zh: '误报' },
  'case-test': { en: 'test', zh: '测试' },
  'case-drill': { en: 'drill', zh: '演练' },
  'case-merged': { en: 'merged', zh: '已并案' },
  'case-stage-registration': { en: 'registration', zh: '立案' },
  'case-stage-dispatch': { en: 'dispatch', zh: '派遣' },
  'case-stage-handling': { en: 'handling', zh: '处置' },
  'case-stage-verification': { en: 'verification', zh: '核查' },
  'case-stage-closing': { en: 'closing', zh: '结案' },
  'case-page-title': { en: 'Case', zh: '案件' },
  'case-page-stages': { en: 'Steps', zh: '环节' },
  'case-page-alarms': { en: 'Alarms', zh: '报警' },
  'case-page-log': { en: 'Log', zh: '处理记录' },
  'case-page-files': { en: 'Files', zh: '附件' },
  'case-page-printed': { en: 'As of', zh: '截至' },
  'case-page-what': { en: 'What', zh: '事由' },
  'case-page-level': { en: 'Level', zh: '级别' },
  'case-page-point': { en: 'Point', zh: '测点' },
  'case-page-asset': { en: 'Asset', zh: '设施' },
  'case-page-state': { en: 'State', zh: '状态' },
  'case-page-owner': { en: 'Owner, department', zh: '负责人、部门' },
  'case-page-opened': { en: 'Opened', zh: '立案时间' },
  'case-page-ended': { en: 'Ended', zh: '终结时间' },
  'case-page-reason': { en: 'Reason', zh: '原因' },
  'case-page-none': { en: 'none', zh: '未经此环节' },
  'case-page-late': { en: 'overdue', zh: '超时' },
  'case-page-active': { en: 'active', zh: '未恢复' },
  'case-column-stage': { en: 'Step', zh: '环节' },
  'case-column-from': { en: 'From', zh: '开始' },
  'case-column-to': { en: 'To', zh: '结束' },
  'case-column-took': { en: 'Took', zh: '用时' },
  'case-column-limit': { en: 'Limit', zh: '时限' },
  'case-column-department': { en: 'Department', zh: '部门' },
  'case-column-person': { en: 'Person', zh: '人员' },
  'case-column-alarm': { en: 'Alarm', zh: '报警' },
  'case-column-value': { en: 'Value (limit)', zh: '数值（限值）' },
  'case-column-at': { en: 'At', zh: '时间' },
  'case-column-what': { en: 'What', zh: '事项' },
  'case-column-place': { en: 'From where', zh: '来源' },
  'case-column-text': { en: 'Text', zh: '内容' },
  'case-column-file': { en: 'File', zh: '文件' },
  'case-column-size': { en: 'Size', zh: '大小' },
  'case-column-hash': { en: 'SHA-256', zh: 'SHA-256 哈希值' },
  'case-did-opened': { en: 'opened', zh: '立案' },
  'case-did-reopened': { en: 'opened again', zh: '重新立案' },
  'case-did-joined': { en: 'an alarm joined', zh: '并入报警' },
  'case-did-returned': {
    en: 'new again: an alarm that nobody has acknowledged',
    zh: '退回待确认：新报警尚未确认',
  },
  'case-did-acknowledge': { en: 'acknowledged', zh: '确认' },
  'case-did-verify': { en: 'verifying', zh: '开始核实' },
  'case-did-dispatch': { en: 'crew sent', zh: '派遣人员' },
  'case-did-arrive': { en: 'on site', zh: '到场' },
  'case-did-contain': { en: 'contained', zh: '已控制' },
  'case-did-close-asked': {
    en: 'asked to end it; a second person is needed',
    zh: '申请终结，待第二人批准',
  },
  'case-did-close': { en: 'closed', zh: '结案' },
  'case-did-false-alarm': { en: 'ended as false alarm', zh: '按误报终结' },
  'case-did-test': { en: 'ended as test', zh: '按测试终结' },
  'case-did-drill': { en: 'ended as drill', zh: '按演练终结' },
  'case-did-merge': { en: 'merged into another', zh: '并入其他案件' },
  'case-did-merged-from': { en: 'took another', zh: '并入一案' },
  'case-did-assign': { en: 'handed over', zh: '转交' },
  'case-did-note': { en: 'note', zh: '备注' },
  'case-did-file': { en: 'file', zh: '附件' },
  'case-did-escalate': { en: 'overdue: told further', zh: '超时上报' },
  'case-no-cases': { en: 'no such case', zh: '没有符合条件的案件' },
  'case-due': { en: 'due {at}', zh: '时限 {at}' },
  'case-overdue': { en: 'OVERDUE since {at}', zh: '已超时，时限 {at}' },
  'case-alarms': {
    en: '{alarms} alarms, {active} active',
    zh: '报警 {alarms} 条，未恢复 {active} 条',
  },
  'case-waits': {
    en: '{by} wants to end it; a second person: lifeline alarm approve {id}',
    zh: '{by} 申请终结；第二人批准：lifeline alarm approve {id}',
  },
  'case-saved': { en: '{bytes} bytes into {file}', zh: '已写入 {file}，{bytes} 字节' },
  'case-attached': {
    en: 'attached as file {id}: {name}, {bytes} bytes, SHA-256 {sha256}',
    zh: '已添加为附件 {id}：{name}，{bytes} 字节，SHA-256 {sha256}',
  },
  'case-file-kinds': {
    en: '{file}: .jpg .png .webp .heic .pdf .txt .csv are taken',
    zh: '{file}：仅接受 .jpg .png .webp .heic .pdf .txt .csv',
  },
  'case-was-first': {
    en: '{by} was first, at {at}: the case is {state} now',
    zh: '{by} 已于 {at} 先行处理：案件现为“{state}”',
  },
  'case-refused-ended': {
    en: 'the case has ended: {state}, by {by} at {at}',
    zh: '案件已终结：{state}，由 {by} 于 {at} 处理',
  },
  'case-refused-unacknowledged': {
    en: 'nobody has taken the case: acknowledge it first',
    zh: '案件尚无人受理：请先确认',
  },
  'case-refused-crew-out': {
    en: 'a crew is out: say first that it is contained, or a false alarm',
    zh: '人员尚在现场或途中：请先报告已控制或误报',
  },
  'case-refused-no-crew': { en: 'no crew was sent', zh: '尚未派遣人员' },
  'case-refused-apart': {
    en: 'a test, a drill or a merged case takes nothing more',
    zh: '测试、演练或已并案的案件不再受理',
  },
  'case-reason-needed': { en: 'a reason is needed', zh: '必须填写原因' },
  'case-note-needed': { en: 'the note is empty', zh: '备注为空' },
  'case-crew-needed': { en: 'who is sent is to be named', zh: '须写明派遣人员' },
  'case-owner-needed': { en: 'an owner or a department is needed', zh: '须写明负责人或部门' },
  'case-merge-itself': { en: 'a case cannot be merged into itself', zh: '案件不能并入自身' },
  'case-merge-ended': {
    en: '{id} is {state}: merge into an open case',
    zh: '{id} 为“{state}”：只能并入未终结的案件',
  },
  'case-none': { en: 'no case {id}', zh: '没有案件 {id}' },
  'case-files-beyond': { en: '{max} files already', zh: '文件已达 {max} 个' },
  'case-room': {
    en: 'the files of all cases may take {max} bytes',
    zh: '全部附件上限为 {max} 字节',
  },
  'case-file-beyond': { en: 'a file may have {max} bytes', zh: '单个文件上限为 {max} 字节' },
  'case-file-hash': {
    en: 'the hash of what is there is {sha256}',
    zh: '现有内容的哈希值为 {sha256}',
  },
  'case-file-cut': { en: 'the upload ended before the file did', zh: '上传在文件结束之前中断' },
  'case-file-begins': { en: 'it does not begin as {type} does', zh: '文件开头与 {type} 不符' },
  'case-no-file': { en: 'case {id} has no file {file}', zh: '案件 {id} 没有文件 {file}' },
  'case-limits-twice': {
    en: 'level {level} has its limits above already',
    zh: '级别 {level} 的时限已在上文给出',
  },
  'case-limit-range': { en: '{found} is not 10s to 30d', zh: '{found} 不在 10s 至 30d 之间' },
  'case-limit-order': {
    en: 'level {one} has less time for {step} than level {other}, which is more urgent',
    zh: '级别 {one} 的 {step} 时限短于更紧急的级别 {other}',
  },
  'case-files-room': { en: 'one file alone may need {least}', zh: '仅一个文件就可能需要 {least}' },
  'case-entries-beyond': {
    en: '{max} notes already; open a new case or write a report',
    zh: '备注已达 {max} 条；请另立案件或撰写报告',
  },
} as const satisfies Record<string, Bilingual>;

export const caseFaults = {
  case_unknown: {
    en: {
      what: 'There is no case of this number.',
      cause: 'The number was mistyped, or the case is beyond the scope of the token.',
      action: 'List the cases and take the number from there.',
    },
    zh: {
      what: '没有这个编号的案件。',
      cause: '编号输入有误，或案件不在令牌的范围内。',
      action: '请从案件列表中取得编号。',
    },
  },
  case_already: {
    en: {
      what: 'Somebody else has done this already.',
      cause: 'Two people acted at the same time.',
      action: 'Look at the case: it shows who has it and how far it is.',
    },
    zh: {
      what: '他人已先完成此操作。',
      cause: '两人同时操作。',
      action: '请查看案件，其中显示负责人和进展。',
    },
  },
  case_refused: {
    en: {
      what: 'The case is not at a step where this can be done.',
      cause: 'A step before it is missing, or the case has ended.',
      action: 'Look at the case, and do the step it is at.',
    },
    zh: {
      what: '案件所处环节不允许此操作。',
      cause: '缺少前一环节，或案件已终结。',
      action: '请查看案件并完成其当前环节。',
    },
  },
  case_malformed: {
    en: {
      what: 'The step of a case lacks something.',
      cause: 'A reason, a note, a crew or an owner was not given.',
      action: 'See the detail, and give what is missing.',
    },
    zh: {
      what: '案件操作缺少内容。',
      cause: '未填写原因、备注、派遣人员或负责人。',
      action: '按提示补充。',
    },
  },
  case_full: {
    en: {
      what: 'The case holds as many notes or files as it may.',
      cause: 'A program writes into it, or it has gone on for very long.',
      action: 'Remove what writes by itself; open a new case for what is new.',
    },
    zh: {
      what: '案件中的备注或文件已达上限。',
      cause: '有程序不断写入，或案件持续时间过长。',
      action: '停止自动写入；新情况请另立案件。',
    },
  },
  case_file_too_large: {
    en: {
      what: 'The file is larger than a case takes.',
      cause: 'A photo of high resolution or a scan of many pages.',
      action: 'Make it smaller, or attach it in parts.',
    },
    zh: {
      what: '文件超过案件附件的大小上限。',
      cause: '照片分辨率过高或扫描件页数过多。',
      action: '请压缩文件或分成多个文件。',
    },
  },
  case_files_full: {
    en: {
      what: 'There is no room for further files.',
      cause: 'The files of all cases together have reached their bound.',
      action: 'Give them more room in the configuration, on a disk that has it.',
    },
    zh: {
      what: '附件空间已满。',
      cause: '全部案件的附件总量已达上限。',
      action: '在磁盘允许的情况下，于配置中增大附件空间。',
    },
  },
  case_file_type: {
    en: {
      what: 'This kind of file is not taken.',
      cause:
        'Its content is not what its type says, or the type is not an image, PDF, text or CSV.',
      action: 'Attach it as JPEG, PNG, WebP, HEIC, PDF, text or CSV.',
    },
    zh: {
      what: '不接受此类文件。',
      cause: '内容与声明的类型不符，或不是图片、PDF、文本、CSV。',
      action: '请以 JPEG、PNG、WebP、HEIC、PDF、文本或 CSV 格式添加。',
    },
  },
  case_file_damaged: {
    en: {
      what: 'The file that arrived is not the one that was sent.',
      cause: 'The upload was cut short, or its hash is not the one announced.',
      action: 'Send it again.',
    },
    zh: {
      what: '收到的文件与发送的不一致。',
      cause: '上传中断，或哈希值与声明的不同。',
      action: '请重新发送。',
    },
  },
  case_file_lost: {
    en: {
      what: 'A file of a case is missing on the disk, or is not what was attached.',
      cause: 'Somebody removed or changed it, or the disk is damaged.',
      action: 'Restore the folder of attachments from a backup; look for who changed it.',
    },
    zh: {
      what: '案件附件在磁盘上缺失，或内容与保存时不一致。',
      cause: '文件被删除或更改，或磁盘损坏。',
      action: '请从备份恢复附件文件夹，并查明更改者。',
    },
  },
  case_file_disk: {
    en: {
      what: 'The file could not be written.',
      cause: 'The disk is full, or the folder cannot be written.',
      action: 'Make room, and check the owner of the folder; then send it again.',
    },
    zh: {
      what: '无法写入文件。',
      cause: '磁盘已满，或文件夹不可写。',
      action: '请清理空间并检查文件夹的所有者，然后重新发送。',
    },
  },
  file_not_written: {
    en: {
      what: 'A file could not be written.',
      cause: 'There is one of this name, the folder does not exist, or it may not be written.',
      action: 'Name another file, or remove the one that is there.',
    },
    zh: {
      what: '无法写入文件。',
      cause: '同名文件已存在、文件夹不存在或不可写。',
      action: '请指定其他文件名，或删除已有文件。',
    },
  },
  case_format: {
    en: {
      what: 'The case tables were written by a newer version.',
      cause: 'The program was replaced by an older one.',
      action: 'Start the newer version again.',
    },
    zh: {
      what: '案件数据表由更新的版本写入。',
      cause: '程序被替换成了旧版本。',
      action: '请重新启动新版本。',
    },
  },
} as const satisfies Record<string, FaultText>;
