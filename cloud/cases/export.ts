// A case on paper: the five steps of GB/T 30428 (立案 派遣 处置 核查 结案) with times, departments, persons,
// limits and what was overdue, as a table for programs and as one page for people, in both
// languages. Which of our steps is which of theirs is said in docs/cases.md.

import { levelNumerals } from '../../core/alarm/rule.ts';
import { localTime } from '../../core/local-time.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import { machine } from '../alarms/occurrences.ts';
import type { OpenState } from './case.ts';
import type { Case, CaseAlarm, CaseEntry, CaseEntryKind, CaseFile, CaseStep } from './tables.ts';
import { detailWords, measured, stateText } from './words.ts';

export const stages = ['registration', 'dispatch', 'handling', 'verification', 'closing'] as const;
export type Stage = (typeof stages)[number];

/** Closing is no stay but the moment at which the case ends. */
const stageOf: Readonly<Record<OpenState, Exclude<Stage, 'closing'>>> = {
  new: 'registration',
  acknowledged: 'registration',
  verifying: 'registration',
  dispatched: 'dispatch',
  'on-site': 'handling',
  contained: 'verification',
};

/** One of the five; a case that was opened again passes through some of them more than once. */
export interface StageRow {
  readonly stage: Stage;
  /** Null for both: the case did not need it, or has not come to it. */
  readonly fromMs: number | null;
  /** Null while it lasts. */
  readonly toMs: number | null;
  readonly tookMs: number;
  /** Of all its steps together; 0 for closing, which has none of its own. */
  readonly limitMs: number;
  readonly isOverdue: boolean;
  readonly departments: readonly string[];
  readonly persons: readonly string[];
}

export function stageRows(
  found: Case,
  log: readonly Pick<CaseEntry, 'kind' | 'by'>[],
  nowMs: number,
): StageRow[] {
  const senders = log.filter(({ kind }) => kind === 'dispatch').map(({ by }) => by);
  return stages.map((stage) => {
    if (stage === 'closing') return closing(found);
    return stay(found, stage, stage === 'dispatch' ? senders : [], nowMs);
  });
}

function stay({ steps }: Case, stage: Stage, senders: readonly string[], nowMs: number): StageRow {
  const own = steps.filter(({ state }) => stageOf[state] === stage);
  const last = own.at(-1);
  const end = ({ leftMs }: CaseStep) => leftMs ?? nowMs;
  const sum = (of: (step: CaseStep) => number) => own.reduce((total, step) => total + of(step), 0);
  return {
    stage,
    fromMs: own[0]?.enteredMs ?? null,
    toMs: last?.leftMs ?? null,
    tookMs: sum((step) => end(step) - step.enteredMs),
    // A stay that goes on is within the limit of the one before.
    limitMs: sum(({ dueMs, enteredMs, resumed }) => (resumed ? 0 : dueMs - enteredMs)),
    isOverdue: own.some((step) => end(step) > step.dueMs),
    departments: unique(own.map(({ department }) => department)),
    persons: personsOf([...senders, ...own.flatMap(({ owner, leftBy }) => [owner, leftBy])]),
  };
}

function closing({ endedMs, department, changedBy }: Case): StageRow {
  const isEnded = endedMs !== null;
  return {
    ...{ stage: 'closing', fromMs: endedMs, toMs: endedMs, tookMs: 0, limitMs: 0 },
    isOverdue: false,
    departments: isEnded ? unique([department]) : [],
    persons: isEnded ? personsOf([changedBy]) : [],
  };
}

// Each once, where two had to agree too; the machine is none.
function personsOf(names: readonly (string | null)[]): string[] {
  const each = unique(names.flatMap((name) => name?.split(', ') ?? []));
  return each.filter((name) => name !== machine.name);
}

const unique = (names: readonly string[]) => [...new Set(names.filter((name) => name !== ''))];

/** What an export is made of. */
export interface CaseFolder {
  readonly case: Case;
  readonly alarms: readonly (CaseAlarm & { readonly alarm: Alarm | null })[];
  readonly log: readonly CaseEntry[];
  readonly files: readonly CaseFile[];
  /** Local time less UTC. */
  readonly utcOffsetMs: number;
}

// CSV -------------------------------------------------------------------------------------------

const csvColumns = [
  ...['case', 'state', 'level', 'title_en', 'title_zh', 'asset', 'stage', 'stage_zh', 'from', 'to'],
  ...['took_s', 'limit_s', 'overdue', 'departments', 'persons'],
] as const;

/** One row a step, RFC 4180 in UTF-8 with a byte order mark, which spreadsheets go by. */
export function caseCsv({ case: found, log }: CaseFolder, nowMs: number): string {
  const { id, state, level, title, asset } = found;
  const rows = stageRows(found, log, nowMs).map((row) => [
    ...[id, state, level, title.en, title.zh, asset ?? '', row.stage],
    ...[bilingual(`case-stage-${row.stage}`).zh, isoOf(row.fromMs), isoOf(row.toMs)],
    ...[seconds(row.tookMs), seconds(row.limitMs), row.isOverdue ? 1 : 0],
    ...[row.departments.join('; '), row.persons.join('; ')],
  ]);
  return `\ufeff${[csvColumns, ...rows].map((row) => row.map(csvCell).join(',')).join('\r\n')}\r\n`;
}

const seconds = (ms: number) => Math.round(ms / 1_000);
const isoOf = (ms: number | null) => (ms === null ? '' : new Date(ms).toISOString());

// A text that a spreadsheet would take for a formula is kept a text.
function csvCell(value: string | number): string {
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : `${value}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// HTML ------------------------------------------------------------------------------------------

const STYLE = `body{font:14px/1.5 sans-serif;margin:2em auto;max-width:60em;color:#111}
h1{font-size:20px}h2{font-size:16px;margin-top:1.5em}table{border-collapse:collapse;width:100%}
th,td{border:1px solid #999;padding:3px 6px;text-align:left;vertical-align:top}th{background:#eee}
.late{font-weight:bold}td.n{white-space:nowrap}small{color:#555}
@media print{body{margin:0;max-width:none}tr{break-inside:avoid}}`;

/** One page that needs nothing beside it; printed, it is the record of the case. */
export function casePage(folder: CaseFolder, nowMs: number): string {
  const { case: found, utcOffsetMs } = folder;
  const time: Time = (ms) => localTime(ms, utcOffsetMs);
  const title = `${found.id} ${found.title.zh} ${found.title.en}`;
  return `<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><title>${plain(title)}</title>
<style>${STYLE}</style></head><body>
<h1>${both('case-page-title')} ${plain(found.id)}</h1>
${factsTable(found, time)}
<h2>${both('case-page-stages')} <small>GB/T 30428</small></h2>
${table(['stage', 'from', 'to', 'took', 'limit', 'department', 'person'], stageCells(folder, nowMs, time))}
<h2>${both('case-page-alarms')}</h2>
${table(
  ['alarm', 'value', 'from', 'to'],
  folder.alarms.map((alarm) => alarmCells(alarm, time)),
)}
<h2>${both('case-page-log')}</h2>
${table(
  ['at', 'what', 'person', 'place', 'text'],
  folder.log.map((entry) => logCells(entry, time)),
)}
<h2>${both('case-page-files')}</h2>
${table(
  ['file', 'size', 'person', 'at', 'hash'],
  folder.files.map((file) => fileCells(file, time)),
)}
<p><small>${both('case-page-printed')} ${plain(time(nowMs))}</small></p>
</body></html>
`;
}

type Time = (ms: number) => string;

function factsTable(found: Case, time: Time): string {
  const { level, title, name, asset, owner, department, openedMs, endedMs, reason, state } = found;
  const rows: readonly (readonly [string, string])[] = [
    [both('case-page-what'), pair(title)],
    [both('case-page-level'), levelNumerals[level]],
    [both('case-page-point'), `${pair(name)} <small>${plain(found.subject)}</small>`],
    [both('case-page-asset'), plain(asset ?? '')],
    [both('case-page-state'), pair(stateText(state))],
    [both('case-page-owner'), plain([owner, department].filter(Boolean).join(', '))],
    [both('case-page-opened'), plain(time(openedMs))],
    [both('case-page-ended'), plain(endedMs === null ? '' : time(endedMs))],
    [both('case-page-reason'), plain(reason ?? '')],
  ];
  return `<table>${rows.map(([key, value]) => `<tr><th>${key}</th><td>${value}</td></tr>`).join('')}</table>`;
}

type Column =
  | ('stage' | 'from' | 'to' | 'took' | 'limit' | 'department' | 'person' | 'alarm' | 'value')
  | ('at' | 'what' | 'place' | 'text' | 'file' | 'size' | 'hash');

function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const head = columns.map((column) => `<th>${both(`case-column-${column}`)}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
  return `<table><tr>${head}</tr>${body.join('\n')}</table>`;
}

function stageCells({ case: found, log }: CaseFolder, nowMs: number, time: Time): string[][] {
  return stageRows(found, log, nowMs).map((row) => [
    both(`case-stage-${row.stage}`),
    row.fromMs === null ? both('case-page-none') : plain(time(row.fromMs)),
    row.toMs === null ? '' : plain(time(row.toMs)),
    row.fromMs === null ? '' : span(row.tookMs),
    limitCell(row),
    plain(row.departments.join(', ')),
    plain(row.persons.join(', ')),
  ]);
}

function limitCell({ limitMs, isOverdue }: StageRow): string {
  if (limitMs === 0) return '';
  return isOverdue
    ? `${span(limitMs)} <span class="late">${both('case-page-late')}</span>`
    : span(limitMs);
}

function alarmCells(
  { alarm, occurrence, raisedMs, endedMs }: CaseFolder['alarms'][number],
  time: Time,
) {
  return [
    `${alarm ? pair(alarm.title) : ''} <small>${plain(occurrence)}</small>`,
    plain(alarm ? measured(alarm) : ''),
    plain(time(raisedMs)),
    endedMs === null ? both('case-page-active') : plain(time(endedMs)),
  ];
}

function entryText(kind: CaseEntryKind): Bilingual {
  return bilingual(`case-did-${kind}`);
}

function logCells({ atMs, kind, by, from, text, detail }: CaseEntry, time: Time): string[] {
  const more = detailWords(detail).map(
    ({ label, value }) => `${pairText(label)}: ${pairText(value)}`,
  );
  const said = [text, ...more].filter((part) => part !== '');
  return [time(atMs), '', by, from, said.join(' · ')].map((cell, at) =>
    at === 1 ? pair(entryText(kind)) : plain(cell),
  );
}

function fileCells({ name, bytes, by, atMs, sha256 }: CaseFile, time: Time): string[] {
  return [name, `${bytes} B`, by, time(atMs), sha256].map(plain);
}

type PageKey = Extract<Parameters<typeof bilingual>[0], `case-${string}`>;

const both = (key: PageKey): string => pair((bilingual as (key: PageKey) => Bilingual)(key));
const pair = (text: Bilingual): string => plain(pairText(text));
const pairText = ({ en, zh }: Bilingual): string => (en === zh ? en : `${zh} ${en}`);

function plain(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function span(ms: number): string {
  const s = Math.round(ms / 1_000);
  const parts = [Math.floor(s / 3_600), Math.floor(s / 60) % 60, s % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
