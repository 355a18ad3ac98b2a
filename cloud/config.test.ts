import { expect, test } from 'vitest';
import { InvalidInput } from '../core/problems.ts';
import { defaultLimits } from './cases/case.ts';
import { parseCloud } from './config.ts';

const secrets: Record<string, string> = {
  desk: 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=',
};
const read = (kind: string, name: string) => (kind === 'secret' ? secrets[name] : undefined);
const parse = (text: string) => parseCloud(text, 'cloud.yaml', '/srv/lifeline', read);

const good = `
version: 1
cloud:
  folder: ./data
  broker: {}
  notify:
    receivers:
      - { id: desk, kind: webhook, url: "http://127.0.0.1:9000/", secret: "\${secret:desk}" }
    routes:
      - { to: [desk] }
    confirm_within: 30s
`;

test('a small file is enough: everything listens on loopback', () => {
  const config = parse(good);
  expect(config.folder).toBe('/srv/lifeline/data');
  expect(config.broker).toMatchObject({ kind: 'embedded', host: '127.0.0.1' });
  expect(config.api.host).toBe('127.0.0.1');
  expect(config.notify.receivers[0]?.['secret']).toBe(secrets['desk']);
  expect(config.notify.confirmWithinMs).toBe(30_000);
});

function findings(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.findings.map(({ code, place }) => `${place?.line}:${place?.column} ${code}`);
  }
  return [];
}

test('beyond loopback without TLS is refused unless the file says insecure', () => {
  const open = good.replace('broker: {}', 'broker: { embedded: { host: 0.0.0.0 } }');
  expect(findings(open)).toEqual(['5:31 open-without-tls']);
  expect(findings(open.replace('folder:', 'insecure: true\n  folder:'))).toEqual([]);
  const away = good.replace('broker: {}', 'broker: { url: "mqtt://broker.example:1883" }');
  expect(findings(away)).toEqual(['5:18 open-without-tls']);
  expect(findings(away.replace('mqtt:', 'mqtts:'))).toEqual([]);
});

test('the public address of links is https, or on this machine, or asked for as insecure', () => {
  const linked = (url: string) => good.replace('confirm_within: 30s', `public_url: "${url}"`);
  expect(parse(good).notify).toMatchObject({ publicUrl: null, linkValidMs: 7_200_000 });
  expect(parse(linked('https://alarm.example/a/')).notify.publicUrl).toBe(
    'https://alarm.example/a',
  );
  expect(findings(linked('http://127.0.0.1:18470'))).toEqual([]);
  const away = linked('http://alarm.example');
  expect(findings(away)).toEqual(['11:17 open-without-tls']);
  expect(findings(away.replace('folder:', 'insecure: true\n  folder:'))).toEqual([]);
  for (const url of ['ftp://a', 'https://u:p@a', 'https://a/?b', 'https://a/#b', 'https://']) {
    expect(findings(linked(url)), url).toEqual(['11:17 not-a-public-url']);
  }
  const valid = (text: string) => good.replace('confirm_within: 30s', `link_valid: ${text}`);
  expect(findings(valid('30s'))).toEqual(['11:17 link-valid-range']);
  expect(parse(valid('15m')).notify.linkValidMs).toBe(900_000);
});

test('further brokers are checked as the first, and none is named twice', () => {
  const others = (list: string) => good.replace('broker: {}', `broker: { others: [${list}] }`);
  const second = '{ url: "mqtts://b.example:8883", credentials: "${secret:desk}" }';
  expect(parse(good).otherBrokers).toEqual([]);
  expect(parse(others(second)).otherBrokers).toEqual([
    { url: 'mqtts://b.example:8883', password: secrets['desk'] },
  ]);
  expect(findings(others('{ url: "mqtt://b.example:1883" }'))).toEqual(['5:29 open-without-tls']);
  expect(findings(others('{ url: "http://b.example" }'))).toEqual(['5:29 not-a-broker-url']);
  expect(findings(others(`${second}, ${second}`))).toEqual(['5:95 broker-twice']);
});

test('all findings come together, each at its place', () => {
  const bad = `
version: 1
cloud:
  folder: ./data
  broker: {}
  notify:
    receivers:
      - { id: desk, kind: webhook, url: "ftp://x", secret: "\${secret:none}" }
      - { id: desk, kind: log }
    routes:
      - { to: [night] }
`;
  expect(findings(bad)).toEqual([
    '8:60 secret-not-found',
    '8:41 not-a-webhook-url',
    '9:15 duplicate-id',
    '11:16 unknown-receiver',
  ]);
});

test('a secret written into the file is refused', () => {
  expect(findings(good.replace('${secret:desk}', secrets['desk']!))).toEqual([
    '8:75 not-a-secret-reference',
  ]);
});

test('the time a case has for each step is the file’s where it says so, and never turns the levels around', () => {
  const withLimits = (...limits: string[]) =>
    good.replace('  notify:', `  cases: { limits: [${limits.join(', ')}] }\n  notify:`);
  const { limits } = parse(withLimits('{ level: 1, acknowledge: 30s }')).cases;
  expect(limits[1]).toMatchObject({ new: 30_000, acknowledged: 300_000 });
  expect(limits[2]).toEqual(defaultLimits[2]);
  expect(findings(withLimits('{ level: 1, acknowledge: 1s }'))).toEqual(['6:46 case-limit-range']);
  expect(findings(withLimits('{ level: 1, acknowledge: 10m }'))).toEqual(['6:46 case-limit-order']);
  expect(findings(withLimits('{ level: 1 }', '{ level: 1 }'))).toEqual(['6:44 case-limits-twice']);
  const both = withLimits('{ level: 1, verify: 20m }', '{ level: 2, verify: 10m }');
  expect(findings(both)).toEqual(['6:68 case-limit-order']);
  const small = good.replace('  notify:', '  cases: { files: 1MiB }\n  notify:');
  expect(findings(small)).toEqual(['6:19 case-files-room']);
});

test('readers of the embedded broker have a name and a secret, and not the name of the cloud', () => {
  const withReader = (name: string) =>
    good.replace(
      'broker: {}',
      `broker: { embedded: { readers: [{ name: ${name}, credentials: "\${secret:desk}" }] } }`,
    );
  expect(parse(withReader('panel')).broker).toMatchObject({
    readers: [{ name: 'panel', password: secrets['desk'] }],
  });
  expect(findings(withReader('cloud'))).toEqual([expect.stringMatching(/duplicate-id$/)]);
});
