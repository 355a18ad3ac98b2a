import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseGateway } from '../edge/config/gateway.ts';
import { packagedProfiles } from '../edge/config/loader.ts';
import { libraryFolder } from './loader.ts';
import { libraryPages } from './pages.ts';

const folder = join(libraryFolder(), '..', 'docs', 'devices');

test('every page says what its profile says: after a change, npm run pages', () => {
  const pages = libraryPages();
  const written = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => path.replaceAll('\\', '/'));
  expect(written.sort()).toEqual([...pages.keys()].sort());
  const stale = [...pages].filter(
    ([path, text]) => readFileSync(join(folder, path), 'utf8') !== text,
  );
  expect(stale.map(([path]) => path)).toEqual([]);
});

test('a page has both languages, addresses in both notations, norms, and every test', () => {
  const page = libraryPages().get('honeywell/sensepoint-xcd.md') ?? '';
  for (const part of [
    ...['## English', '## 中文', '| holding 2 (0x0002) | 40003-40004 | float32 ABCD | %LEL |'],
    ...['after GB/T 50493-2019', '依据 GB/T 50493-2019', 'Good to know', '注意事项'],
    ...['profile: honeywell/sensepoint-xcd@1', '`gas` bad (not\\_in\\_service)'],
    'counts while mode says so (holding 6 uint16)',
  ]) {
    expect(page).toContain(part);
  }
});

test('what a page says of the gateway file is one that the gateway takes', () => {
  const profiles = packagedProfiles();
  const head = `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
`;
  for (const [path, page] of libraryPages()) {
    if (path === 'README.md') continue;
    const [english = '', chinese] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(
      ([, text]) => text,
    );
    expect(chinese, path).toBe(english);
    const { devices } = parseGateway(head + english, 'gateway.yaml', profiles);
    expect(devices.length, path).toBe(1);
    const uncommented = english
      .replace('# set:', 'set:')
      .replace('# commands:', 'commands:')
      .replace(/^( {4})# {3}(points\.)/m, '$1  $2');
    expect(() => parseGateway(head + uncommented, 'gateway.yaml', profiles), path).not.toThrow();
  }
});
