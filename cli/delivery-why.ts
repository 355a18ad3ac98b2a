// Why a delivery went as it did. The ledger keeps a plain English sentence, whoever reads it later;
// those of our own making are shown in the language of the reader, a provider's words as they are.
import { fillBilingual, type Language } from '../core/text/text.ts';

const own = {
  'nobody on duty': 'why-no-duty',
  'no receiver': 'why-no-receiver',
  'no route': 'why-no-route',
  'nobody could be told': 'why-untold',
  'nobody has confirmed': 'why-unconfirmed',
  'over before it could be told; told with its end': 'why-merged',
  'the alarm is over: nothing was commanded': 'why-over',
  'receiver is gone (http 410)': 'why-gone',
  'receiver is no longer configured': 'why-removed',
  'notifier broken': 'why-broken',
  timeout: 'why-timeout',
} as const;

const SILENCED = /^silenced by ([^:]+): ([\s\S]*)$/;

export function whyText(why: string, language: Language): string {
  const [, who, reason] = SILENCED.exec(why) ?? [];
  if (who !== undefined && reason !== undefined) {
    return fillBilingual('why-silenced', { who, reason })[language];
  }
  return Object.hasOwn(own, why) ? fillBilingual(own[why as keyof typeof own], {})[language] : why;
}
