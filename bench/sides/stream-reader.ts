// A reader of the live stream: counts events, looks into none.
import { sleep } from '../bench.ts';
import { serve } from '../side.ts';

const RETRY_MS = 200;

export interface ReaderSettings {
  readonly url: string;
  readonly token: string;
  readonly topics: string;
}

serve(async ({ url, token, topics }: ReaderSettings) => {
  const stopping = new AbortController();
  const { signal } = stopping;
  const counts = { connections: 0, events: 0, bytes: 0 };
  const headers = { authorization: `Bearer ${token}` };
  const readOnce = async (onOpen: () => void) => {
    const response = await fetch(`${url}/v1/stream?topics=${topics}`, { headers, signal });
    counts.connections++;
    onOpen();
    for await (const chunk of response.body!) {
      counts.bytes += chunk.length;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
        if (chunk[at + 1] === 10) counts.events++;
      }
    }
  };
  // The cloud ends a reader that falls behind; it comes back, as a browser does.
  const read = async (onOpen: () => void) => {
    while (!signal.aborted) {
      await readOnce(onOpen).catch(() => sleep(RETRY_MS));
    }
  };
  await new Promise<void>((resolve) => void read(resolve));
  return { counts: () => counts, end: () => stopping.abort() };
});
