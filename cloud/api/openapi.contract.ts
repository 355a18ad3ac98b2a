// Every route of a running API, held against its own OpenAPI document: each answer it really gives,
// good or a problem, has a status the document names, of the type and of the shape it describes.
import { expect } from 'vitest';
import { z } from 'zod';
import type { Right } from '../registry/registry.ts';
import { BODY_BYTES_MAX } from './server.ts';

export interface Described {
  /** Of the running API. */
  readonly base: string;
  readonly tokenFor: (right: Right, scope?: string) => string;
  /**
   * What `{name}` in a path is to be, so that the thing exists; by `METHOD /path` for one route.
   */
  readonly params: Readonly<Record<string, string>>;
  /** By `METHOD /path`: the query a good call needs. */
  readonly queries?: Readonly<Record<string, string>>;
  /** By `METHOD /path`: the body of a good call. */
  readonly bodies?: Readonly<Record<string, object>>;
  /** By `METHOD /path`: the file of a good call. */
  readonly uploads?: Readonly<Record<string, { readonly type: string; readonly bytes: string }>>;
  /** How the paths begin that are called; all without it. */
  readonly only?: string;
}

interface Operation {
  readonly summary: string;
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

const PROBLEM = 'application/problem+json';
// What takes away comes last: the calls before need what it removes.
const order = ['get', 'post', 'delete'];

/** The calls made, as `METHOD /path status`. */
export async function checkDescribed(options: Described): Promise<readonly string[]> {
  const { base, tokenFor, only = '' } = options;
  const administer = tokenFor('administer');
  const asked = await fetch(`${base}/v1/openapi.json`, {
    headers: { authorization: `Bearer ${administer}` },
  });
  const { paths } = (await asked.json()) as { paths: Record<string, Record<string, Operation>> };
  const routes = Object.entries(paths)
    .filter(([path]) => path !== '/v1/stream' && path.startsWith(only))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    )
    .sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
  const seen: string[] = [];
  for (const { path, method, operation } of routes) {
    const name = `${method.toUpperCase()} ${path}`;
    const call = async (target: string, init: RequestInit, token: string | null = administer) => {
      const headers = {
        ...(init.headers as Record<string, string>),
        ...(token !== null && { authorization: `Bearer ${token}` }),
      };
      const response = await fetch(`${base}${target}`, { ...init, headers });
      seen.push(`${name} ${response.status}`);
      await expectDescribed(name, operation, response);
      return response.status;
    };
    await callAll(options, { path, method, operation, name, call });
  }
  return seen;
}

interface CalledRoute {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
  readonly name: string;
  readonly call: (target: string, init: RequestInit, token?: string | null) => Promise<number>;
}

// The good call and each way a call can be wrong before a handler sees it.
async function callAll(options: Described, route: CalledRoute): Promise<void> {
  const { tokenFor, params, queries = {}, bodies = {}, uploads = {} } = options;
  const { path, method, operation, name, call } = route;
  const filled = path.replaceAll(
    /\{(\w+)\}/g,
    (_, key: string) => params[name] ?? params[key] ?? '',
  );
  const target = `${filled}${queries[name] ?? ''}`;
  const verb = { method: method.toUpperCase() };
  const json = { 'content-type': 'application/json' };
  const body = bodies[name];
  const file = uploads[name];
  const sent = file
    ? { headers: { 'content-type': file.type }, body: file.bytes }
    : body && { headers: json, body: JSON.stringify(body) };
  const init: RequestInit = { ...verb, ...sent };
  if (operation.summary.endsWith('(public)')) {
    expect(await call(target, init, null)).toBe(200);
    return;
  }
  expect(await call(target, init, null), name).toBe(401);
  if (!operation.summary.endsWith('(read)')) {
    expect(await call(target, init, tokenFor('read')), name).toBe(403);
  }
  if (body) {
    expect(await call(target, { ...init, body: '{' }), name).toBe(400);
    const large = JSON.stringify({ x: 'x'.repeat(BODY_BYTES_MAX) });
    expect(await call(target, { ...init, body: large }), name).toBe(413);
  }
  if (sent) {
    const text = { ...init, headers: { 'content-type': 'text/x' } };
    expect(await call(target, text), name).toBe(415);
  }
  if (path.includes('{')) {
    const none = path.replaceAll(/\{(\w+)\}/g, '999');
    expect(await call(`${none}${queries[name] ?? ''}`, init), name).toBe(404);
  }
  if (queries[name]) expect(await call(filled, init), name).toBe(400);
  expect(await call(target, init), name).toBe(200);
}

async function expectDescribed(
  name: string,
  { responses }: Operation,
  response: Response,
): Promise<void> {
  const { status } = response;
  const content = responses[status]?.content;
  expect(
    content,
    `${name} answers ${status}, the document names ${Object.keys(responses)}`,
  ).toBeDefined();
  const [given = ''] = (response.headers.get('content-type') ?? '').split(';');
  const type = status === 200 ? given : PROBLEM;
  expect(given, name).toBe(type);
  const schema = content?.[type]?.schema;
  expect(schema, `${name} ${status} ${type}`).toBeDefined();
  // A file is a text to its document, whatever is in it.
  const isFile = (schema as { readonly type?: string }).type === 'string';
  const body: unknown = await (isFile ? response.text() : response.json());
  const { error } = z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema).safeParse(body);
  expect(error?.issues ?? [], `${name} ${status}: ${JSON.stringify(body)}`).toEqual([]);
}
