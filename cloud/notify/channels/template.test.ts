import { expect, test } from 'vitest';
import {
  pointed,
  type RequestTemplate,
  requestOf,
  signsItself,
  unknownFields,
} from './template.ts';

// The fixed example that Aliyun publishes of its signature V3 (help.aliyun.com, "V3 request
// structure and signature"), and a second published one with another time and nonce.
test('the rule of a provider can be written down: Aliyun V3, by its published examples', () => {
  const names =
    'host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version';
  const template: RequestTemplate = {
    method: 'POST',
    url: 'https://ecs.cn-shanghai.aliyuncs.com/?ImageId={image}&RegionId=cn-shanghai',
    headers: {
      'x-acs-action': 'RunInstances',
      'x-acs-content-sha256': '{body:sha256}',
      'x-acs-date': '{date}',
      'x-acs-signature-nonce': '{nonce}',
      'x-acs-version': '2014-05-26',
      authorization: `ACS3-HMAC-SHA256 Credential={secret.id},SignedHeaders=${names},Signature={signature}`,
    },
    body: null,
    sign: {
      algorithm: 'hmac-sha256',
      encoding: 'hex',
      key: '{secret.key}',
      canonical: [
        ...['{method}', '{path}', '{query}', 'host:{host}', 'x-acs-action:RunInstances'],
        ...['x-acs-content-sha256:{body:sha256}', 'x-acs-date:{date}'],
        ...['x-acs-signature-nonce:{nonce}', 'x-acs-version:2014-05-26', '', names],
        '{body:sha256}',
      ].join('\n'),
      text: 'ACS3-HMAC-SHA256\n{canonical:sha256}',
    },
  };
  const signatureAt = (date: string, nonce: string) => {
    const fields = new Map([
      ['image', 'win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd'],
      ['secret.id', 'YourAccessKeyId'],
      ['secret.key', 'YourAccessKeySecret'],
      ['date', date],
      ['nonce', nonce],
    ]);
    return requestOf(template, fields).headers['authorization'];
  };
  expect(signatureAt('2023-10-26T10:22:32Z', '3156853299f313e23d1673dc12e1703d')).toBe(
    `ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=${names},Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0`,
  );
  expect(signatureAt('2023-10-26T09:01:01Z', 'd410180a5abf7fe235dd9b74aca91fc0')).toContain(
    'Signature=e521358f7776c97df52e6b2891a8bc73026794a071b50c3323388c4e0df64804',
  );
});

const plain = { method: 'POST', headers: {}, body: null, sign: null } as const;
const sly = 'a"b\\c\r\nx: y&z=1<甲>{id}';

test('a field stays where it was put, whatever is in it', () => {
  const fields = new Map([
    ['text', sly],
    ['id', 'inner'],
  ]);
  const of = (changes: Partial<RequestTemplate>) =>
    requestOf({ ...plain, url: 'https://sms.example/send', ...changes }, fields);
  expect(JSON.parse(of({ body: '{"text":"{text}","n":{"m":1}}' }).body!)).toEqual({
    text: sly,
    n: { m: 1 },
  });
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const sent = of({ headers: form, body: 'text={text}&to=1' }).body!;
  expect([...new URLSearchParams(sent)]).toEqual([
    ['text', sly],
    ['to', '1'],
  ]);
  const { url } = of({
    url: 'https://sms.example/{text}/send?param=%7B%22t%22:%22{text:json}%22%7D',
  });
  expect(url.host).toBe('sms.example');
  expect(decodeURIComponent(url.pathname)).toBe(`/${sly}/send`);
  expect(JSON.parse(url.searchParams.get('param')!)).toEqual({ t: sly });
  expect(of({ headers: { 'X-Text': '{text}' } }).headers['x-text']).not.toMatch(/[\r\n]/);
  const xml = of({ headers: { 'content-type': 'text/xml' }, body: '<t>{text}</t>' }).body!;
  expect(xml).toContain('&quot;b\\c\r\nx: y&amp;z=1&lt;甲&gt;');
});

test('an unknown field, an unknown change, and a signature over itself are found', () => {
  const isKnown = (name: string) => name === 'text';
  expect(unknownFields('{text} {text:sha256} {txt} {text:rot13} {"a":1}', isKnown)).toEqual([
    '{txt}',
    '{text:rot13}',
  ]);
  const sign = { algorithm: 'hmac-sha256', key: 'k', canonical: '', encoding: 'hex' } as const;
  const of = (text: string, changes: Partial<RequestTemplate>) =>
    signsItself({ ...plain, url: 'https://a/', ...changes, sign: { ...sign, text } });
  expect(of('{body}', { body: '{"sign":"{signature}"}' })).toBe(true);
  expect(of('{query}', { url: 'https://a/?sign={signature}' })).toBe(true);
  expect(of('{signature}', {})).toBe(true);
  expect(of('{body}{query}', { headers: { sign: '{signature}' }, body: '{}' })).toBe(false);
});

test('a pointer finds what RFC 6901 says, and nothing of a prototype', () => {
  const value = { a: [{ 'b/c': { '~d': 7 } }] };
  expect(pointed(value, '/a/0/b~1c/~0d')).toBe(7);
  expect(pointed(value, '')).toBe(value);
  for (const pointer of ['/a/1', '/constructor', '/a/length/x', '/a/0/b']) {
    expect(pointed(value, pointer), pointer).toBeUndefined();
  }
});
