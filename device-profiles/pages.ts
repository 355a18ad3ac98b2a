// A page a profile in Markdown, made from the profile alone, in English and Chinese; and an index
// of all. The pages are committed, and a test fails while one is not what its profile says.
import { durationText } from '../core/duration.ts';
import type { Language } from '../core/text/text.ts';
import { languages, say } from '../core/text/text.ts';
import { unitSymbol } from '../core/units.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import { addressText, commandTexts, deviceTexts, ruleText, valueTexts } from './described.ts';
import type { ProfileTest } from './format.ts';
import { deviceKinds, statuses } from './format.ts';
import { listProfiles, loadProfile } from './loader.ts';
import { modiconAddress } from './manual-address.ts';
import type { Profile, ProfilePoint } from './profile.ts';
import { isModbus } from './raw-values.ts';

export const indexPath = 'README.md';

/** Path below docs/devices -> text, for the index and every profile of the library. */
export function libraryPages(): ReadonlyMap<string, string> {
  const profiles = listProfiles().map((id) => loadProfile(id));
  return new Map([
    [indexPath, indexPage(profiles)],
    ...profiles.map((profile) => [pagePath(profile), profilePage(profile)] as const),
  ]);
}

function pagePath({ id }: Profile): string {
  return `${id}.md`;
}

const MADE = '<!-- Made by `npm run pages` from the profile; do not edit. -->';

function indexPage(profiles: readonly Profile[]): string {
  const row = (profile: Profile) => [
    `[${profile.id}](${pagePath(profile)})`,
    cell(`${profile.title.en} / ${profile.title.zh}`),
    `${deviceKinds[profile.kind].en} / ${deviceKinds[profile.kind].zh}`,
    `${profile.points.length}`,
    `${profile.tests.length}`,
    `${statuses[profile.source.status].en} / ${statuses[profile.source.status].zh}`,
  ];
  const heads = ['profile', 'device / 设备', 'kind / 类别', 'points', 'tests', 'source / 来源'];
  return `${[
    MADE,
    '',
    '# Device models / 设备型号',
    '',
    say('en', 'page-index', { count: profiles.length }),
    '',
    say('zh', 'page-index', { count: profiles.length }),
    '',
    ...tableOf(heads, profiles.map(row)),
  ].join('\n')}\n`;
}

/** The page of a profile. */
export function profilePage(profile: Profile): string {
  const sections = languages.flatMap((language) => sectionsIn(profile, language));
  return `${[MADE, '', `# ${cell(profile.title.en)} / ${cell(profile.title.zh)}`, ...sections].join('\n')}\n`;
}

function sectionsIn(profile: Profile, language: Language): string[] {
  const { id, revision, kind, vendor, models, source, points } = profile;
  const title = (key: Parameters<typeof heading>[0]) => heading(key, language);
  const link = source.link ? [`- <${source.link}>`] : [];
  const status = statuses[source.status][language];
  const device = deviceTexts(profile, language);
  const alarms = points.flatMap((point) =>
    point.definition.rules.map((rule) => {
      const action = rule.action ? ` — ${rule.action[language]}` : '';
      return `- \`${point.id}\`: ${plain(ruleText(point, rule, language))}${plain(action)}`;
    }),
  );
  const commands = points.flatMap((point) =>
    commandTexts(point, language).map((text) => `- ${plain(text)}`),
  );
  const caveats = [
    ...profile.caveats.map((caveat) => `- ${plain(caveat[language])}`),
    ...points.flatMap((point) =>
      point.caveat ? [`- \`${point.id}\`: ${plain(point.caveat[language])}`] : [],
    ),
  ];
  return [
    '',
    `## ${say(language, 'page-language')}`,
    '',
    `- \`${id}@${revision}\`, ${deviceKinds[kind][language]}, ${plain(vendor)}`,
    `- ${plain(say(language, 'profile-models', { models: models.join(', ') }))}`,
    `- ${plain(say(language, 'profile-source', { document: source.document, status }))}`,
    ...link,
    `- ${say(language, 'page-file', { file: `device-profiles/${id}.yaml` })}`,
    ...title('page-points'),
    ...pointTable(points, language),
    ...detailLines(points, language),
    ...(device.length ? title('page-device') : []),
    ...device.map((line) => `- ${plain(line)}`),
    ...(alarms.length ? [...title('page-alarms'), say(language, 'page-alarms-note'), ''] : []),
    ...alarms,
    ...(commands.length
      ? [...title('page-commands'), say(language, 'page-commands-note'), '']
      : []),
    ...commands,
    ...(caveats.length ? title('page-caveats') : []),
    ...caveats,
    ...title('page-gateway'),
    ...gatewayLines(profile),
    ...title('page-tests'),
    ...testTable(profile.tests, language),
  ];
}

function heading(
  key:
    | 'page-points'
    | 'page-device'
    | 'page-alarms'
    | 'page-commands'
    | 'page-caveats'
    | 'page-gateway'
    | 'page-tests',
  language: Language,
): string[] {
  return ['', `### ${say(language, key)}`, ''];
}

function pointTable(points: readonly ProfilePoint[], language: Language): string[] {
  const isRegisters = points.some(({ address }) => isModbus(address));
  const heads = (
    isRegisters ? say(language, 'page-point-heads') : say(language, 'page-node-heads')
  ).split('|');
  const rows = points.map(({ id, address, definition }) => {
    const { name, unit, range, class: pointClass, periodMs } = definition;
    return [
      `\`${id}\``,
      cell(name[language]),
      ...(isModbus(address) ? registerCells(address) : [`\`${addressText(address)}\``]),
      cell(unitSymbol(unit, language)),
      range ? `${range[0]} … ${range[1]}` : '',
      `${pointClass}, ${durationText(periodMs)}`,
    ];
  });
  return tableOf(heads, rows);
}

function registerCells(address: ModbusAddress): string[] {
  return [
    `${address.table} ${address.address} (${hex(address.address)})`,
    manualText(address),
    addressText(address).split(' ').slice(2).join(' ') || 'bool',
  ];
}

function manualText({ table, address, width }: ModbusAddress): string {
  const first = modiconAddress(table, address);
  return width > 1 ? `${first}-${modiconAddress(table, address + width - 1)}` : first;
}

function detailLines(points: readonly ProfilePoint[], language: Language): string[] {
  const lines = points.flatMap((point) =>
    valueTexts(point, language).map((text) => `- \`${point.id}\`: ${plain(text)}`),
  );
  return lines.length ? ['', ...lines] : [];
}

/** A part of a gateway file that can be copied; the test of the pages reads it as one. */
function gatewayLines(profile: Profile): string[] {
  const { id, revision, title, points, protocol } = profile;
  const [model = ''] = id.split('/').slice(1);
  const name = JSON.stringify(title.en);
  const limited = points.flatMap(({ id: point, definition }) =>
    definition.rules.flatMap((rule) =>
      rule.kind === 'limit' ? [{ point, name: rule.side.replace('-', '_'), ...rule }] : [],
    ),
  );
  const [first] = limited;
  const offers = points.flatMap(({ id: point, commands = [] }) =>
    commands.map(({ offer }) => `${point}.${offer.id}`),
  );
  const link =
    protocol === 'modbus'
      ? [
          '  bus-1: { protocol: modbus, kind: serial, port: /dev/ttyUSB0, serial: 9600-8N1 }',
          '  # bus-1: { protocol: modbus, kind: tcp, host: 192.168.10.7 }',
        ]
      : ['  bus-1: { protocol: opcua, kind: opcua, endpoint: "opc.tcp://192.168.10.7:4840" }'];
  return [
    '```yaml',
    'links:',
    ...link,
    'devices:',
    `  - id: ${model}-1`,
    '    link: bus-1',
    ...(protocol === 'modbus' ? ['    unit: 1'] : []),
    `    profile: ${id}@${revision.split('.')[0]}`,
    `    name: { en: ${name}, zh: ${JSON.stringify(title.zh)} }`,
    '    asset: site-1/place-1',
    ...(offers.length ? [`    # commands: { allow: [${offers.slice(0, 4).join(', ')}] }`] : []),
    ...(first
      ? ['    # set:', `    #   points.${first.point}.alarms.${first.name}.raise: ${first.limit}`]
      : []),
    '```',
  ];
}

function testTable(tests: readonly ProfileTest[], language: Language): string[] {
  const isNodes = tests.some(({ nodes }) => nodes);
  const heads = (
    isNodes ? say(language, 'page-node-test-heads') : say(language, 'page-test-heads')
  ).split('|');
  return tableOf(
    heads,
    tests.map(({ name, registers = {}, nodes = {}, expect }) => [
      cell(name),
      [
        ...Object.entries(registers).flatMap(([table, runs]) =>
          Object.entries(runs ?? {}).map(
            ([from, words]) => `\`${table} ${from}: ${words.map(hex).join(' ')}\``,
          ),
        ),
        ...Object.entries(nodes).map(([id, node]) => `\`${id}: ${nodeText(node)}\``),
      ].join('<br>'),
      Object.entries(expect)
        .map(([point, value]) => `\`${point}\` ${cell(expectText(value))}`)
        .join('<br>'),
    ]),
  );
}

function nodeText({ value, status }: NonNullable<ProfileTest['nodes']>[string]): string {
  const code = status === undefined ? [] : [`0x${status.toString(16).toUpperCase()}`];
  return [...(value === undefined ? [] : [`${value}`]), ...code].join(' ');
}

function expectText(value: ProfileTest['expect'][string]): string {
  if (typeof value !== 'object') return `${value}`;
  if (value.value === null) return `${value.quality} (${value.reason})`;
  return `${value.value}, ${value.quality} (${value.reason})`;
}

function hex(word: number): string {
  return `0x${word.toString(16).toUpperCase().padStart(4, '0')}`;
}

function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)];
}

/** Text of a profile where Markdown would read something into it. */
function plain(text: string): string {
  return text.replaceAll(/[<>*_`[\]]/g, '\\$&').replaceAll('\n', ' ');
}

function cell(text: string): string {
  return plain(text).replaceAll('|', '\\|');
}
