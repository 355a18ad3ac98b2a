// Texts of rules: what is wrong with one, titles of alarms that nobody named, deciding.
import type { Bilingual, FaultText } from './text.ts';

export const ruleMessages = {
  'rule-never-fires': {
    en: 'the alarm can never come: {what} lies between {min} and {max}, and is raised at {raise}',
    zh: '该报警永远不会出现：{what} 在 {min} 到 {max} 之间，而报警值为 {raise}',
  },
  'rule-never-clears': {
    en: 'the alarm can never go: {what} lies between {min} and {max}, and clears beyond {clear}',
    zh: '该报警永远不会解除：{what} 在 {min} 到 {max} 之间，而解除值为 {clear}',
  },
  'help-clear-default': {
    en: 'clear was left out, and {clear} is what is customary for this unit; write clear',
    zh: '未写 clear；{clear} 是该单位的惯用默认值，请写明 clear',
  },
  'rule-no-time': {
    en: 'the sheet leaves no time to act: time_available is 0',
    zh: '应急说明没有留出处置时间：time_available 为 0',
  },
  'rule-loses': {
    en: 'the rule {id} in force has {lost}, and this one leaves it out: it goes',
    zh: '现行规则 {id} 含有 {lost}，而此规则未写：将会丢失',
  },
  'help-rule-loses': {
    en: 'a file says the whole of a rule; write {lost} to keep it',
    zh: '文件须写出规则的全部内容；要保留 {lost}，请写上',
  },
  'rule-delay-senseless': {
    en: '{field} of {found} is longer than {max}: nobody can act on it any more',
    zh: '{field} 为 {found}，超过 {max}：届时已无法处置',
  },
  'rule-kind-unfit': {
    en: 'a rule of kind {kind} means nothing for a value of type {type}',
    zh: '{kind} 类规则对 {type} 类型的值没有意义',
  },
  'rule-window-short': {
    en: '{field} of {found} is shorter than {polls} times the period of the point, {period}',
    zh: '{field} 为 {found}，短于测点周期 {period} 的 {polls} 倍',
  },
  'rule-total-beyond-window': {
    en: 'the alarm can never come: {total} in all do not fit a window of {window}',
    zh: '该报警永远不会出现：{window} 的窗口内累计不到 {total}',
  },
  'rule-delay-beyond-window': {
    en: 'a delay of {delay} is longer than the window of {window} it waits for',
    zh: '延时 {delay} 比所等待的窗口 {window} 还长',
  },
  'rule-night-empty': {
    en: 'the night ends before it begins',
    zh: '夜间时段的结束早于开始',
  },
  'help-night-empty': {
    en: 'from and until are of one day: write 00:00 to 04:00, not 23:00 to 04:00',
    zh: 'from 与 until 须在同一天内：请写 00:00 到 04:00，而不是 23:00 到 04:00',
  },
  'rule-baseline-count': {
    en: 'a baseline has {wanted} values, one an hour of the week; this one has {found}',
    zh: '基线应有 {wanted} 个值（一周每小时一个）；此处有 {found} 个',
  },
  'rule-other-form': {
    en: 'write {other} without the gateway: device/point',
    zh: '{other} 请不要写网关：device/point',
  },
  'rule-other-gateway': {
    en: '{other} is not of the gateway {gateway}: two gateways have two clocks',
    zh: '{other} 不属于网关 {gateway}：两个网关的时钟不同',
  },
  'rule-other-itself': {
    en: '{other} is compared with itself',
    zh: '{other} 与自身比较',
  },
  'rule-other-unknown': {
    en: 'the gateway has no point {other}',
    zh: '该网关没有测点 {other}',
  },
  'rule-other-type': {
    en: '{other} is of type {type} and cannot be compared with',
    zh: '{other} 的类型为 {type}，无法比较',
  },
  'rule-other-unit': {
    en: '{other} is in {found}, this point in {unit}',
    zh: '{other} 的单位为 {found}，本测点为 {unit}',
  },
  'rule-ramp-too-long': {
    en: 'the alarm can never come: to change so fast for {delay} takes {needed}, and the range is {min} to {max}',
    zh: '该报警永远不会出现：以此速度持续 {delay} 需变化 {needed}，而量程为 {min} 到 {max}',
  },
  'rule-ramp-back-too-long': {
    en: 'the alarm can never go: to change back so fast for {delay} takes {needed}, and the range is {min} to {max}',
    zh: '该报警永远不会解除：以此速度反向持续 {delay} 需变化 {needed}，而量程为 {min} 到 {max}',
  },
  'rule-sum-never-shrinks': {
    en: 'the alarm can never go: within the range the sum for target {target} and slack {slack} never falls',
    zh: '该报警永远不会解除：在量程内，目标 {target}、容差 {slack} 的累积和不会下降',
  },
  'rule-band-whole-range': {
    en: 'the alarm can never go: a band of {band} is the whole range of {span}',
    zh: '该报警永远不会解除：变化带 {band} 已覆盖整个量程 {span}',
  },
  'rule-state-outside': {
    en: 'the state {state} can never come: the range is {min} to {max}',
    zh: '状态 {state} 不可能出现：量程为 {min} 到 {max}',
  },
  'rule-every-state': {
    en: 'the alarm can never go: it names every state there is',
    zh: '该报警永远不会解除：它包含了所有状态',
  },
  'rule-duplicate': {
    en: 'the point has two rules with the id {id}',
    zh: '该测点有两条编号为 {id} 的规则',
  },
  'rule-same-side': {
    en: '{id} and {other} are both {side} limits of the same thing',
    zh: '{id} 与 {other} 是同一信号的两个 {side} 限值',
  },
  'rule-order': {
    en: '{upper} at {above} does not lie above {lower} at {below}',
    zh: '{upper} 的 {above} 没有高于 {lower} 的 {below}',
  },
  'rule-overlap': {
    en: '{id} clears at {clear}, where {other} at {limit} is in alarm already',
    zh: '{id} 在 {clear} 解除，而此时 {other}（{limit}）已在报警',
  },
  'rule-point-unknown': {
    en: 'there is no point {point}',
    zh: '没有测点 {point}',
  },
  'rule-glob-empty': {
    en: 'no point fits {point}',
    zh: '没有测点符合 {point}',
  },
  'rule-point-ambiguous': {
    en: '{point} is a point of several gateways: {keys}',
    zh: '{point} 在多个网关中都有：{keys}',
  },
  'help-rule-point': {
    en: 'write the gateway before it, or */{point} for all of them',
    zh: '请在前面写上网关，或写 */{point} 表示全部',
  },
  'not-a-point-pattern': {
    en: '{found} is not a point such as gateway/device/point, device/point or */ch4-*/ch4',
    zh: '{found} 不是测点；请写 gateway/device/point、device/point 或 */ch4-*/ch4',
  },
  'not-a-reference': {
    en: '{found} is not another point of the gateway: device/point, or point of the same device',
    zh: '{found} 不是同一网关的测点；请写 device/point，同一设备可只写 point',
  },
  'not-a-time-of-day': {
    en: '{found} is not a time of day such as 02:00, in quotation marks',
    zh: '{found} 不是时刻；请加引号写 02:00 这样的形式',
  },
  'not-an-offset': {
    en: '{found} is not a time offset such as +08:00, in quotation marks',
    zh: '{found} 不是时差；请加引号写 +08:00 这样的形式',
  },

  'rule-approver': {
    en: 'the second person for a rule has the right control or more, and the point in their scope',
    zh: '规则更改的第二批准人须具有 control 以上权限，且测点在其范围内',
  },
  'rule-changed-by': {
    en: 'it is version {version} now, by {by}',
    zh: '现为第 {version} 版，由 {by} 更改',
  },

  'rule-action-twice': {
    en: 'action stands in the sheet too; write it once',
    zh: 'sheet 中已有 action；请只写一处',
  },

  // On the command line.
  'rule-none': { en: 'no rules', zh: '没有规则' },
  'rule-default': { en: '{parts} (default)', zh: '{parts}（默认）' },
  'rule-is-retired': { en: 'retired', zh: '已停用' },
  'rule-is-differing': { en: 'gateway proposes other', zh: '网关建议不同' },
  'rule-is-waiting': {
    en: 'a change by {by} waits for a second person (lifeline alarm approve {id})',
    zh: '{by} 提出的更改等待第二人批准（lifeline alarm approve {id}）',
  },
  'rule-proposes': { en: '  its gateway proposes:', zh: '  网关建议：' },
  'rule-would': { en: 'would {verb}: {rule}', zh: '将执行 {verb}：{rule}' },
  'rule-name-form': {
    en: '{found} is no rule; write gateway/device/point/rule',
    zh: '{found} 不是规则；请写 网关/设备/测点/规则',
  },
  'rule-in-force': { en: 'v{version} in force', zh: '现行第 {version} 版' },
  'rule-none-in-force': { en: 'none in force', zh: '尚无现行规则' },
  'rule-outcome-new': { en: 'new', zh: '新增' },
  'rule-outcome-changed': { en: 'changed', zh: '更改' },
  'rule-outcome-unchanged': { en: 'unchanged', zh: '未变' },
  'rule-outcome-waits': { en: 'waits for a second person', zh: '等待第二人批准' },
  'rule-waits-as': {
    en: 'waits for a second person (lifeline alarm approve {id})',
    zh: '等待第二人批准（lifeline alarm approve {id}）',
  },
  'rule-would-wait': { en: 'will wait for a second person', zh: '将等待第二人批准' },
  'rule-baseline-short': {
    en: 'the history has nothing for {missing} of the {hours} hours of a week',
    zh: '一周 {hours} 个小时中有 {missing} 个没有历史数据',
  },

  // When a rule is in alarm.
  'rule-no-version': {
    en: 'the rule {rule} has no version {version}',
    zh: '规则 {rule} 没有第 {version} 版',
  },
  'rule-words-limit': { en: '{limit}, clear {end}', zh: '{limit}，{end} 时解除' },
  'rule-words-rate': { en: 'change over {over}', zh: '{over} 内变化' },
  'rule-words-statistic': { en: '{statistic} over {window}', zh: '{window} 内 {statistic}' },
  'rule-words-deviation': { en: 'less the usual of the hour', zh: '与同期基线之差' },
  'rule-words-duration': {
    en: 'for {total} in all within {window}',
    zh: '{window} 内累计 {total}',
  },
  'rule-words-difference': { en: 'difference to {other}', zh: '与 {other} 之差' },
  'rule-words-ratio': { en: 'ratio to {other}', zh: '与 {other} 之比' },
  'rule-words-night-flow': {
    en: 'mean from {from} to {until} ({zone})',
    zh: '{from} 至 {until}（{zone}）均值',
  },
  'rule-words-cusum': {
    en: 'sum of deviations from {target} beyond {slack}',
    zh: '偏离 {target} 超过 {slack} 的累积和',
  },
  'rule-words-frozen': {
    en: 'moves by no more than {band} for {for}',
    zh: '{for} 内变化不超过 {band}',
  },
  'rule-words-no-data': { en: 'no good reading for {after}', zh: '{after} 无有效读数' },
  'rule-words-state': { en: 'is {states}', zh: '为 {states}' },
  'rule-sheet-too-long': {
    en: 'what the rule says has {found} bytes in both languages; at most {max}',
    zh: '规则的说明（两种语言）共 {found} 字节；最多 {max}',
  },

  // Titles of alarms that nobody named.
  'rule-title-rate': { en: '{point} changes too fast', zh: '{point}变化过快' },
  'rule-title-statistic': { en: '{point}: statistic beyond its limit', zh: '{point}统计值超限' },
  'rule-title-deviation': { en: '{point} is unusual for this hour', zh: '{point}偏离同期基线' },
  'rule-title-duration': { en: '{point} beyond its limit for long', zh: '{point}长时间超限' },
  'rule-title-frozen': { en: '{point} stands still', zh: '{point}数值不变' },
  'rule-title-comparison': { en: '{point} disagrees with its pair', zh: '{point}与对照测点不符' },
  'rule-title-night-flow': { en: '{point}: flow at night', zh: '{point}夜间流量异常' },
  'rule-title-cusum': { en: '{point} has shifted', zh: '{point}出现持续偏移' },
} as const satisfies Record<string, Bilingual>;

export const ruleFaults = {
  rule_unknown: {
    en: {
      what: 'The point has no rule of this id.',
      cause: 'The id was mistyped, or the rule was never proposed nor decided.',
      action: 'List the rules of the point and take the id from there.',
    },
    zh: {
      what: '该测点没有这个编号的规则。',
      cause: '编号输入有误，或该规则从未被提出或决定。',
      action: '请从该测点的规则列表中取得编号。',
    },
  },
  rule_no_proposal: {
    en: {
      what: 'The gateway proposes nothing else for this rule.',
      cause: 'What it proposes is in force already, or it has changed its mind.',
      action: 'Look at the rule again; set it by hand where it should be different.',
    },
    zh: {
      what: '网关没有对该规则提出不同的建议。',
      cause: '其建议已经生效，或网关已改变建议。',
      action: '请重新查看该规则；如需不同，请手工设置。',
    },
  },
  rule_version_unknown: {
    en: {
      what: 'The rule has no such version.',
      cause: 'The number was mistyped.',
      action: 'Read the history of the rule and take the version from there.',
    },
    zh: {
      what: '该规则没有这个版本。',
      cause: '版本号输入有误。',
      action: '请查看规则的历史并从中取得版本号。',
    },
  },
  rule_unchanged: {
    en: {
      what: 'The rule says this already.',
      cause: 'It was decided before, perhaps by somebody else at the same time.',
      action: 'Nothing: look at the rule to see who decided it.',
    },
    zh: {
      what: '该规则已经如此。',
      cause: '此前已作出相同决定，也许是他人同时操作。',
      action: '无需处理；可查看规则了解由谁决定。',
    },
  },
  rule_baseline_short: {
    en: {
      what: 'The history is too short for a baseline.',
      cause: 'Some hours of the week have no good reading between the two times.',
      action: 'Take a longer time, at least one whole week; three or more smooth it.',
    },
    zh: {
      what: '历史数据不足以生成基线。',
      cause: '所选时段内，一周中有些小时没有有效读数。',
      action: '请选择更长的时段，至少一整周；三周以上更平稳。',
    },
  },
  rule_changed: {
    en: {
      what: 'The rule has changed since the change that waits was asked for.',
      cause: 'Somebody else decided about the same rule in between.',
      action: 'Look at the rule as it is now; withdraw what waits and ask again where needed.',
    },
    zh: {
      what: '在提出更改之后，该规则已被改变。',
      cause: '期间他人对同一规则作出了决定。',
      action: '请查看规则现状；撤回等待中的更改，必要时重新提出。',
    },
  },
} as const satisfies Record<string, FaultText>;
