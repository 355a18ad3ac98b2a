// A request written as a template, for providers that nobody can list beforehand. Pure.
//
//   {name}            the field, escaped for where it stands: address, header, JSON, form or XML
// body
//   {name:json}       first made a part of a JSON text (a JSON text within an address)
//   {name:sha256}     its hash in hexadecimal digits; also md5, base64
//
// A brace that is not before a name is itself, so JSON is written as it is. The signature is over a
// text of the same fields and of `method`, `host`, `path`, `query` and `body` as they are sent:
//
//   body -> address without signature -> canonical -> text -> {signature} -> address, headers, body
//
// so what is signed cannot hold the signature, which `signsItself` finds when the file is read.
import { createHash, createHmac } from 'node:crypto';
import type { Request } from './exchange.ts';

export const algorithms = ['hmac-sha256', 'hmac-sha1', 'hmac-md5', 'sha256', 'md5'] as const;

export interface SignRule {
  readonly algorithm: (typeof algorithms)[number];
  /** Template of the key; nothing where the algorithm has none. */
  readonly key: string;
  /** Template of `{canonical}`, for providers that sign a hash of it; '' for none. */
  readonly canonical: string;
  /** Template of what is signed. */
  readonly text: string;
  readonly encoding: 'hex' | 'base64';
}

export interface RequestTemplate {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Null: none. */
  readonly body: string | null;
  readonly sign: SignRule | null;
}

export type Fields = ReadonlyMap<string, string>;
type Escape = 'plain' | 'address' | 'header' | 'json' | 'form' | 'xml';

/** What each request has beside the fields of its message. */
export const requestFields = [
  ...['method', 'host', 'path', 'query', 'body', 'canonical', 'signature'],
  ...['timestamp', 'timestamp_ms', 'date', 'nonce'],
] as const;

const FIELD = /\{([a-z][a-z0-9_.-]*)(?::([a-z0-9]+))?\}/g;

const xmlSigns: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' },
};

const escapes: Readonly<Record<Escape, (text: string) => string>> = {
  plain: (text) => text,
  address: percent,
  form: percent,
  // A line end would begin a header of its own; other signs than ASCII have no agreed form.
  header: (text) => text.replaceAll(/[^\x20-\x7e]/g, (sign) => percent(sign)),
  json: (text) => JSON.stringify(text).slice(1, -1),
  xml: (text) => text.replaceAll(/[&<>"']/g, (sign) => xmlSigns[sign]!),
};

const changes: Readonly<Record<string, (text: string) => string>> = {
  json: escapes.json,
  sha256: (text) => createHash('sha256').update(text).digest('hex'),
  md5: (text) => createHash('md5').update(text).digest('hex'),
  base64: (text) => Buffer.from(text).toString('base64'),
};

/** RFC 3986: all but unreserved signs, which is stricter than what the language has. */
function percent(text: string): string {
  // Half a pair of surrogates has no bytes.
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function filled(template: string, fields: Fields, into: Escape): string {
  return template.replaceAll(FIELD, (whole, name: string, change: string | undefined) => {
    const value = fields.get(name);
    if (value === undefined) return whole;
    return escapes[into]((changes[change ?? ''] ?? escapes.plain)(value));
  });
}

/** `{name}` of each field that is not known, and `{name:change}` of each change that is none. */
export function unknownFields(template: string, isKnown: (name: string) => boolean): string[] {
  return [...template.matchAll(FIELD)]
    .filter(([, name, change]) => !isKnown(name!) || (change !== undefined && !changes[change]))
    .map(([whole]) => whole);
}

function names(template: string): ReadonlySet<string> {
  return new Set([...template.matchAll(FIELD)].map(([, name]) => name!));
}

/** Whether what is signed holds the signature. */
export function signsItself({ url, body, sign }: RequestTemplate): boolean {
  if (!sign) return false;
  const signed = new Set([...names(sign.text), ...names(sign.canonical)]);
  const isInUrl = names(url).has('signature') && (signed.has('query') || signed.has('path'));
  return (
    isInUrl || signed.has('signature') || (signed.has('body') && names(body ?? '').has('signature'))
  );
}

function bodyEscape(headers: RequestTemplate['headers']): Escape {
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type');
  const [, value = 'application/json'] = type ?? [];
  if (value.includes('json')) return 'json';
  if (value.includes('form-urlencoded')) return 'form';
  return value.includes('xml') ? 'xml' : 'plain';
}

export function signatureOf(rule: SignRule, fields: Fields): string {
  const { algorithm, key, canonical, text, encoding } = rule;
  const all = new Map([...fields, ['canonical', filled(canonical, fields, 'plain')]]);
  const signed = filled(text, all, 'plain');
  const [kind, hash] = algorithm.startsWith('hmac-')
    ? ['hmac', algorithm.slice('hmac-'.length)]
    : ['hash', algorithm];
  const digest = kind === 'hmac' ? createHmac(hash, filled(key, all, 'plain')) : createHash(hash);
  return digest.update(signed).digest(encoding);
}

/** Throws TypeError where the address is none, which `check` has found. */
export function requestOf(template: RequestTemplate, fields: Fields): Request {
  const { method, sign } = template;
  const into = bodyEscape(template.headers);
  const unsigned = new Map([...fields, ['method', method], ['signature', '']]);
  const bodyWith = (all: Fields) =>
    template.body === null ? null : filled(template.body, all, into);
  const draft = new URL(filled(template.url, unsigned, 'address'));
  const sent = new Map([
    ...unsigned,
    ['host', draft.host],
    ['path', draft.pathname],
    ['query', draft.search.slice(1)],
    ['body', bodyWith(unsigned) ?? ''],
  ]);
  const signed = new Map([...sent, ['signature', sign ? signatureOf(sign, sent) : '']]);
  const headers = Object.entries(template.headers).map(([name, value]) => [
    name.toLowerCase(),
    filled(value, signed, 'header'),
  ]);
  return {
    url: new URL(filled(template.url, signed, 'address')),
    method,
    headers: {
      'user-agent': 'lifeline',
      ...(template.body !== null && { 'content-type': 'application/json; charset=utf-8' }),
      ...(Object.fromEntries(headers) as Record<string, string>),
    },
    body: bodyWith(signed),
  };
}

/** RFC 6901; undefined where there is nothing. '' is the whole. */
export function pointed(value: unknown, pointer: string): unknown {
  let found = value;
  for (const part of pointer.split('/').slice(1)) {
    if (typeof found !== 'object' || found === null) return undefined;
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (!Object.hasOwn(found, name)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[name];
  }
  return found;
}

/** As text where it is a plain value. */
export function pointedText(value: unknown, pointer: string | undefined): string | null {
  if (pointer === undefined) return null;
  const found = pointed(value, pointer);
  return ['string', 'number', 'boolean'].includes(typeof found) ? String(found) : null;
}
