// Starts the parts of the demo city as processes, prints what they are, starts again what dies, and
// ends them in order. Each part's log goes to a file of its own in the logs folder, bounded by
// starting it anew.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { createWriteStream, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../core/fault.ts';
import { bilingual } from '../core/text/text.ts';
import type { ChildMessage } from './child.ts';

/**
 * A log that is larger when its process starts is moved aside, once; so a part keeps at most about
 * twice.
 */
const LOG_BYTES_MAX = 16 * 1024 * 1024;
// Source in development, emitted JavaScript where it is installed.
const MAIN = import.meta.url.endsWith('.ts') ? './main.ts' : './main.js';
const RESTART_DELAY_MS = 500;
const START_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 10_000;

export interface PartOptions {
  readonly name: string;
  readonly args: readonly string[];
  readonly onReady: (part: Part, facts: Readonly<Record<string, unknown>>) => void;
  readonly onEvent: (name: string, facts: Readonly<Record<string, unknown>>) => void;
  readonly onDied: (name: string, why: string) => void;
}

export class Part {
  readonly name: string;
  readonly #options: PartOptions;
  readonly #logs: string;
  readonly #waiting = new Map<number, (message: { value?: unknown; error?: string }) => void>();
  #child: ChildProcess | null = null;
  #facts: Readonly<Record<string, unknown>> = {};
  #asked = 0;
  #stopping = false;
  #restarts = 0;

  constructor(options: PartOptions, logs: string) {
    this.name = options.name;
    this.#options = options;
    this.#logs = logs;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What the part said of itself when it was ready: its ports, its epoch. */
  get facts(): Readonly<Record<string, unknown>> {
    return this.#facts;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Starts the process and waits until it says that it is ready. */
  start(): Promise<void> {
    const child = fork(fileURLToPath(new URL(MAIN, import.meta.url)), [...this.#options.args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
      serialization: 'advanced',
      // The store's reads each hold one of libuv's threads; name lookups must still find one.
      env: { UV_THREADPOOL_SIZE: '8', ...process.env },
    });
    this.#child = child;
    this.#log(child);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        child.kill('SIGKILL');
        const detail = bilingual('cli-part-late', { name: this.name });
        reject(new Fault('cli_child_failed', 'never', detail));
      }, START_TIMEOUT_MS);
      child.on('message', (message: ChildMessage) => {
        if (message.kind === 'ready') {
          clearTimeout(late);
          this.#facts = message.facts;
          this.#options.onReady(this, message.facts);
          resolve();
        } else if (message.kind === 'event') this.#options.onEvent(message.name, message.facts);
        else this.#waiting.get(message.id)?.(message);
      });
      child.on('exit', (code, signal) => {
        clearTimeout(late);
        this.#child = null;
        for (const settle of this.#waiting.values()) settle({ error: `${this.name} ended` });
        const why = signal ?? `status ${code}`;
        const detail = bilingual('cli-part-ended', { name: this.name, why });
        reject(new Fault('cli_child_failed', 'never', detail));
        if (!this.#stopping) this.#again(why);
      });
    });
  }

  /** Asks the running process; rejects when it ends or does not answer. */
  ask(what: string, values: unknown = null, timeoutMs = ANSWER_TIMEOUT_MS): Promise<unknown> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      const fail = (why: string) =>
        reject(new Fault('cli_child_failed', 'never', `${this.name}, ${what}: ${why}`));
      const timer = setTimeout(() => settle({ error: 'no answer in time' }), timeoutMs);
      const settle = ({ value, error }: { value?: unknown; error?: string }) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if (error === undefined) resolve(value);
        else fail(error);
      };
      this.#waiting.set(id, settle);
      if (!this.#child?.connected) settle({ error: 'not running' });
      else this.#child.send({ kind: 'ask', id, what, values });
    });
  }

  /** SIGTERM, and SIGKILL to what is still there after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (!child) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const hard = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await ended;
    clearTimeout(hard);
  }

  #again(why: string): void {
    this.#restarts++;
    this.#options.onDied(this.name, why);
    setTimeout(() => {
      if (this.#stopping) return;
      // A start that fails ends the process, and its end brings us back here and is told there.
      this.start().catch(() => undefined);
    }, RESTART_DELAY_MS);
  }

  #log(child: ChildProcess): void {
    mkdirSync(this.#logs, { recursive: true });
    const path = join(this.#logs, `${this.name}.log`);
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) {
      renameSync(path, `${path}.1`);
    }
    const file = createWriteStream(path, { flags: 'a' });
    child.stdout?.pipe(file, { end: false });
    child.stderr?.pipe(file, { end: false });
    child.once('close', () => file.end());
  }
}
