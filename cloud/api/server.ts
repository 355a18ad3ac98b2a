// The HTTP side of the cloud: Fastify, one table of routes, errors as RFC 9457 problems, OpenAPI
// 3.1 from the schemas that validate. Refused before any handler: a foreign Host, a body over 1 MB,
// no or a wrong token, a token without the right. No CORS header is ever sent: a page of another
// origin reads nothing.
import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fastify from 'fastify';
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import type { Clock } from '../../core/clock.ts';
import { Fault, isFault, systemDetail } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import { InvalidInput } from '../../core/problems.ts';
import type { Bilingual, Language } from '../../core/text/text.ts';
import { bilingual, languageWanted, say } from '../../core/text/text.ts';
import { isFull } from '../inbox/file.ts';
import type { Principal, Registry, Right } from '../registry/registry.ts';
import { rights } from '../registry/registry.ts';
import type { Misfit } from './misfit.ts';
import { misfitText } from './misfit.ts';
import { addPages, type Pages } from './pages.ts';
import type { Call, Document, Route } from './route.ts';
import { problem, streamBody, streamQuery, unchanged } from './schemas.ts';
import { statusOf } from './statuses.ts';
import type { EventStream, StreamReader, StreamTopic } from './stream.ts';
import { streamTopics } from './stream.ts';

export type { FastifyInstance, FastifyReply, FastifyRequest };
export const BODY_BYTES_MAX = 1024 * 1024;
const STREAM_HEARTBEAT_MS = 5_000;
/** 8 MB at 28 KB/s, as over a bad radio link. Then the connection is ended. */
const UPLOAD_WITHIN_MS = 300_000;

export interface ApiOptions {
  readonly host: string;
  readonly port: number;
  /** Names under which the API may be called, beyond host and loopback. */
  readonly hostNames: readonly string[];
  readonly version: string;
  readonly registry: Registry;
  readonly stream: EventStream;
  readonly routes: readonly Route[];
  /** For people without an account. */
  readonly pages?: Pages;
}

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    right?: Right | 'public';
  }
}

export interface Api {
  readonly port: number;
  close(): Promise<void>;
}

export async function openApi(
  clock: Clock,
  log: Log,
  metrics: Metrics,
  options: ApiOptions,
): Promise<Api> {
  const server = fastify({ bodyLimit: BODY_BYTES_MAX, logger: false, forceCloseConnections: true });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Lifeline cloud', version: options.version },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
  });
  refuseUnclassified(server);
  const refused = metrics.counter(
    'api_requests_refused_total',
    'Requests refused before a handler',
  );
  server.decorateRequest('principal', null);
  server.addHook('onRequest', async (request) => {
    try {
      checkHost(request, options);
      request.principal = authorise(request, options.registry);
    } catch (error) {
      refused.add();
      throw error;
    }
  });
  server.setErrorHandler((error, request, reply) => sendProblem(log, request, reply, error));
  server.setNotFoundHandler({ preHandler: undefined as never }, (request, reply) =>
    sendProblem(log, request, reply, notThere(request)),
  );
  await addRoutes(clock, server, options.routes);
  if (options.pages) await addPages(server, log, options.pages);
  addMeta(server, metrics);
  const stopStream = addStream(clock, server, options.stream);
  try {
    await server.listen({ host: options.host, port: options.port });
  } catch (error) {
    stopStream();
    await server.close();
    const detail = systemDetail(`${options.host}:${options.port}`, error);
    throw new Fault('api_bind', 'later', detail, error);
  }
  const address = server.server.address();
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    close: async () => {
      stopStream();
      options.stream.close();
      await server.close();
    },
  };
}

// A route that reaches Fastify without a right is a mistake in this file: the process does not
// start.
function refuseUnclassified(server: FastifyInstance): void {
  server.addHook('onRoute', ({ config, url, method }) => {
    if (config?.right === undefined) {
      throw new Fault('api_unclassified', 'never', `${method} ${url}`);
    }
  });
}

async function addRoutes(
  clock: Clock,
  server: FastifyInstance,
  routes: readonly Route[],
): Promise<void> {
  for (const each of routes) if (!each.uploads) addRoute(clock, server, each);
  // A file is handed on as it comes: what else Fastify makes of a body is taken away here.
  await server.register(async (files) => {
    files.removeAllContentTypeParsers();
    const uploads = routes.filter((each) => each.uploads);
    for (const type of new Set(uploads.flatMap((each) => each.uploads ?? []))) {
      files.addContentTypeParser(type, (_request, payload, done) => done(null, payload));
    }
    for (const each of uploads) addRoute(clock, files, each);
  });
}

function addRoute(clock: Clock, server: FastifyInstance, each: Route): void {
  const { method, url, right, summary, schemas, handle, uploads, documents } = each;
  const asItWas = each.isConditional && { 304: unchanged };
  const content = documents?.map((type) => [type, { schema: schemas.answer }]);
  const answer = content
    ? { description: 'A file', content: Object.fromEntries(content) }
    : schemas.answer;
  server.route({
    method,
    url,
    config: { right },
    schema: {
      summary: `${summary} (${right})`,
      ...(right === 'public' && { security: [] }),
      ...(schemas.params && { params: schemas.params }),
      ...(schemas.query && { querystring: schemas.query }),
      ...(schemas.body && { body: schemas.body }),
      response: { 200: answer, ...asItWas, ...described(problemsOf(each)) },
    },
    handler: async (request, reply) => {
      const stop = uploads && clock.after(UPLOAD_WITHIN_MS, () => request.raw.destroy());
      const call = {
        params: request.params,
        query: request.query,
        body: request.body,
        principal: request.principal ?? nobody,
        from: request.ip,
        ifMatch: method === 'GET' ? null : revisionOf(request.headers['if-match']),
        upload: uploads ? uploadOf(request) : null,
      };
      const found = await (async () => handle(call))().finally(stop);
      if (documents) return sendDocument(request, reply, found as Document);
      const { revision } = (found ?? {}) as { readonly revision?: unknown };
      if (typeof revision === 'number') reply.header('etag', `"${revision}"`);
      return found;
    },
  });
}

function uploadOf({ body, headers }: FastifyRequest): Call<unknown, unknown, unknown>['upload'] {
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  const first = Object.entries(headers).map(([name, value = '']) => [
    name,
    [value].flat()[0] ?? '',
  ]);
  return {
    type: type.trim().toLowerCase(),
    headers: Object.fromEntries(first) as Record<string, string>,
    bytes: body as AsyncIterable<Uint8Array>,
  };
}

// Whatever a file says it is, a browser saves it: nothing in it runs with the rights of the API.
function sendDocument(request: FastifyRequest, reply: FastifyReply, found: Document): FastifyReply {
  const { type, name, body, version } = found;
  if (version) {
    reply.header('etag', `"${version.tag}"`);
    reply.header('last-modified', new Date(version.changedMs).toUTCString());
    reply.header('cache-control', 'private, no-cache');
    if (isKnown(request, version)) return reply.code(304).send();
  } else reply.header('cache-control', 'no-store');
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body);
  return reply
    .type(type)
    .header('content-disposition', `attachment; filename*=UTF-8''${encodeLabel(name)}`)
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "sandbox; default-src 'none'; style-src 'unsafe-inline'")
    .send(bytes);
}

/** RFC 9110, section 13: the tag decides where one is given. */
function isKnown({ headers }: FastifyRequest, version: NonNullable<Document['version']>): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined) return tags.includes(`"${version.tag}"`) || tags.trim() === '*';
  const sinceMs = Date.parse(headers['if-modified-since'] ?? '');
  return Math.floor(version.changedMs / 1_000) * 1_000 <= sinceMs;
}

/** RFC 8187: percent-encoded UTF-8, also what encodeURIComponent lets pass. */
function encodeLabel(name: string): string {
  return encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16)}`,
  );
}

/** The number in `If-Match: "7"`; null without one. */
function revisionOf(header: string | undefined): number | null {
  if (header === undefined || header === '*') return null;
  const match = /^"(\d{1,15})"$/.exec(header);
  if (match) return Number(match[1]);
  const detail = bilingual('api-if-match', { found: header.slice(0, 100) });
  throw new Fault('api_bad_request', 'never', detail);
}

const problemTexts = {
  400: 'The call is not what the API takes; `errors` names the fields',
  401: 'No token, or one that is not valid',
  403: 'The token has not the right, or its scope does not allow it',
  404: 'There is no such thing, or it is beyond the scope of the token',
  409: 'Somebody or something was faster, or its state does not allow it now',
  412: 'It has changed since it was read; the detail says by whom',
  413: 'The body is larger than 1 MB, or a file larger than 8 MB',
  415: 'The body is not application/json, or not a type of file that is taken',
  421: 'The Host of the request is not this server',
  500: 'The server failed',
  503: 'The store does not answer now, or the disk has no room; try again later',
} as const;

/** What can go wrong with any call of a route, and what its handler adds. */
function problemsOf({ method, right, schemas, problems = [] }: Route): number[] {
  const { params, query } = schemas;
  return [
    ...(params || query || method !== 'GET' ? [400] : []),
    ...(right === 'public' ? [] : [401, 403]),
    ...(params ? [404] : []),
    ...(method === 'GET' ? [] : [413, 415, 503]),
    ...[421, 500],
    ...problems,
  ];
}

function described(statuses: readonly number[]) {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: problemTexts[status as keyof typeof problemTexts],
        content: { 'application/problem+json': { schema: problem } },
      },
    ]),
  );
}

const nobody: Principal = { name: 'anonymous', right: 'read', scope: '\0' };

function addMeta(server: FastifyInstance, metrics: Metrics): void {
  server.route({
    method: 'GET',
    url: '/v1/openapi.json',
    config: { right: 'read' },
    schema: { hide: true },
    handler: () => server.swagger(),
  });
  server.route({
    method: 'GET',
    url: '/metrics',
    config: { right: 'read' },
    schema: { hide: true },
    handler: (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(metrics.render()),
  });
}

function checkHost(request: FastifyRequest, { host, hostNames }: ApiOptions): void {
  const name = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  if (['127.0.0.1', 'localhost', '::1', host, ...hostNames].includes(name)) return;
  const detail = bilingual('api-not-this-host', { name: name.slice(0, 100) });
  throw new Fault('api_foreign_host', 'never', detail);
}

function authorise(request: FastifyRequest, registry: Registry): Principal | null {
  const { right } = request.routeOptions.config;
  if (right === undefined && request.is404) return null;
  if (right === 'public') return null;
  const match = /^Bearer ([\w-]{1,200})$/.exec(request.headers.authorization ?? '');
  const principal = match ? registry.authenticate(match[1]!) : null;
  if (!principal) throw new Fault('api_unauthenticated', 'never', bilingual('api-token-needed'));
  if (rights.indexOf(principal.right) < rights.indexOf(right ?? 'administer')) {
    const detail = bilingual('api-right-needed', {
      name: principal.name,
      has: principal.right,
      needed: right ?? 'administer',
    });
    throw new Fault('api_forbidden', 'never', detail);
  }
  return principal;
}

function notThere({ method, url }: FastifyRequest): Fault {
  return new Fault('api_not_found', 'never', bilingual('api-no-route', { method, url }));
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

const MISFITS_MAX = 100;

/** What the schemas found, of a call that they refused. */
function misfitsOf(error: unknown): readonly Misfit[] | null {
  const { validation } = error as { readonly validation?: unknown };
  return Array.isArray(validation) ? validation.slice(0, MISFITS_MAX) : null;
}

function unfit(why: readonly Bilingual[], error: unknown): Fault {
  const all = (language: Language) => why.map((message) => message[language]).join('; ');
  const detail = {
    en: say('en', 'api-fields', { why: all('en') }),
    zh: say('zh', 'api-fields', { why: all('zh') }),
  };
  return new Fault('api_bad_request', 'never', detail, error);
}

// What Fastify refuses before a handler has a status of its own; anything else is our mistake.
function faultOf(error: unknown): Fault {
  if (isFault(error)) return error;
  if (isFull(error)) return new Fault('api_disk_full', 'later', bilingual('api-disk-full'), error);
  if (error instanceof InvalidInput) {
    return unfit(
      error.findings.map(({ message }) => message),
      error,
    );
  }
  const { statusCode } = error as { readonly statusCode?: number };
  const why = messageOf(error);
  const misfits = misfitsOf(error);
  if (misfits) return unfit(misfits.map(misfitText), error);
  if (statusCode === 413) {
    const detail = bilingual('api-body-beyond', { max: BODY_BYTES_MAX });
    return new Fault('api_too_large', 'never', detail, error);
  }
  if (statusCode === 415) {
    return new Fault('api_not_json', 'never', bilingual('api-json-wanted'), error);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new Fault('api_malformed', 'never', bilingual('api-no-json', { why }), error);
  }
  return new Fault('api_error', 'never', bilingual('api-failed'), error);
}

function sendProblem(log: Log, request: FastifyRequest, reply: FastifyReply, error: unknown): void {
  const fault = faultOf(error);
  const { code, detail } = fault;
  const status = statusOf[code] ?? (fault.retry === 'never' ? 500 : 503);
  if (status >= 500) log.error('api_request_failed', { code, why: messageOf(error) });
  const language = languageWanted(request.headers['accept-language']);
  const errors =
    error instanceof InvalidInput
      ? error.findings.map(({ path, message }) => ({
          path: path.join('.'),
          message: message[language],
        }))
      : misfitsOf(error)?.map((misfit) => ({
          path: misfit.instancePath ?? '',
          message: misfitText(misfit)[language],
        }));
  const body = {
    type: `urn:lifeline:${code}`,
    title: code,
    status,
    detail: detail[language],
    ...(errors && { errors }),
  };
  reply.header('content-language', language);
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  reply.code(status).header('content-type', 'application/problem+json').serializer(JSON.stringify);
  reply.send(body);
}

function addStream(clock: Clock, server: FastifyInstance, stream: EventStream): () => void {
  const abort = new AbortController();
  void heartbeats(clock, stream, abort.signal);
  server.route({
    method: 'GET',
    url: '/v1/stream',
    config: { right: 'read' },
    schema: {
      summary: 'Live events as text/event-stream; resumes by Last-Event-ID (read)',
      querystring: streamQuery,
      response: {
        200: {
          description: 'Events until either side ends it',
          content: { 'text/event-stream': { schema: streamBody } },
        },
        ...described([400, 401, 403, 421, 500]),
      },
    },
    handler: (request, reply) => {
      const { topics } = request.query as { topics: string };
      const asked = topics.split(',').filter((name) => name !== '');
      const unknown = asked.find((name) => !streamTopics.includes(name as StreamTopic));
      if (unknown !== undefined) {
        const detail = bilingual('api-no-topic', { unknown, known: streamTopics.join(', ') });
        throw new Fault('api_bad_request', 'never', detail);
      }
      const lastId = request.headers['last-event-id'];
      join(reply, stream, {
        topics: new Set(asked as StreamTopic[]),
        scope: request.principal?.scope ?? '\0',
        lastId: typeof lastId === 'string' ? lastId : null,
      });
    },
  });
  return () => abort.abort();
}

function join(
  reply: FastifyReply,
  stream: EventStream,
  wanted: { topics: ReadonlySet<StreamTopic>; scope: string; lastId: string | null },
): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const reader: StreamReader = {
    topics: wanted.topics,
    scope: wanted.scope,
    pendingBytes: () => raw.writableLength,
    write: (text) => {
      raw.write(text);
    },
    end: () => {
      raw.destroy();
    },
  };
  raw.on('close', () => stream.remove(reader));
  if (!stream.add(reader, wanted.lastId)) raw.end('event: full\ndata: {}\n\n');
}

async function heartbeats(clock: Clock, stream: EventStream, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(STREAM_HEARTBEAT_MS, signal);
    stream.heartbeat(`heartbeat ${new Date(clock.wallMs()).toISOString()}`);
  }
}
