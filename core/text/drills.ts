// Drills: what is wrong with a scenario or with starting one, and how the report reads.
import type { Bilingual, FaultText } from './text.ts';

export const drillMessages = {
  'drill-at': {
    en: '{found} after the beginning is too late: at most 24h',
    zh: '开始后 {found} 过晚：最多 24h',
  },
  'drill-hold': {
    en: 'held for {found}: from 2s to 30m, after which the gateway ends it by itself',
    zh: '保持 {found}：应为 2s 至 30m，超过后网关会自行结束',
  },
  'drill-overlap': {
    en: 'level {level} at {gateway} is still up from step {other}, or was a moment ago: 5 s apart at least',
    zh: '网关 {gateway} 的 {level} 级演练点在第 {other} 步中尚未恢复：至少间隔 5 秒',
  },
  'drill-none': { en: 'no drill {number}', zh: '没有演练 {number}' },
  'drill-over': { en: 'drill {number} is over', zh: '演练 {number} 已结束' },
  'drills-beyond': {
    en: '{max} drills are running, which is the most at once',
    zh: '已有 {max} 个演练在进行，不能再开始',
  },
  'drill-point-taken': {
    en: 'level {level} at {gateway} belongs to drill {number}, which is running',
    zh: '网关 {gateway} 的 {level} 级演练点正用于演练 {number}',
  },
  'api-drill-scope': {
    en: 'drills go over all gateways: a token that sees a part of the assets may not have them',
    zh: '演练涉及全部网关：仅可见部分资产的令牌无权使用',
  },
  'drill-cli-summary': {
    en: 'marked alarms from gateway to confirmation: check FILE, start FILE --why TEXT, list, show N, end N',
    zh: '从网关到确认的全流程演练：check 检查文件，start 开始（--why 说明），list 列出，show 报告，end 结束',
  },
  'drill-cli-none': { en: 'no drill yet', zh: '还没有演练' },
  'drill-cli-runs': { en: 'running', zh: '进行中' },
  'drill-cli-passed': { en: 'as expected', zh: '符合预期' },
  'drill-cli-failed': { en: 'not as expected', zh: '不符合预期' },
  'drill-cli-ended': { en: 'ended by {by}', zh: '由 {by} 结束' },
  'drill-cli-head': {
    en: 'DRILL {number}  {title}  started {at} by {by}: {why}',
    zh: '演练 {number}  {title}  {by} 于 {at} 开始：{why}',
  },
  'drill-cli-step': {
    en: 'step {nth}: level {level} at {gateway}, held {hold}',
    zh: '第 {nth} 步：{gateway} {level} 级，保持 {hold}',
  },
  'drill-cli-planned': { en: 'not due yet', zh: '未到时间' },
  'drill-cli-refused': {
    en: 'could not be asked of the gateway: {code}',
    zh: '无法向网关下达：{code}',
  },
  'drill-cli-asked': { en: 'command asked for', zh: '下达命令' },
  'drill-cli-sent': { en: 'command sent to the gateway', zh: '命令已发往网关' },
  'drill-cli-done': { en: 'gateway says: {outcome}', zh: '网关回复：{outcome}' },
  'drill-cli-rose': {
    en: 'the point rose, by the gateway’s clock',
    zh: '测点升高（网关时钟）',
  },
  'drill-cli-received': { en: 'received by the cloud, alarm raised', zh: '云端收到并报警' },
  'drill-cli-no-alarm': { en: 'no alarm came', zh: '没有产生报警' },
  'drill-cli-queued': { en: '{to}: queued', zh: '{to}：排队' },
  'drill-cli-told': { en: '{to}: sent', zh: '{to}：已发送' },
  'drill-cli-accepted': { en: '{to}: accepted', zh: '{to}：已接收' },
  'drill-cli-delivered': { en: '{to}: delivered', zh: '{to}：已送达' },
  'drill-cli-seen': { en: '{to}: seen', zh: '{to}：已查看' },
  'drill-cli-confirmed': { en: '{to}: confirmed by {by}', zh: '{to}：{by} 已确认' },
  'drill-cli-acted': { en: '{to}: on the way', zh: '{to}：已出动' },
  'drill-cli-undelivered': { en: '{to}: nobody confirmed in time', zh: '{to}：未按时确认' },
  'drill-cli-unsent': { en: '{to}: {state}, {why}', zh: '{to}：{state}，{why}' },
  'drill-cli-desk': { en: 'acknowledged at the desk by {by}', zh: '值班台 {by} 已确认' },
  'drill-cli-cleared': { en: 'over', zh: '恢复' },
  'drill-cli-took': {
    en: 'confirmed {took} after the gateway saw it, {allowed} allowed',
    zh: '网关发现后 {took} 得到确认，允许 {allowed}',
  },
  'drill-cli-unconfirmed': {
    en: 'nobody confirmed, {allowed} allowed',
    zh: '无人确认，允许 {allowed}',
  },
  'drill-cli-untold': { en: 'not told: {ids}', zh: '未通知到：{ids}' },
} as const satisfies Record<string, Bilingual>;

export const drillFaults = {
  drill_unknown: {
    en: {
      what: 'There is no drill of this number.',
      cause: 'The number was mistyped, or it is of another cloud.',
      action: 'List them: lifeline cloud drill list',
    },
    zh: {
      what: '没有这个编号的演练。',
      cause: '编号输入有误，或属于另一个云端。',
      action: '查看列表：lifeline cloud drill list',
    },
  },
  drill_over: {
    en: {
      what: 'The drill is over already.',
      cause: 'It came to its end, or somebody ended it.',
      action: 'Read its report: lifeline cloud drill show NUMBER',
    },
    zh: {
      what: '该演练已经结束。',
      cause: '已按计划完成，或有人提前结束。',
      action: '查看报告：lifeline cloud drill show 编号',
    },
  },
  drill_busy: {
    en: {
      what: 'The drill cannot be started now.',
      cause: 'Others are running, or one of them has the same drill point of a gateway.',
      action: 'Wait for it, or end it: lifeline cloud drill end NUMBER',
    },
    zh: {
      what: '现在不能开始该演练。',
      cause: '有其他演练正在进行，或占用了同一网关的演练点。',
      action: '请等待其结束，或提前结束：lifeline cloud drill end 编号',
    },
  },
} as const satisfies Record<string, FaultText>;
