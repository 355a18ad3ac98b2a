// Every pair of a client and a server of which one is ours, and what becomes of it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Over } from './exchanges.ts';
import { exchanges } from './exchanges.ts';
import { modbusSerialPeer } from './modbus-serial-peer.ts';
import { askWithOurs, serveOurs } from './ours.ts';
import type { Client, Peer, Place, Served } from './peers.ts';
import { cable, libmodbus, mbpoll, pymodbus } from './peers.ts';

export const OUR_CLIENT = 'our driver';
export const OUR_SERVER = 'our simulator';
/** Nothing takes a second on an idle machine. */
const PAIR_MS_MAX = 30_000;

/** A foreign program as the table knows it, installed or not. */
interface Known {
  readonly name: string;
  readonly asksOver: readonly Over[];
  readonly servesOver: readonly Over[];
  readonly find: () => Peer | null;
}

const everywhere = ['tcp', 'rtu', 'ascii'] as const;
const known: readonly Known[] = [
  {
    name: 'modbus-serial',
    asksOver: everywhere,
    servesOver: ['tcp', 'rtu'],
    find: () => modbusSerialPeer,
  },
  { name: 'libmodbus', asksOver: ['tcp', 'rtu'], servesOver: ['tcp', 'rtu'], find: libmodbus },
  { name: 'pymodbus', asksOver: everywhere, servesOver: everywhere, find: pymodbus },
  { name: 'mbpoll', asksOver: ['tcp', 'rtu'], servesOver: [], find: mbpoll },
];

export interface Pair {
  readonly client: string;
  readonly server: string;
  readonly over: Over;
}

export const pairs: readonly Pair[] = [
  ...known.flatMap(({ name, servesOver }) =>
    servesOver.map((over): Pair => ({ client: OUR_CLIENT, server: name, over })),
  ),
  ...everywhere.map((over): Pair => ({ client: OUR_CLIENT, server: OUR_SERVER, over })),
  ...known.flatMap(({ name, asksOver }) =>
    asksOver.map((over): Pair => ({ client: name, server: OUR_SERVER, over })),
  ),
];

export interface Outcome extends Pair {
  readonly result: 'agrees' | 'differs' | 'not run';
  /** Functions whose answers were compared. */
  readonly functions: readonly number[];
  /** Functions at their largest quantity. */
  readonly limits: readonly number[];
  readonly exceptions: readonly number[];
  readonly values: number;
  readonly notes: readonly string[];
  readonly differences: readonly string[];
}

/** Where a foreign program is known to do otherwise than the standard, or not at all. */
interface Peculiarity {
  readonly name: string;
  readonly as: 'client' | 'server';
  readonly over: readonly Over[];
  /** Requests that begin so. */
  readonly requests: readonly string[];
  readonly answer: string;
  readonly note: string;
}

const IN_VAIN = 'error Timed out';
const peculiarities: readonly Peculiarity[] = [
  {
    name: 'modbus-serial',
    as: 'server',
    over: ['tcp', 'rtu'],
    requests: ['3 0 0'],
    answer: 'exception 2',
    note: 'a read of no registers is refused with exception 2',
  },
  {
    name: 'modbus-serial',
    as: 'client',
    over: ['rtu'],
    requests: ['22 ', '23 ', '3 0 0'],
    answer: IN_VAIN,
    note: 'the client knows no length of answers to 22, 23 and reads of nothing, and waits in vain',
  },
  {
    name: 'modbus-serial',
    as: 'client',
    over: ['ascii'],
    requests: ['22 ', '23 ', '43 '],
    answer: IN_VAIN,
    note: 'the client knows no length of answers to 22, 23, 43, and waits in vain',
  },
  {
    name: 'libmodbus',
    as: 'server',
    over: ['rtu'],
    requests: ['43 '],
    answer: 'error device_timeout',
    note: 'the server has no function 43 and does not answer it',
  },
];

function peculiarityOf(pair: Pair, request: string, answer: string): Peculiarity | undefined {
  return peculiarities.find(
    ({ name, as, over, requests, answer: own }) =>
      pair[as] === name &&
      over.includes(pair.over) &&
      own === answer &&
      requests.some((begin) => request.startsWith(begin)),
  );
}

/** Pairs of which one waits for what will not come: too slow for the suite. */
export function waitsInVain(pair: Pair): boolean {
  return peculiarities.some(
    ({ name, as, over, answer }) =>
      pair[as] === name && over.includes(pair.over) && answer.startsWith('error'),
  );
}

const found = new Map<string, Peer | null>();

export function peerNamed(name: string): Peer | null {
  const at = found.get(name);
  if (at !== undefined) return at;
  const peer = known.find((each) => each.name === name)?.find() ?? null;
  found.set(name, peer);
  return peer;
}

export const isOurs = (name: string) => name === OUR_CLIENT || name === OUR_SERVER;

/** The foreign programs that are there, with their versions. */
export function peersFound(): readonly Peer[] {
  return known.flatMap(({ name }) => peerNamed(name) ?? []);
}

export async function runPair(pair: Pair): Promise<Outcome> {
  const missing = [pair.client, pair.server].find((name) => !isOurs(name) && !peerNamed(name));
  if (missing) return notRun(pair, `${missing} is not installed`);
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-interop-'));
  try {
    return await within(
      pair,
      overPlace(pair, folder, (client) => converse(pair, client)),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function notRun(pair: Pair, why: string): Outcome {
  const nothing = { functions: [], limits: [], exceptions: [], values: 0, differences: [] };
  return { ...pair, ...nothing, result: 'not run', notes: [why] };
}

async function within(pair: Pair, run: Promise<Outcome>): Promise<Outcome> {
  const timeout = new AbortController();
  const late = sleep(PAIR_MS_MAX, undefined, { signal: timeout.signal }).then(
    () => differing(pair, `no end within ${PAIR_MS_MAX / 1_000} s`),
    () => differing(pair, 'stopped'),
  );
  try {
    return await Promise.race([run, late]);
  } finally {
    timeout.abort();
  }
}

function differing(pair: Pair, why: string): Outcome {
  return { ...notRun(pair, ''), notes: [], result: 'differs', differences: [why] };
}

/** Opens server, way and client, and closes them again. */
async function overPlace(
  { client, server, over }: Pair,
  folder: string,
  act: (client: Client) => Promise<Outcome>,
): Promise<Outcome> {
  const pair = { client, server, over };
  // Our simulator makes its own pseudo-terminal, as `lifeline sim line --pty` does.
  const needsCable = over !== 'tcp' && !isOurs(server);
  const wire = needsCable ? await cable(folder) : null;
  if (needsCable && !wire) return notRun(pair, 'socat is not installed');
  const [near, far] = wire?.ends ?? [join(folder, 'tty'), join(folder, 'tty')];
  let served: Served | null = null;
  let asking: Client | null = null;
  try {
    served = await (isOurs(server) ? serveOurs(over, far) : peerNamed(server)!.serve(over, far));
    const place: Place = over === 'tcp' ? { over, port: served.port! } : { over, path: near };
    asking = await (isOurs(client) ? askWithOurs(place) : peerNamed(client)!.ask(place));
    return await act(asking);
  } finally {
    await asking?.close();
    await served?.end();
    await wire?.cut();
  }
}

async function converse(pair: Pair, client: Client): Promise<Outcome> {
  const functions = new Set<number>();
  const limits = new Set<number>();
  const exceptions = new Set<number>();
  const notes: string[] = [];
  const unknown: number[] = [];
  const differences: string[] = [];
  let values = 0;
  for (const { request, expected, shows, after } of exchanges) {
    const [code = 0] = request;
    // What could not be written is not there to be read back.
    if (after !== undefined && !(shows ? limits : functions).has(after)) continue;
    const answer = await client.ask(request);
    if (answer === 'none' || answer === 'refused') continue;
    if (answer === 'exception 1' && !isOurs(pair.server)) {
      unknown.push(code);
      continue;
    }
    const peculiarity = peculiarityOf(pair, request.join(' '), answer);
    if (peculiarity) {
      notes.push(peculiarity.note);
      continue;
    }
    if (answer !== expected) {
      differences.push(
        `${request.slice(0, 8).join(' ')}: ${shortened(answer)}, not ${shortened(expected)}`,
      );
      continue;
    }
    if (shows === 'exception') exceptions.add(Number(expected.split(' ')[1]));
    else functions.add(code);
    if (shows === 'limit') limits.add(code);
    values += expected.split(' ').length - 1;
  }
  if (unknown.length > 0) {
    notes.unshift(`the server has no function ${[...new Set(unknown)].join(' or ')}`);
  }
  const result = differences.length === 0 && functions.size > 0 ? 'agrees' : 'differs';
  const list = (set: ReadonlySet<number>) => [...set].sort((a, b) => a - b);
  return {
    ...pair,
    result,
    functions: list(functions),
    limits: list(limits),
    exceptions: list(exceptions),
    values,
    notes: [...new Set(notes)],
    differences,
  };
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
