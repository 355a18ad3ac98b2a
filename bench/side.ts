// The sides of a bench: each a process of its own, so that what it used can be told from the
// others. Both ends of the talk are here: `Side` for the bench that starts one, `serve` for the
// process.
//
// A side reports its own CPU: user and system time of the process, all its threads together
// (getrusage, RUSAGE_SELF). What the kernel does for it in softirqs is nobody's.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Usage {
  readonly wallMs: number;
  readonly cpuUs: number;
  /** Of /proc/self/smaps_rollup: `Anonymous` and `Rss`; 0 where there is none. */
  readonly anonymousBytes: number;
  readonly residentBytes: number;
}

export interface Spent {
  readonly wallS: number;
  readonly cpuS: number;
}

export function spent(before: Usage, after: Usage): Spent {
  return {
    wallS: (after.wallMs - before.wallMs) / 1_000,
    cpuS: (after.cpuUs - before.cpuUs) / 1_000_000,
  };
}

interface Question {
  readonly id: number;
  readonly what: string;
  readonly values: unknown;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** A side that says nothing for this long is broken. */
const ANSWER_MS = 120_000;
const END_GRACE_MS = 30_000;

export interface SideOptions {
  /** Where a CPU profile of each thread is written; null for none. */
  readonly profile: string | null;
  readonly execArgv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Folder of the bench, of this source or of what was emitted from it. */
  readonly folder?: string;
}

export class Side {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #ended: Promise<unknown>;
  #nextId = 1;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.#ended = once(child, 'exit');
    child.on('message', ({ id, value, error }: Answer) => {
      if (error === undefined) this.#waiting.get(id)?.resolve(value);
      else this.#waiting.get(id)?.reject(new Error(`${name}: ${error}`));
      this.#waiting.delete(id);
    });
    child.on('exit', (code, signal) => {
      const why = new Error(`${name} ended with ${signal ?? code}`);
      for (const { reject } of this.#waiting.values()) reject(why);
      this.#waiting.clear();
    });
  }

  /** Starts `sides/<name>.ts` with its settings; resolves when it is ready. */
  static async start(name: string, settings: unknown, options: SideOptions): Promise<Side> {
    const { profile, execArgv = [], environment = {}, folder = import.meta.dirname } = options;
    const ending = folder === import.meta.dirname ? 'ts' : 'js';
    const profiling = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}/${name}`] : [];
    const child = fork(join(folder, `sides/${name}.${ending}`), {
      execArgv: [...execArgv, ...profiling],
      env: { ...process.env, ...environment },
      serialization: 'advanced',
      // What it prints is for a person; stdout is for figures.
      stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    });
    const side = new Side(name, child);
    await side.ask('start', settings);
    return side;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async ask<T>(what: string, values: unknown = null): Promise<T> {
    const id = this.#nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#child.send({ id, what, values } satisfies Question);
    const late = setTimeout(() => {
      answer.reject(new Error(`${this.name} did not answer ${what} in ${ANSWER_MS} ms`));
    }, ANSWER_MS);
    try {
      return (await answer.promise) as T;
    } finally {
      clearTimeout(late);
    }
  }

  usage(): Promise<Usage> {
    return this.ask('usage');
  }

  /** Ends it in order; by force when that takes too long. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const force = setTimeout(() => this.#child.kill('SIGKILL'), END_GRACE_MS);
    this.ask('end').catch(() => {}); // Its end is its answer.
    await this.#ended;
    clearTimeout(force);
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

export type Answerers = Readonly<Record<string, (values: never) => unknown>>;

/**
 * The process's end: `start` makes the side out of its settings and returns what it answers. `end`,
 * where it has one, closes it.
 */
export function serve<Settings>(start: (settings: Settings) => Promise<Answerers>): void {
  let answerers: Answerers = {};
  const own: Record<string, (values: never) => unknown> = {
    start: async (settings: Settings) => {
      answerers = await start(settings);
      return null;
    },
    usage: ownUsage,
  };
  process.on('SIGINT', () => {}); // Whoever started it ends it.
  process.on('disconnect', () => process.exit(1));
  process.on('message', async ({ id, what, values }: Question) => {
    try {
      const answerer = own[what] ?? answerers[what];
      if (!answerer && what !== 'end') throw new Error(`nothing answers ${what}`);
      const value = await answerer?.(values as never);
      process.send?.({ id, value } satisfies Answer, () => {
        if (what === 'end') process.exit(0);
      });
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.send?.({ id, error: text } satisfies Answer);
    }
  });
}

// Looking at a large memory takes milliseconds: they are what the bench used, not the side.
let lookingUs = 0;

function ownUsage(): Usage {
  const wallMs = performance.now();
  const usedUs = cpuUs();
  const memory = { anonymousBytes: rollup('Anonymous'), residentBytes: rollup('Rss') };
  const used = { wallMs, cpuUs: usedUs - lookingUs, ...memory };
  lookingUs += cpuUs() - usedUs;
  return used;
}

function cpuUs(): number {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return userCPUTime + systemCPUTime;
}

function rollup(name: string): number {
  try {
    const text = readFileSync('/proc/self/smaps_rollup', 'utf8');
    return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  } catch {
    return 0; // No Linux.
  }
}
