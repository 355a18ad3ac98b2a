// A call of a running API as a client makes it: JSON in, JSON out, the revision it has read.
import type { Api } from '../cloud/api/server.ts';

export interface Answered {
  readonly status: number;
  readonly etag: string | null;
  /** Whatever the test asks of it. */
  readonly body: ReturnType<typeof JSON.parse>;
}

/** GET, or POST of `posted`; `path` without `/v1/`. */
export async function callApi(
  { port }: Api,
  path: string,
  token: string,
  posted?: object,
  ifMatch?: number,
): Promise<Answered> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${path}`, {
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(ifMatch !== undefined && { 'if-match': `"${ifMatch}"` }),
    },
    ...(posted && { method: 'POST', body: JSON.stringify(posted) }),
  });
  const body = JSON.parse(await response.text());
  return { status: response.status, etag: response.headers.get('etag'), body };
}
