// `lifeline …` as processes of its own, from source or from emitted JavaScript, ended by their ids.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

export interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const KEPT = 64 * 1024;

/** One installation of the program, started in one folder. */
export class ProgramRun implements AsyncDisposable {
  readonly #entry: string;
  readonly #cwd: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #running = new Map<string, ChildProcess>();
  readonly #said = new Map<string, string>();
  readonly #printed = new Map<string, string>();

  /** `entry` is cli/main.ts or dist/cli/main.js. */
  constructor(entry: string, cwd: string, env: Readonly<Record<string, string>> = {}) {
    this.#entry = entry;
    this.#cwd = cwd;
    const { LIFELINE_URL, LIFELINE_TOKEN, LIFELINE_SECRETS, ...inherited } = process.env;
    this.#env = { ...inherited, LANG: 'C', LC_ALL: '', LC_MESSAGES: '', ...env };
  }

  /** To its end. */
  run(words: readonly string[]): Answer {
    const options = { cwd: this.#cwd, env: this.#env, encoding: 'utf8' } as const;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [this.#entry, ...words],
      options,
    );
    return { status, stdout, stderr };
  }

  /** Goes on under a name; resolves when it said `ready` on stderr. Rejects when it ends before. */
  async start(name: string, words: readonly string[], ready: string): Promise<void> {
    const child = spawn(process.execPath, [this.#entry, ...words], {
      ...{ cwd: this.#cwd, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] },
    });
    this.#running.set(name, child);
    child.stdout.on('data', (chunk) => {
      this.#printed.set(name, `${this.printed(name)}${chunk}`.slice(-KEPT));
    });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stderr.on('data', (chunk) => {
        said = `${said}${chunk}`.slice(-KEPT);
        this.#said.set(name, said);
        if (said.includes(ready)) resolve();
      });
      child.once('exit', (code, signal) =>
        reject(new Error(`${name}: ${code ?? signal}\n${said}`)),
      );
    });
  }

  /** The last of what it wrote to stdout. */
  printed(name: string): string {
    return this.#printed.get(name) ?? '';
  }

  /** The last of what it wrote to stderr. */
  said(name: string): string {
    return this.#said.get(name) ?? '';
  }

  /** Returns its exit code; null when a signal ended it. */
  async end(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#running.get(name);
    this.#running.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) {
      return child?.exitCode ?? null;
    }
    child.kill(signal);
    await once(child, 'exit');
    return child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#running.keys()].reverse()) await this.end(name);
  }
}

/** Waits until somebody listens there. */
export async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export interface SeriesNow {
  /** `gateway/device/point` */
  readonly point: string;
  readonly current: { readonly v: unknown; readonly q: string } | null;
}

export interface AccountNow {
  readonly taken: number;
  readonly stored: number;
  readonly unchanged: number;
  readonly missed: number;
  readonly given_up: number;
}

/** What a cloud's API answers, with the token in a file. */
export async function ask<T>(apiPort: number, tokenFile: string, path: string): Promise<T> {
  const answer = await fetch(`http://127.0.0.1:${apiPort}${path}`, {
    headers: { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` },
  });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** The current values a cloud's API tells, with the token in a file. */
export async function seriesOf(apiPort: number, tokenFile: string): Promise<SeriesNow[]> {
  return (await ask<{ items: SeriesNow[] }>(apiPort, tokenFile, '/v1/series')).items;
}
