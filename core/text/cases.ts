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
