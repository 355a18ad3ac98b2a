// One typed catalogue of everything a person reads, in English and Chinese. `{name}` in an entry is a
// parameter; the compiler asks for each. Machine fields (ids, codes, JSON keys) are never translated.
import { actFaults, actMessages } from './acts.ts';
import { alarmFaults, alarmMessages } from './alarm.ts';
import { apiFaults, apiMessages } from './api.ts';
import { caseFaults, caseMessages } from './cases.ts';
import { channelMessages } from './channels.ts';
import { cliFaults, cliMessages } from './cli.ts';
import { cloudFaults, cloudMessages } from './cloud.ts';
import { commandFaults, commandMessages } from './commands.ts';
import { configFaults, configMessages } from './config.ts';
import { confirmationFaults, confirmationMessages } from './confirmation.ts';
import { deployFaults, deployMessages } from './deploy.ts';
import { drillFaults, drillMessages } from './drills.ts';
import { edgeFaults, edgeMessages } from './edge.ts';
import { explainFaults, explainMessages } from './explain.ts';
import { fallbackMessages } from './fallback.ts';
import { figureFaults, figureMessages } from './figures.ts';
import { journalFaults, journalMessages } from './journal.ts';
import { messageMessages } from './message.ts';
import { notifyFaults, notifyMessages } from './notify.ts';
import { offerMessages } from './offers.ts';
import { profileFaults, profileMessages } from './profiles.ts';
import { protocolFaults, protocolMessages } from './protocols.ts';
import { ruleFaults, ruleMessages } from './rules.ts';
import { simulatorFaults, simulatorMessages } from './simulators.ts';
import { supervisionFaults, supervisionMessages } from './supervision.ts';
import { systemFaults, systemMessages } from './system.ts';
import { tableFaults, tableMessages } from './tables.ts';
import { trustFaults, trustMessages } from './trust.ts';
import { warningFaults, warningMessages } from './warnings.ts';

export const languages = ['en', 'zh'] as const;
export type Language = (typeof languages)[number];

export interface Bilingual {
  readonly en: string;
  readonly zh: string;
}

/** What `lifeline explain CODE` prints: what happened, why it usually does, what to do. */
export interface FaultText {
  readonly en: { readonly what: string; readonly cause: string; readonly action: string };
  readonly zh: { readonly what: string; readonly cause: string; readonly action: string };
}

export const messages = {
  ...actMessages,
  ...alarmMessages,
  ...apiMessages,
  ...caseMessages,
  ...channelMessages,
  ...cliMessages,
  ...cloudMessages,
  ...commandMessages,
  ...configMessages,
  ...confirmationMessages,
  ...deployMessages,
  ...drillMessages,
  ...edgeMessages,
  ...explainMessages,
  ...fallbackMessages,
  ...figureMessages,
  ...journalMessages,
  ...messageMessages,
  ...notifyMessages,
  ...offerMessages,
  ...profileMessages,
  ...protocolMessages,
  ...ruleMessages,
  ...simulatorMessages,
  ...supervisionMessages,
  ...systemMessages,
  ...tableMessages,
  ...trustMessages,
  ...warningMessages,
} as const satisfies Record<string, Bilingual>;

export const faults = {
  ...actFaults,
  ...alarmFaults,
  ...apiFaults,
  ...caseFaults,
  ...cliFaults,
  ...cloudFaults,
  ...commandFaults,
  ...configFaults,
  ...confirmationFaults,
  ...deployFaults,
  ...drillFaults,
  ...edgeFaults,
  ...explainFaults,
  ...figureFaults,
  ...journalFaults,
  ...notifyFaults,
  ...profileFaults,
  ...protocolFaults,
  ...ruleFaults,
  ...simulatorFaults,
  ...supervisionFaults,
  ...systemFaults,
  ...tableFaults,
  ...trustFaults,
  ...warningFaults,
} as const satisfies Record<string, FaultText>;

export type MessageKey = keyof typeof messages;
export type FaultCode = keyof typeof faults;

type Parameters<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Parameters<Rest>
  : never;
export type MessageArguments<Key extends MessageKey> = Readonly<
  Record<Parameters<(typeof messages)[Key]['en']>, string | number>
>;
type Rest<Key extends MessageKey> = [Parameters<(typeof messages)[Key]['en']>] extends [never]
  ? []
  : [MessageArguments<Key>];

/** The message in one language, its parameters filled in. */
export function say<Key extends MessageKey>(
  language: Language,
  key: Key,
  ...[values]: Rest<Key>
): string {
  return fill(messages[key][language], values ?? {});
}

/** The message in both languages, for what is stored or sent before the reader is known. */
export function bilingual<Key extends MessageKey>(key: Key, ...rest: Rest<Key>): Bilingual {
  return { en: say('en', key, ...rest), zh: say('zh', key, ...rest) };
}

/** `bilingual` for callers whose parameters the compiler checked already. */
export function fillBilingual(
  key: MessageKey,
  values: Readonly<Record<string, string | number>>,
): Bilingual {
  const { en, zh }: Bilingual = messages[key];
  return { en: fill(en, values), zh: fill(zh, values) };
}

function fill(template: string, values: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => `${values[name] ?? whole}`);
}

/** From `--lang`, else LC_ALL, LC_MESSAGES, LANG: Chinese where the locale says so, else English. */
export function languageOf(environment: Readonly<Record<string, string | undefined>>): Language {
  const { LC_ALL, LC_MESSAGES, LANG } = environment;
  return (LC_ALL || LC_MESSAGES || LANG || '').toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/** From `Accept-Language`: the first that we have; English when it names none. */
export function languageWanted(header: string | undefined): Language {
  const wanted = (header ?? '').split(',').map((name) => name.trim().slice(0, 2).toLowerCase());
  const isLanguage = (name: string): name is Language =>
    languages.some((language) => language === name);
  return wanted.find(isLanguage) ?? 'en';
}
