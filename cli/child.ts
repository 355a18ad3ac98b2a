// How a supervisor and the processes it started talk: small JSON messages over Node's IPC channel.
// A process that was started by hand has no channel, and then all of this does nothing.

export type Answerer = (values: unknown) => Promise<unknown> | unknown;

interface Ask {
  readonly kind: 'ask';
  readonly id: number;
  readonly what: string;
  readonly values: unknown;
}

export type ChildMessage =
  | { readonly kind: 'ready'; readonly facts: Readonly<Record<string, unknown>> }
  | {
      readonly kind: 'event';
      readonly name: string;
      readonly facts: Readonly<Record<string, unknown>>;
    }
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly value?: unknown;
      readonly error?: string;
    };

export function isSupervised(): boolean {
  return process.send !== undefined;
}

export function tellParent(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}

/** Answers the supervisor's questions by name. */
export function answerParent(answerers: Readonly<Record<string, Answerer>>): void {
  if (!isSupervised()) return;
  process.on('message', async (message: Ask) => {
    if (message?.kind !== 'ask') return;
    const { id, what, values } = message;
    try {
      const answer = answerers[what];
      const value = await answer?.(values);
      tellParent(
        answer ? { kind: 'answer', id, value } : { kind: 'answer', id, error: `no ${what}` },
      );
    } catch (error) {
      tellParent({ kind: 'answer', id, error: String(error) });
    }
  });
}

/**
 * Aborts when the process is asked to end: SIGTERM, Ctrl-C, or the supervisor gone. Under a
 * supervisor Ctrl-C is the supervisor's business: it ends the parts in order.
 */
export function stopSignal(): AbortSignal {
  const abort = new AbortController();
  const stop = () => abort.abort();
  process.once('SIGTERM', stop);
  if (isSupervised()) {
    process.on('SIGINT', () => {});
    process.once('disconnect', stop);
  } else process.once('SIGINT', stop);
  return abort.signal;
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
