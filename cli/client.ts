// Speaks to a running cloud over its API. Where: --at URL or LIFELINE_URL, else the demo on this
// machine. As whom: --token-file FILE or LIFELINE_TOKEN, else the demo's own token. A token is
// never an argument: arguments are seen by everybody on the machine.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../core/fault.ts';
import type { FaultCode, Language } from '../core/text/text.ts';
import { bilingual, faults } from '../core/text/text.ts';
import { readText } from './files.ts';
import type { Given, OptionKind, Output } from './verb.ts';

export const clientOptions = {
  at: 'text',
  'token-file': 'text',
  data: 'text',
} as const satisfies Record<string, OptionKind>;

const TIMEOUT_MS = 10_000;
/** 8 MB at 28 KB/s, as the cloud waits for it. */
const FILE_TIMEOUT_MS = 300_000;

export interface PostOptions {
  /** For what takes the server long. */
  readonly timeoutMs?: number;
  readonly revision?: number;
}

export class Client {
  readonly #base: string;
  readonly #token: string;
  readonly #language: Language;

  constructor(base: string, token: string, language: Language = 'en') {
    this.#base = base.replace(/\/$/, '');
    this.#token = token;
    this.#language = language;
  }

  static from(given: Given, { language }: Output): Client {
    const demo = demoAccess(given.text('data') ?? 'data');
    const base = given.text('at') ?? process.env['LIFELINE_URL'] ?? demo?.url;
    const file = given.text('token-file');
    const token = file ? readText(file).trim() : (process.env['LIFELINE_TOKEN'] ?? demo?.token);
    if (!base || !token) {
      throw new Fault('cli_unreachable', 'never', bilingual('cli-no-cloud'));
    }
    return new Client(base, token, language);
  }

  get<T>(path: string): Promise<T> {
    return this.#call<T>('GET', path);
  }

  /** `revision`: what the caller has read; refused with `api_precondition` when it has changed. */
  post<T>(path: string, body: unknown, how: PostOptions = {}): Promise<T> {
    return this.#call<T>('POST', path, body, how);
  }

  /** The bytes of a file, as its type. */
  async upload<T>(path: string, type: string, bytes: Uint8Array<ArrayBuffer>): Promise<T> {
    const signal = AbortSignal.timeout(FILE_TIMEOUT_MS);
    const response = await this.#send('POST', path, { body: bytes, type }, signal);
    return (await response.json()) as T;
  }

  /** An answer that is a file. */
  async download(path: string): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(FILE_TIMEOUT_MS);
    const response = await this.#send('GET', path, null, signal);
    return new Uint8Array(await response.arrayBuffer());
  }

  /**
   * Server-sent events, one object an event, until the server ends; throws the signal's AbortError,
   * or Fault `cli_unreachable` when the connection breaks.
   */
  async *stream(
    topics: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ event: string; data: unknown }> {
    const response = await this.#fetch('GET', `/v1/stream?topics=${topics}`, undefined, signal);
    let text = '';
    const chunks = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await chunks.read().catch((error) => this.#unanswered(error, signal));
      if (done) return;
      text += value;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = /^event: (.*)$/m.exec(text.slice(0, end))?.[1];
        const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1];
        text = text.slice(end + 2);
        if (event && data) yield { event, data: JSON.parse(data) };
      }
    }
  }

  async #call<T>(
    method: string,
    path: string,
    body?: unknown,
    { timeoutMs = TIMEOUT_MS, revision }: PostOptions = {},
  ): Promise<T> {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await this.#fetch(method, path, body, signal, revision);
    return (await response.json()) as T;
  }

  #fetch(
    method: string,
    path: string,
    body: unknown,
    signal: AbortSignal,
    revision?: number,
  ): Promise<Response> {
    const json = { body: JSON.stringify(body), type: 'application/json' };
    return this.#send(method, path, body === undefined ? null : json, signal, revision);
  }

  async #send(
    method: string,
    path: string,
    content: { readonly body: string | Uint8Array<ArrayBuffer>; readonly type: string } | null,
    signal: AbortSignal,
    revision?: number,
  ): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${this.#base}${path}`, {
        method,
        signal,
        headers: {
          authorization: `Bearer ${this.#token}`,
          'accept-language': this.#language,
          ...(content && { 'content-type': content.type }),
          ...(revision !== undefined && { 'if-match': `"${revision}"` }),
        },
        ...(content && { body: content.body }),
      });
    } catch (error) {
      return this.#unanswered(error, signal);
    }
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as {
      title?: string;
      detail?: string;
    };
    const code = Object.hasOwn(faults, problem.title ?? '') ? problem.title : 'cli_unreachable';
    const detail = problem.detail ?? `${response.status}: ${this.#base}${path}`;
    throw new Fault(code as FaultCode, 'never', detail);
  }

  /** Whoever ended the call is not told that nobody answers. */
  #unanswered(error: unknown, { aborted, reason }: AbortSignal): never {
    if (aborted && (reason as Error).name === 'AbortError') throw reason;
    const detail = bilingual('cli-no-answer', { where: this.#base });
    throw new Fault('cli_unreachable', 'later', detail, error);
  }
}

/** Where the demo of a data folder wrote how to reach it. */
export function demoAccess(data: string): { url: string; token: string } | null {
  const file = join(data, 'access.json');
  return existsSync(file) ? JSON.parse(readText(file)) : null;
}
