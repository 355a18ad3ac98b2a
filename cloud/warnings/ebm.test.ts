import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { alert, cancel } from '../../tests/warned.ts';
import { found, lint, xmllint } from '../../tests/xml-lint.ts';
import { type EbmPackage, ebmPackage, type Signer } from './ebm.ts';
import { tar } from './tar.ts';

const settings = {
  ...{ resource: '434010400000001001', destination: '434010000000001001' },
  ...{ eventType: '12345', areas: ['340104000000', '340103000000'] },
};

// SM2 over SM3 as OpenSSL has them, by a key made for this run: it stands for a site's device and
// proves nothing about what a platform accepts.
const keys = generateKeyPairSync('ec', { namedCurve: 'SM2' });
const testSigner: Signer = {
  name: 'test signer, not a real one',
  certificate: { type: '01', issuer: 'TEST', number: '0001' },
  ...{ digestAlgorithm: 'SM3', signatureAlgorithm: 'SM2' },
  sign: (bytes) => new Uint8Array(sign('sm3', bytes, keys.privateKey)),
};

/** By name, as the system's tar reads them. */
function unpacked({ tar: bytes }: EbmPackage): Map<string, string> {
  const run = (...args: string[]) => execFileSync('tar', args, { input: bytes, encoding: 'utf8' });
  const names = run('-tf', '-').trim().split('\n');
  return new Map(names.map((name) => [name, run('-xOf', '-', name)]));
}

test('a package holds the EBD under the name of its id, and no signature where nobody signed', () => {
  const made = ebmPackage(alert, settings, { package: 7, relatedEbmId: null }, null);
  expect(made).toMatchObject({
    ebdId: '104340104000000010010000000000000007',
    ebmId: '434010400000001001202611220007',
    signedBy: null,
  });
  const files = unpacked(made);
  expect([...files.keys()]).toEqual([`EBDB_${made.ebdId}.xml`]);
  const xml = files.get(`EBDB_${made.ebdId}.xml`)!;
  const order = [...xml.matchAll(/<(\w+)[ >]/g)].map(([, name]) => name);
  expect(order).toEqual([
    ...['EBD', 'EBDVersion', 'EBDID', 'EBDType', 'SRC', 'EBRID', 'DEST', 'EBRID', 'EBDTime', 'EBM'],
    ...['EBMVersion', 'EBMID', 'MsgBasicInfo', 'MsgType', 'SenderName', 'SenderCode', 'SentTime'],
    ...['EventType', 'Severity', 'StartTime', 'EndTime', 'MsgContent', 'LanguageCode', 'MsgTitle'],
    ...['MsgDesc', 'AreaCode'],
  ]);
});

test.skipIf(!xmllint)(
  'the EBD says what the message says, in its own codes and in Beijing time',
  () => {
    const made = ebmPackage(cancel, settings, { package: 8, relatedEbmId: 'of-before' }, null);
    const [xml] = [...unpacked(made).values()];
    expect(lint(xml!)).toBe('');
    const at = (path: string) => found(xml!, `/EBD${path}`);
    expect(at('/EBDTime')).toBe('2026-11-22 13:00:00');
    expect(at('/EBM/RelatedEBM/EBMID')).toBe('of-before');
    expect(at('/EBM/MsgBasicInfo/MsgType')).toBe('2');
    expect(at('/EBM/MsgBasicInfo/Severity')).toBe('1');
    expect(at('/EBM/MsgContent/MsgDesc')).toBe('甲烷 52 %LEL，仍在上升\n禁止明火，远离现场。');
    expect(at('/EBM/MsgContent/AreaCode')).toBe('340104000000,340103000000');
  },
);

test('a signature stands beside the EBD, over its bytes, and says whose it is', () => {
  const made = ebmPackage(alert, settings, { package: 9, relatedEbmId: null }, testSigner);
  expect(made.signedBy).toBe('test signer, not a real one');
  const files = unpacked(made);
  const body = files.get(`EBDB_${made.ebdId}.xml`)!;
  const signature = files.get(`EBDS_EBDB_${made.ebdId}.xml`)!;
  const of = (name: string) => new RegExp(`<${name}>(.*)</${name}>`).exec(signature)?.[1] ?? '';
  expect([of('DigestAlgorithm'), of('SignatureAlgorithm')]).toEqual(['SM3', 'SM2']);
  expect(of('EBDID')).toBe(made.ebdId);
  const value = Buffer.from(of('SignatureValue'), 'base64');
  expect(verify('sm3', Buffer.from(body), keys.publicKey, value)).toBe(true);
  expect(verify('sm3', Buffer.from(`${body} `), keys.publicKey, value)).toBe(false);
});

test('an exercise is never made a broadcast', () => {
  const drill = { ...alert, status: 'Exercise' } as const;
  const make = () => ebmPackage(drill, settings, { package: 1, relatedEbmId: null }, null);
  expect(make).toThrow(/no drill is broadcast/);
});

test('the same files at the same time are the same bytes, in whole blocks', () => {
  const files = [{ name: 'a.xml', bytes: new Uint8Array(513).fill(65) }];
  const bytes = tar(files, 1_000);
  expect(bytes).toEqual(tar(files, 1_000));
  expect(bytes).toHaveLength(512 * 5);
  expect(execFileSync('tar', ['-tvf', '-'], { input: bytes, encoding: 'utf8' })).toMatch(
    / 513 .*a\.xml/,
  );
});
