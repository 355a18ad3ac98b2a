// A simulated OPC UA server in a process of its own, for what happens to processes: killed and
// started again, stopped by a signal. Also keeps the library, 200 MB of it, out of who starts it.
//
// Both ends are here: `OpcUaProcess` for who starts one, and the process itself, which runs this
// file. It ends when whoever started it is gone.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Fault } from '../core/fault.ts';
import type { FaultCode } from '../core/text/text.ts';
import type { Freeze, OpcUaServerOptions, SimulatedOpcUa } from './opcua-server.ts';
import { openOpcUaServer } from './opcua-server.ts';
import type { OpcUaCall, OpcUaOrder, OpcUaSet, OpcUaType, OpcUaValue } from './opcua-space.ts';

interface Facts {
  readonly endpoint: string;
  readonly port: number;
  readonly certificate: Uint8Array;
}

/** What the process does when asked, by name; all are answered. */
const acts = {
  set: (server: SimulatedOpcUa, path: string, value: OpcUaValue | null, how?: OpcUaSet) =>
    server.space.set(path, value, how),
  get: (server: SimulatedOpcUa, path: string) => server.space.get(path),
  retype: (server: SimulatedOpcUa, path: string, type: OpcUaType, value: OpcUaValue) =>
    server.space.retype(path, type, value),
  remove: (server: SimulatedOpcUa, path: string) => server.space.remove(path),
  raise: (server: SimulatedOpcUa, path: string, message: string, severity: number) =>
    server.space.raise(path, message, severity),
  alarm: (server: SimulatedOpcUa, path: string, isActive: boolean) =>
    server.space.alarm(path, isActive),
  calls: (server: SimulatedOpcUa): readonly OpcUaCall[] => server.space.calls,
  takeOrders: (server: SimulatedOpcUa): readonly OpcUaOrder[] => server.space.takeOrders(),
  served: (server: SimulatedOpcUa) => server.served,
  counts: (server: SimulatedOpcUa): Readonly<Record<string, number>> => server.counts,
  sessions: (server: SimulatedOpcUa) => server.sessions,
  freeze: (server: SimulatedOpcUa, how: Freeze) => server.freeze(how),
  thaw: (server: SimulatedOpcUa) => server.thaw(),
  cut: (server: SimulatedOpcUa) => server.cut(),
  drop: (server: SimulatedOpcUa, publishes: number) => {
    server.publishesToDrop = publishes;
  },
  limit: (server: SimulatedOpcUa, sessions: number) => {
    server.maxSessions = sessions;
  },
  shift: (server: SimulatedOpcUa, clockOffMs: number) => {
    server.clockOffMs = clockOffMs;
  },
  close: (server: SimulatedOpcUa) => server.close(),
} as const;
type Acts = typeof acts;
type Rest<Act> = Act extends (server: SimulatedOpcUa, ...rest: infer Given) => unknown
  ? Given
  : never;

interface Question {
  readonly id: number;
  readonly act: keyof Acts | 'open';
  readonly given: readonly unknown[];
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly code: FaultCode | null; readonly text: string };
}

export class OpcUaProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #facts: Facts | null = null;
  #nextId = 1;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'exit');
    child.on('message', ({ id, value, error }: Answer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new Fault(error.code ?? 'sim_opcua_failed', 'never', error.text));
      else waiting?.resolve(value);
    });
    child.on('exit', (code, signal) => {
      const why = new Fault('sim_opcua_failed', 'later', `${signal ?? code}`);
      for (const { reject } of this.#waiting.values()) reject(why);
      this.#waiting.clear();
    });
  }

  /** Rejects with Fault `sim_opcua_missing`, or `sim_opcua_failed` with what was wrong. */
  static async start(options: OpcUaServerOptions): Promise<OpcUaProcess> {
    const child = fork(fileURLToPath(import.meta.url), {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const started = new OpcUaProcess(child);
    try {
      started.#facts = (await started.#ask('open', [options])) as Facts;
      return started;
    } catch (error) {
      await started.kill();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get endpoint(): string {
    return this.#facts!.endpoint;
  }

  get port(): number {
    return this.#facts!.port;
  }

  /** DER. */
  get certificate(): Uint8Array {
    return this.#facts!.certificate;
  }

  /** Does one of `acts` there. */
  ask<Act extends keyof Acts>(
    act: Act,
    ...given: Rest<Acts[Act]>
  ): Promise<Awaited<ReturnType<Acts[Act]>>> {
    return this.#ask(act, given) as Promise<Awaited<ReturnType<Acts[Act]>>>;
  }

  /** The same without waiting for it; what goes wrong shows in the next question. */
  tell<Act extends keyof Acts>(act: Act, ...given: Rest<Acts[Act]>): void {
    this.#ask(act, given).catch(() => {}); // Its process is gone: whoever asks is told.
  }

  /** Everything in it stands still; its sockets stay open. */
  stop(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** In order: sessions are closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.resume();
    await this.ask('close').catch(() => {}); // It may end before its answer is read.
    this.#child.disconnect();
    await this.#ended;
  }

  #ask(act: Question['act'], given: readonly unknown[]): Promise<unknown> {
    const id = this.#nextId++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#child.send({ id, act, given } satisfies Question, (error) => {
      if (error) waiting.reject(new Fault('sim_opcua_failed', 'later', error.message, error));
    });
    return waiting.promise;
  }
}

function answerStarter(): void {
  let server: SimulatedOpcUa | null = null;
  process.on('SIGINT', () => {}); // Whoever started it ends it.
  process.on('disconnect', () => process.exit(0));
  process.on('message', async ({ id, act, given }: Question) => {
    const answer = (more: Omit<Answer, 'id'>) => process.send?.({ id, ...more });
    try {
      if (act === 'open') {
        server = await openOpcUaServer(given[0] as OpcUaServerOptions);
        const { endpoint, port, certificate } = server;
        answer({ value: { endpoint, port, certificate } satisfies Facts });
        return;
      }
      const run = acts[act] as (server: SimulatedOpcUa, ...given: readonly unknown[]) => unknown;
      answer({ value: await run(server!, ...given) });
    } catch (error) {
      const code = error instanceof Fault ? error.code : null;
      answer({ error: { code, text: error instanceof Error ? error.message : String(error) } });
    }
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) answerStarter();
