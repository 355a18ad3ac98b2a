// From an alarm to what a warning of it says. Pure: the same alarm and the same file give the same
// words, so that what has changed since can be told.
import type { Bilingual, Language } from '../../core/text/text.ts';
import { bilingual, say } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import { withinScope } from '../api/stream.ts';
import type { AreaSettings, WarningSettings } from './settings.ts';
import { CATEGORIES_DEFAULT, RESPONSES_DEFAULT } from './settings.ts';
import type { Certainty, Content, Named, ResponseType, Status } from './warning.ts';

/** What a person says otherwise than the machine would. */
export interface Wording {
  readonly level?: Content['level'];
  readonly event?: Bilingual;
  readonly headline?: Bilingual;
  readonly description?: Bilingual;
  readonly instruction?: Bilingual;
  readonly place?: Bilingual;
  readonly responses?: readonly ResponseType[];
}

/** A value beyond a limit was seen; a trend says what is likely; no data says nothing. */
const certaintyOf: Readonly<Record<Alarm['kind'], Certainty>> = {
  ...{ limit: 'Observed', duration: 'Observed', state: 'Observed', comparison: 'Observed' },
  ...{ rate: 'Likely', statistic: 'Likely', deviation: 'Likely', cusum: 'Likely' },
  ...{ 'night-flow': 'Likely', frozen: 'Unknown', 'no-data': 'Unknown', gateway: 'Unknown' },
};

/** Whether it is about the world, and not about how it is measured. */
export function isOfTheWorld({ kind }: Pick<Alarm, 'kind'>): boolean {
  return certaintyOf[kind] !== 'Unknown';
}

export function statusOf({ purpose, test }: Pick<Alarm, 'purpose' | 'test'>): Status {
  if (purpose === 'drill') return 'Exercise';
  return test !== null || purpose === 'path-test' ? 'Test' : 'Actual';
}

/** `wording` is what a person says otherwise; what follows from it is said accordingly. */
export function contentOf(alarm: Alarm, settings: WarningSettings, wording: Wording = {}): Content {
  const known = settings.areas.find(({ asset }) => withinScope(asset, alarm.asset));
  const place = wording.place ?? known?.area.text ?? placeOf(alarm);
  const level = wording.level ?? alarm.level;
  const content: Content = {
    level,
    categories: known?.categories ?? CATEGORIES_DEFAULT,
    event: known?.event ?? alarm.title,
    responses: known?.responses ?? RESPONSES_DEFAULT,
    certainty: certaintyOf[alarm.kind],
    headline: headlineOf({ ...alarm, level }, place),
    description: descriptionOf(alarm),
    instruction: alarm.action,
    parameters: parametersOf(alarm, known ?? null),
    area: known?.area ?? { text: place, circle: null, polygon: null, geocodes: [] },
    onsetMs: alarm.beganMs,
  };
  return worded(content, wording);
}

export function worded(content: Content, wording: Wording): Content {
  const { place, ...rest } = wording;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const area = place ? { ...content.area, text: place } : content.area;
  return { ...content, ...given, area };
}

/** As its Cancel says it: what it was, and that it is over. */
export function over(content: Content): Content {
  const { level, event, area } = content;
  const each = (language: Language) =>
    say(language, 'warning-headline-over', {
      ...{ colour: colourOf(level)[language], place: area.text[language] },
      title: event[language],
    });
  const headline = { en: each('en'), zh: each('zh') };
  return { ...content, headline, description: bilingual('warning-over') };
}

const marks = {
  Actual: { en: '', zh: '' },
  Draft: { en: '', zh: '' },
  Exercise: bilingual('warning-mark-drill'),
  Test: bilingual('warning-mark-test'),
} as const satisfies Record<Status, Bilingual>;

/** Nobody who reads only the words takes an exercise for real. */
export function marked(content: Content, status: Status): Content {
  const mark = marks[status];
  const each = ({ en, zh }: Bilingual) => ({ en: `${mark.en}${en}`, zh: `${mark.zh}${zh}` });
  return { ...content, headline: each(content.headline), description: each(content.description) };
}

const colourOf = (level: Content['level']) => bilingual(`warning-colour-${level}`);

function placeOf({ asset, gateway }: Alarm): Bilingual {
  const path = asset ?? gateway;
  return { en: path, zh: path };
}

function headlineOf(alarm: Alarm, place: Bilingual): Bilingual {
  const value = measured(alarm, alarm.value);
  const each = (language: Language) =>
    say(language, 'warning-headline', {
      ...{ colour: colourOf(alarm.level)[language], place: place[language] },
      ...{ title: alarm.title[language], value: value === null ? '' : ` ${value}` },
    });
  return { en: each('en'), zh: each('zh') };
}

function descriptionOf(alarm: Alarm): Bilingual {
  const value = measured(alarm, alarm.value);
  const limit = measured(alarm, alarm.limit);
  const each = (language: Language) => {
    const said = { name: alarm.name[language], title: alarm.title[language] };
    const parts = [
      say(language, 'warning-said', said),
      ...(value === null ? [] : [say(language, 'warning-measured', { value })]),
      ...(limit === null ? [] : [say(language, 'warning-limit', { limit })]),
      alarm.sheet?.consequence?.[language] ?? '',
    ];
    return parts.filter(Boolean).join(language === 'en' ? ' ' : '');
  };
  return { en: each('en'), zh: each('zh') };
}

/** Six digits are more than any sensor means. */
function measured({ unit }: Alarm, value: number | null): string | null {
  if (value === null) return null;
  return `${Number(value.toPrecision(6))}${unit === '1' ? '' : ` ${unit}`}`;
}

function parametersOf(alarm: Alarm, known: AreaSettings | null): Named[] {
  const value = measured(alarm, alarm.value);
  const limit = measured(alarm, alarm.limit);
  const datum = known?.datum ?? null;
  return [
    ...(value === null ? [] : [{ name: 'value', value }]),
    ...(limit === null ? [] : [{ name: 'limit', value: limit }]),
    { name: 'unit', value: alarm.unit },
    { name: 'rule', value: `${alarm.key}/${alarm.rule} version ${alarm.version}` },
    { name: 'alarm', value: alarm.occurrence },
    ...(datum === null ? [] : [{ name: 'position', value: positionSource[datum] }]),
  ];
}

/** Positions are the site's own statement: no gateway sends one. */
const positionSource = {
  wgs84: 'site file, WGS-84',
  cgcs2000: 'site file, CGCS2000 taken as WGS-84',
  gcj02: 'site file, converted from GCJ-02',
} as const;
