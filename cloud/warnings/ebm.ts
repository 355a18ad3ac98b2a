// A message for emergency broadcasting (应急广播): an EBM in an EBD, with the signature beside it, in
// one tar package, as platforms of the GD/J 082-2018 family take it by HTTP.
//
// The names and the order of the elements, the lengths of the codes and the names of the files are
// those of a platform's public source; the standard's own text (now GY/T 385-2023) was not at hand.
// No receiver has been asked. An Update is a new request that names what it replaces in RelatedEBM:
// the formats know a request and its cancelling alone.
//
// Only what is meant goes out this way: of an exercise or a test no package is made, because what
// a loudspeaker does with its `TestType` nobody here knows.
//
// The signature is that of the site's cryptographic device, over the bytes of the EBD's file.
// Without one the package says so by having none, and no platform will take it.

import { assert } from '../../core/fault.ts';
import { localIso } from '../../core/local-time.ts';
import { cut } from './cap.ts';
import { type TarFile, tar } from './tar.ts';
import type { Message } from './warning.ts';
import { BEIJING_OFFSET_MS } from './warning.ts';
import { cleaned, document, type Element, element } from './xml.ts';

export const EBM_TYPE = 'application/x-tar';

/** Signs the file of an EBD. */
export interface Signer {
  /** Whoever reads the package learns who signed; a signer for tests says here that it is one. */
  readonly name: string;
  readonly certificate: {
    readonly type: string;
    readonly issuer: string;
    readonly number: string;
  };
  readonly digestAlgorithm: string;
  readonly signatureAlgorithm: string;
  sign(bytes: Uint8Array): Uint8Array;
}

export interface EbmSettings {
  /** 18 digits of this platform (EBRID). */
  readonly resource: string;
  /** 18 digits of the one that takes it. */
  readonly destination: string;
  /** Five signs of the kind of event, by the platform's list. */
  readonly eventType: string;
  /** Divisions in which it is broadcast, by their digits. */
  readonly areas: readonly string[];
}

export interface EbmNumbers {
  /** Of packages, from 1; never again. */
  readonly package: number;
  /** Of the chain's message that this one is about; null for the first. */
  readonly relatedEbmId: string | null;
}

export interface EbmPackage {
  readonly ebdId: string;
  readonly ebmId: string;
  /** Who signed; null: unsigned. */
  readonly signedBy: string | null;
  readonly tar: Uint8Array;
}

/** The kind of package in front of its number: data, as opposed to a heartbeat (01). */
const DATA_PACKAGE = '10';
const TITLE_MAX = 60;
const isDigits = (text: string, count: number) => new RegExp(`^\\d{${count}}$`).test(text);

/** Two digits of its kind, 18 of the platform, 16 of the number: 36. */
export function ebdIdOf({ resource }: EbmSettings, number: number): string {
  return `${DATA_PACKAGE}${resource}${String(number).padStart(16, '0')}`;
}

/** 18 digits of the platform, 8 of the day, 4 of the number: 30. */
export function ebmIdOf({ resource }: EbmSettings, number: number, sentMs: number): string {
  const day = localIso(sentMs, BEIJING_OFFSET_MS).slice(0, 10).replaceAll('-', '');
  return `${resource}${day}${String(number % 10_000).padStart(4, '0')}`;
}

/** Of an `Actual` message. */
export function ebmPackage(
  message: Message,
  settings: EbmSettings,
  numbers: EbmNumbers,
  signer: Signer | null,
): EbmPackage {
  assert(message.status === 'Actual' || message.status === 'Draft', 'no drill is broadcast');
  const ebdId = ebdIdOf(settings, numbers.package);
  const ebmId = ebmIdOf(settings, numbers.package, message.sentMs);
  assert(isDigits(ebdId, 36) && isDigits(ebmId, 30), 'the codes were checked where they were read');
  const xml = document(ebd(message, settings, { ebdId, ebmId, ...numbers }));
  const bytes = new Uint8Array(Buffer.from(xml));
  const files: TarFile[] = [{ name: `EBDB_${ebdId}.xml`, bytes }];
  if (signer) {
    const signature = document(signatureOf(ebdId, message.sentMs, signer, bytes));
    const name = `EBDS_EBDB_${ebdId}.xml`;
    files.push({ name, bytes: new Uint8Array(Buffer.from(signature)) });
  }
  return { ebdId, ebmId, signedBy: signer?.name ?? null, tar: tar(files, message.sentMs) };
}

interface Identified extends EbmNumbers {
  readonly ebdId: string;
  readonly ebmId: string;
}

const beijing = (ms: number) => localIso(ms, BEIJING_OFFSET_MS).replace('T', ' ');

function ebd(message: Message, settings: EbmSettings, ids: Identified): Element {
  return element(
    'EBD',
    [
      element('EBDVersion', '1.0'),
      element('EBDID', ids.ebdId),
      element('EBDType', 'EBM'),
      element('SRC', [element('EBRID', settings.resource)]),
      element('DEST', [element('EBRID', settings.destination)]),
      element('EBDTime', beijing(message.sentMs)),
      ebm(message, settings, ids),
    ],
    { 'xmlns:xs': 'http://www.w3.org/2001/XMLSchema' },
  );
}

function ebm(
  message: Message,
  settings: EbmSettings,
  { ebmId, relatedEbmId }: Identified,
): Element {
  const { type, sentMs, expiresMs, senderName, content } = message;
  const { level, headline, description, instruction } = content;
  const told = [description.zh, instruction?.zh ?? ''].map(cleaned).filter(Boolean).join('\n');
  return element('EBM', [
    element('EBMVersion', '1.0'),
    element('EBMID', ebmId),
    ...(relatedEbmId === null ? [] : [element('RelatedEBM', [element('EBMID', relatedEbmId)])]),
    element('MsgBasicInfo', [
      element('MsgType', type === 'Cancel' ? '2' : '1'),
      element('SenderName', cleaned(senderName.zh)),
      element('SenderCode', settings.resource),
      element('SentTime', beijing(sentMs)),
      element('EventType', settings.eventType),
      element('Severity', String(level)),
      element('StartTime', beijing(sentMs)),
      element('EndTime', beijing(expiresMs)),
    ]),
    element('MsgContent', [
      element('LanguageCode', 'zho'),
      element('MsgTitle', cut(headline.zh, TITLE_MAX)),
      element('MsgDesc', told),
      element('AreaCode', settings.areas.join(',')),
    ]),
  ]);
}

function signatureOf(ebdId: string, atMs: number, signer: Signer, bytes: Uint8Array): Element {
  const { certificate, digestAlgorithm, signatureAlgorithm } = signer;
  const seconds = Math.floor(atMs / 1_000);
  return element('Signature', [
    element('Version', '1.0'),
    element('RelatedEBD', [element('EBDID', ebdId)]),
    element('SignatureCert', [
      element('CertType', certificate.type),
      element('IssuerID', certificate.issuer),
      element('CertSN', certificate.number),
    ]),
    element('SignatureTime', seconds.toString(16).toUpperCase().padStart(8, '0')),
    element('DigestAlgorithm', digestAlgorithm),
    element('SignatureAlgorithm', signatureAlgorithm),
    element('SignatureValue', Buffer.from(signer.sign(bytes)).toString('base64')),
  ]);
}
