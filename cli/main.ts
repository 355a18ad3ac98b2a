// `lifeline WORD VERB …`: finds the verb, prints help and errors the same way for all of them. Each
// word is a module loaded only when it is used, so `lifeline version` does not load a database.
import { Fault, type FaultCode, isFault, systemDetail } from '../core/fault.ts';
import { didYouMean, InvalidInput } from '../core/problems.ts';
import { languageOf, languages } from '../core/text/text.ts';
import { noteFindings } from './findings.ts';
import type { Output, Verb } from './verb.ts';
import { exit, makeOutput, parse, UsageError } from './verb.ts';

type Verbs = Readonly<Record<string, Verb>>;

/** Word -> its verbs. A word with one nameless verb has it under ''. */
export const words: Readonly<Record<string, () => Promise<{ verbs: Verbs }>>> = {
  edge: () => import('./edge.ts'),
  cloud: () => import('./cloud.ts'),
  profile: () => import('./profile.ts'),
  sim: () => import('./sim.ts'),
  demo: () => import('./demo.ts'),
  alarm: () => import('./alarm.ts'),
  rule: () => import('./rule.ts'),
  case: () => import('./case.ts'),
  audit: () => import('./audit.ts'),
  explain: () => import('./explain.ts'),
  completion: () => import('./completion.ts'),
  version: () => import('./version.ts'),
};

export async function main(args: readonly string[]): Promise<number> {
  const output = makeOutput(languageFrom(args), args.includes('--json'));
  const [word, ...rest] = wordFirst(args);
  try {
    if (word === '--version' || word === '-V') {
      const [verb] = Object.values((await import('./version.ts')).verbs);
      return await verb!.run(parse(verb!, rest), output);
    }
    if (word === undefined || word === 'help' || word.startsWith('-')) {
      await printHelp(output, word === 'help' ? rest[0] : undefined);
      // A script must not take this for a check that was passed.
      return ['help', '--help', '-h'].includes(word ?? '') ? exit.done : exit.usage;
    }
    const load = words[word];
    if (!load) return unknownWord(output, word, Object.keys(words));
    const { verbs } = await load();
    const nameless = verbs[''];
    const name = nameless ? '' : (rest[0] ?? '');
    const verb = verbs[name];
    const asksHelp = rest.includes('--help') || rest.includes('-h');
    const isAlone = !verb && (name === '' || name.startsWith('-'));
    if (asksHelp || isAlone) {
      printWord(output, word, verbs);
      return asksHelp ? exit.done : exit.usage;
    }
    if (!verb) return unknownWord(output, `${word} ${name}`, Object.keys(verbs), word);
    return await verb.run(parse(verb, nameless ? rest : rest.slice(1)), output);
  } catch (error) {
    return report(output, error, word ?? '');
  }
}

/** What every verb takes may stand before its word, too. */
function wordFirst(args: readonly string[]): readonly string[] {
  const [first = '', second, ...rest] = args;
  if (first === '--lang' && second !== undefined) return [...wordFirst(rest), first, second];
  if (first !== '--json' && !first.startsWith('--lang=')) return args;
  return [...wordFirst(args.slice(1)), first];
}

function languageFrom(args: readonly string[]) {
  const at = args.indexOf('--lang');
  const asked = at >= 0 ? args[at + 1] : args.find((arg) => arg.startsWith('--lang='))?.slice(7);
  return languages.find((language) => language === asked) ?? languageOf(process.env);
}

function unknownWord(output: Output, typed: string, known: readonly string[], prefix = ''): number {
  const tail = prefix ? typed.slice(prefix.length + 1) : typed;
  const meant = didYouMean(tail, known);
  output.note(output.say('cli-unknown-word', { typed }));
  if (meant) output.note(output.say('cli-did-you-mean', { meant: `${prefix} ${meant}`.trim() }));
  output.note(output.say('cli-known-words', { known: known.join(' ') }));
  return exit.usage;
}

async function printHelp(output: Output, word: string | undefined): Promise<void> {
  if (word !== undefined && words[word]) {
    printWord(output, word, (await words[word]()).verbs);
    return;
  }
  output.print(output.say('cli-help-head', {}));
  for (const [name, load] of Object.entries(words)) {
    const { verbs } = await load();
    const names = Object.keys(verbs).filter(Boolean).join(' ');
    const summary = verbs['']?.summary[output.language] ?? '';
    output.print(`  lifeline ${name.padEnd(11)}${names || summary}`);
  }
  output.print(output.say('cli-help-foot', {}));
}

function printWord(output: Output, word: string, verbs: Verbs): void {
  for (const { usage, summary, options } of Object.values(verbs)) {
    output.print(`lifeline ${word} ${usage}`.trimEnd());
    output.print(`    ${summary[output.language]}`);
    const names = Object.entries(options ?? {}).map(([name, kind]) =>
      kind === 'flag' ? `--${name}` : `--${name} ${kind.toUpperCase()}`,
    );
    if (names.length > 0) output.print(`    ${names.join('  ')}`);
  }
}

// Every failure ends here: what happened, and where to read on. Findings are errors of a file, exit
// 3.
function report(output: Output, error: unknown, word: string): number {
  // Asked to end while it waited (`stopSignal`): nothing went wrong.
  if (error instanceof Error && error.name === 'AbortError') return exit.interrupted;
  if (error instanceof UsageError) {
    output.note(output.say('cli-usage', { detail: error.detail[output.language] }));
    output.note(output.say('cli-see-help', { word }));
    return exit.usage;
  }
  if (error instanceof InvalidInput) {
    const { findings, beyond } = error;
    if (output.json) output.print(JSON.stringify({ findings, beyond }));
    noteFindings(output, error);
    output.note(output.say('cli-findings', { count: findings.length + beyond }));
    return exit.invalid;
  }
  const fault = isFault(error) ? error : systemFault(error);
  if (fault) {
    output.note(`${fault.code}: ${fault.detail[output.language]}`);
    output.note(output.say('cli-explain', { code: fault.code }));
    return exitOf(fault.code);
  }
  output.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return exit.internal;
}

// What the operating system refused where no fault was made of it: a file that may not be written,
// an address that is taken. Anything else is a mistake in the program, and its stack is shown.
function systemFault(error: unknown): Fault | null {
  if (!(error instanceof Error)) return null;
  const { syscall, path, address, port } = error as NodeJS.ErrnoException & {
    readonly address?: string;
    readonly port?: number;
  };
  if (syscall === undefined) return null;
  const where = path ?? (address === undefined ? syscall : `${address}:${port}`);
  return new Fault('system_refused', 'never', systemDetail(where, error), error);
}

const exits: Partial<Record<FaultCode, number>> = {
  act_malformed: exit.usage,
  edge_command_refused: exit.notAllowed,
  act_not_allowed: exit.notAllowed,
  confirmation_foreign: exit.notAllowed,
  notify_receiver_unknown: exit.notFound,
  act_refused: exit.conflict,
  alarm_acknowledged: exit.conflict,
  alarm_rule_unknown: exit.notFound,
  alarm_superseded: exit.conflict,
  alarm_unknown: exit.notFound,
  api_bad_request: exit.usage,
  api_bind: exit.conflict,
  api_disk_full: exit.remoteTimeout,
  api_conflict: exit.conflict,
  api_malformed: exit.usage,
  api_not_json: exit.usage,
  api_precondition: exit.conflict,
  api_too_large: exit.usage,
  approval_same_person: exit.notAllowed,
  approval_unknown: exit.notFound,
  approvals_full: exit.conflict,
  api_forbidden: exit.notAllowed,
  api_foreign_host: exit.notAllowed,
  api_unauthenticated: exit.notAllowed,
  case_already: exit.conflict,
  case_file_damaged: exit.conflict,
  case_file_disk: exit.conflict,
  case_file_lost: exit.notFound,
  case_file_too_large: exit.usage,
  case_file_type: exit.usage,
  case_files_full: exit.conflict,
  case_format: exit.invalid,
  case_full: exit.conflict,
  case_malformed: exit.usage,
  case_refused: exit.conflict,
  case_unknown: exit.notFound,
  broker_bind: exit.conflict,
  broker_cloud_refused: exit.notAllowed,
  broker_insecure: exit.invalid,
  broker_is_embedded: exit.invalid,
  broker_no_password: exit.invalid,
  broker_unanswered: exit.remoteTimeout,
  broker_unreachable: exit.remoteTimeout,
  cli_no_port: exit.conflict,
  cli_unreachable: exit.remoteTimeout,
  command_changed: exit.conflict,
  command_format: exit.invalid,
  command_full: exit.conflict,
  command_id_taken: exit.conflict,
  command_not_allowed: exit.notAllowed,
  command_not_offered: exit.notFound,
  command_out_of_range: exit.usage,
  command_point_unknown: exit.notFound,
  command_time_to_live: exit.usage,
  command_too_soon: exit.conflict,
  command_unknown: exit.notFound,
  command_value_unfit: exit.usage,
  config_unreadable: exit.invalid,
  silence_unknown: exit.notFound,
  silence_refused: exit.conflict,
  drill_unknown: exit.notFound,
  drill_over: exit.conflict,
  drill_busy: exit.conflict,
  no_connection: exit.noAnswer,
  figures_day: exit.usage,
  figures_gone: exit.notFound,
  figures_period: exit.usage,
  file_not_written: exit.conflict,
  file_unreadable: exit.invalid,
  folder_unwritable: exit.notAllowed,
  gateway_offline: exit.remoteTimeout,
  journal_unchained: exit.invalid,
  notify_secret: exit.invalid,
  notify_url: exit.invalid,
  opcua_certificate_expired: exit.notAllowed,
  opcua_certificate_host: exit.notAllowed,
  opcua_certificate_not_yet: exit.notAllowed,
  opcua_certificate_refused: exit.notAllowed,
  opcua_certificate_weak: exit.notAllowed,
  opcua_bad_credentials: exit.notAllowed,
  opcua_identity_unsupported: exit.notAllowed,
  opcua_own_certificate: exit.invalid,
  opcua_refused: exit.notAllowed,
  opcua_security_unsupported: exit.notAllowed,
  opcua_timeout: exit.noAnswer,
  opcua_untrusted: exit.notAllowed,
  outbox_busy: exit.conflict,
  pki_unusable: exit.notAllowed,
  profile_exists: exit.conflict,
  profile_revision: exit.notFound,
  profile_unknown: exit.notFound,
  profile_unreadable: exit.invalid,
  registry_bad_id: exit.usage,
  registry_bad_name: exit.usage,
  registry_full: exit.conflict,
  replay_busy: exit.conflict,
  rule_baseline_short: exit.found,
  rule_changed: exit.conflict,
  rule_no_proposal: exit.conflict,
  rule_unchanged: exit.conflict,
  rule_unknown: exit.notFound,
  rule_version_unknown: exit.notFound,
  sim_bind: exit.conflict,
  sim_no_socat: exit.notFound,
  sim_no_such_code: exit.invalid,
  sim_point_unknown: exit.notFound,
  sim_value_unfit: exit.invalid,
  status_port: exit.conflict,
  warning_format: exit.invalid,
  warning_full: exit.conflict,
  warning_off: exit.invalid,
  warning_refused: exit.conflict,
  warning_unknown: exit.notFound,
};

/** How a command ends that failed with this code. */
export function exitOf(code: FaultCode): number {
  return exits[code] ?? (code.endsWith('_not_found') ? exit.notFound : exit.internal);
}

// Not awaited at the top: a word that imports this module (completion) would wait for it for ever.
if (import.meta.main) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
    // The supervisor's channel would keep a process alive that has nothing left to do.
    if (process.connected) process.disconnect();
  });
}
