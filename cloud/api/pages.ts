// Pages for people without an account: HTML that needs no script, no cookie and nothing from
// elsewhere. What is in the address of a page is a secret, so it stands in no log, no problem and
// no header of a page; and no browser tells it to another site, keeps it in a cache, or lets a page
// around it.
import { createHash } from 'node:crypto';
import { isFault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Language } from '../../core/text/text.ts';
import { languages, languageWanted } from '../../core/text/text.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from './server.ts';
import { statusOf } from './statuses.ts';

/** A word, and a name in up to 60 characters of up to 12 bytes as a form writes them. */
export const FORM_BYTES_MAX = 4 * 1024;

export interface PageCall {
  readonly params: Readonly<Record<string, string>>;
  /** Empty where nothing was posted. */
  readonly form: URLSearchParams;
  readonly language: Language;
  /** The language was chosen on the page, not by the browser. */
  readonly isLanguageChosen: boolean;
  readonly from: string;
  /** A browser says that a person goes to this page; see `isVisit`. */
  readonly isVisit: boolean;
}

export type PageAnswer =
  | { readonly status: number; readonly html: string; readonly retryAfterS?: number }
  /** After a form: another address beside this one, which may be loaded again without harm. */
  | { readonly seeOther: string };

export interface Page {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly handle: (call: PageCall) => PageAnswer;
}

export interface Pages {
  readonly list: readonly Page[];
  readonly style: string;
  /** What is shown where a handler could not do its work. */
  readonly failed: (language: Language) => string;
}

export async function addPages(server: FastifyInstance, log: Log, pages: Pages): Promise<void> {
  const styleHash = createHash('sha256').update(pages.style).digest('base64');
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const send = (reply: FastifyReply, language: Language, answer: PageAnswer) => {
    reply
      .header('content-security-policy', policy)
      .header('referrer-policy', 'no-referrer')
      .header('cache-control', 'no-store')
      .header('x-content-type-options', 'nosniff')
      .header('x-robots-tag', 'noindex, nofollow')
      .header('vary', 'accept-language')
      .header('content-language', language);
    if ('seeOther' in answer) return reply.redirect(answer.seeOther, 303);
    if (answer.retryAfterS !== undefined) reply.header('retry-after', answer.retryAfterS);
    return reply.code(answer.status).type('text/html; charset=utf-8').send(answer.html);
  };
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: FORM_BYTES_MAX },
      (_request, body, done) => done(null, new URLSearchParams(String(body))),
    );
    scope.setErrorHandler((error, request, reply) => {
      const { language } = languageOf(request);
      const status = errorStatus(error);
      const code = isFault(error) ? error.code : 'unexpected';
      if (status >= 500) log.error('page_failed', { code });
      return send(reply, language, { status, html: pages.failed(language) });
    });
    for (const { method, url, handle } of pages.list) {
      scope.route({
        ...{ method, url, config: { right: 'public' }, schema: { hide: true } },
        handler: (request, reply) => {
          const spoken = languageOf(request);
          const answer = handle({
            params: request.params as Readonly<Record<string, string>>,
            form: request.body instanceof URLSearchParams ? request.body : new URLSearchParams(),
            from: request.ip,
            isVisit: isVisit(request),
            ...spoken,
          });
          return send(reply, spoken.language, answer);
        },
      });
    }
  });
}

function errorStatus(error: unknown): number {
  if (isFault(error)) return statusOf[error.code] ?? 500;
  const { statusCode } = error as { readonly statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : 503;
}

function languageOf({ query, headers }: FastifyRequest) {
  const { lang } = query as { readonly lang?: unknown };
  const chosen = languages.find((each) => each === lang);
  const language = chosen ?? languageWanted(headers['accept-language']);
  return { language, isLanguageChosen: chosen !== undefined };
}

// Programs that look after mail and messages open links before a person does. Browsers say of a
// page that somebody goes to that it is one (Fetch Metadata Request Headers, W3C); most such
// programs, and those that load ahead, do not. Where a browser is too old to say so, a visit is not
// noticed: too few are better than some that never were.
function isVisit({ method, headers }: FastifyRequest): boolean {
  const isAhead = 'purpose' in headers || 'sec-purpose' in headers || 'x-moz' in headers;
  return (
    method === 'GET' &&
    !isAhead &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document'
  );
}
