// The edge as far as commands go, in a process of its own: gateway file, links, driver, collector,
// sealer, and the door with its ledger on disk, in its thread, as the agent has them; what is sealed
// goes nowhere. Notes when each command passes what it passes.
//
// The polls are due far more often than the line can carry, which no gateway file may ask for (the
// check refuses it): the periods are shortened after it was read.
import { mkdirSync } from 'node:fs';
import { systemClock } from '../../core/clock.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { parseProfile } from '../../device-profiles/profile.ts';
import { ClockWatch } from '../../edge/clock-watch.ts';
import { Collector } from '../../edge/collect/loop.ts';
import { Commands } from '../../edge/commands/commands.ts';
import type { CommandedDevice } from '../../edge/commands/deed.ts';
import { parseGateway } from '../../edge/config/gateway.ts';
import { Links } from '../../edge/links/links.ts';
import { Sealer } from '../../edge/seal.ts';
import type { Link } from '../../protocols/driver.ts';
import type { Reply } from '../../protocols/uplink/control.ts';
import { decodeReply, encodeCommand } from '../../protocols/uplink/control.ts';
import { sleep } from '../bench.ts';
import { PROFILE, profileText } from '../gateway-file.ts';
import { noteLog } from '../note-log.ts';
import { serve } from '../side.ts';

export interface CommandEdgeSettings {
  /** As a gateway file has it, without `protocol`. */
  readonly link: Readonly<Record<string, unknown>>;
  readonly units: number;
  readonly registers: number;
  readonly periodMs: number;
  /** Of the outbox, where the ledger is, too. */
  readonly folder: string;
}

/** One command, in milliseconds since its message came. */
export interface Passed {
  /** The door has decided and recorded that it was begun. */
  readonly decidedMs: number;
  readonly firstByteMs: number;
  /** Requests that went before it all the same, after it was decided. */
  readonly before: number;
  readonly answeredMs: number;
  /** The outcome is on disk, after the point was read back. */
  readonly toldMs: number;
}

const EPOCH = '1-0123456789abcdef';
const POINT = 'r0';
const READ_HOLDING = 3;
const WRITE_SINGLE = 6;
const WAIT_MS_MAX = 30_000;

interface Sent {
  readonly isPoll: boolean;
  readonly atMs: number;
  answeredMs: number;
}

/** What goes over a link: when the last write left, and how long each poll took. */
class Wire {
  readonly #codeAt: number;
  readonly #registers: number;
  #sent: Sent | null = null;
  writeMs = Number.NaN;
  /** Since the start; and when the last write left. */
  sent = 0;
  sentAtWrite = 0;
  readonly pollsMs: number[] = [];

  /** `codeAt`: place of the function code in a frame; a read of `registers` is a poll. */
  constructor(codeAt: number, registers: number) {
    this.#codeAt = codeAt;
    this.#registers = registers;
  }

  over(link: Link): Link {
    const { pace, answerMs } = link;
    const noted: Link = {
      ...(pace && { pace }),
      ...(answerMs !== undefined && { answerMs }),
      send: (bytes) => {
        this.#sends(bytes);
        link.send(bytes);
      },
      close: () => link.close(),
      onBytes: () => {},
      onClose: () => {},
    };
    link.onBytes = (bytes) => {
      if (this.#sent) this.#sent.answeredMs = performance.now();
      noted.onBytes(bytes);
    };
    link.onClose = (why) => noted.onClose(why);
    return noted;
  }

  /** The one before is over, and what came for it came. */
  #sends(frame: Uint8Array): void {
    const atMs = performance.now();
    const before = this.#sent;
    if (before?.isPoll) this.pollsMs.push(before.answeredMs - before.atMs);
    const code = frame[this.#codeAt]!;
    if (code === WRITE_SINGLE) {
      this.writeMs = atMs;
      this.sentAtWrite = this.sent;
    }
    this.sent++;
    const count = (frame[this.#codeAt + 3]! << 8) | frame[this.#codeAt + 4]!;
    const isPoll = code === READ_HOLDING && count === this.#registers;
    this.#sent = { isPoll, atMs, answeredMs: Number.NaN };
  }
}

function configOf({ link, units, registers, periodMs, folder }: CommandEdgeSettings) {
  const bare = JSON.parse(profileText({ registers, limit: null }));
  bare.points[POINT].write = {};
  const profileOf = JSON.stringify(bare);
  const profile = parseProfile(profileOf, PROFILE);
  const text = JSON.stringify({
    version: 1,
    gateway: { id: 'gw-bench', area: 'bench', name: { en: 'Bench', zh: '测试台' } },
    cloud: { url: 'mqtt://127.0.0.1:1883', credentials: '${env:NONE}' },
    outbox: { folder },
    links: { bus: { protocol: 'modbus', ...link } },
    devices: Array.from({ length: units }, (_, at) => ({
      ...{ id: `device-${at + 1}`, link: 'bus', unit: at + 1, profile: `${PROFILE}@1` },
      ...{ poll: '60s', commands: { allow: ['*'] } },
    })),
  });
  const profiles = { ids: [PROFILE], load: () => profile, text: () => profileOf };
  const config = parseGateway(text, 'bench-gateway.yaml', profiles);
  const devices = config.devices.map((device) => ({
    ...device,
    groups: device.groups.map((group) => ({ ...group, periodMs })),
  }));
  return { ...config, devices };
}

/** Counts what is appended and throws it away. */
function outboxOf(openedMonoMs: number) {
  const words = new Map<string, string>();
  return {
    ...{ epoch: EPOCH, openedMonoMs, accepts: true, parts: [] },
    word: (name: string) => words.get(name),
    setWord: (name: string, value: string) => void words.set(name, value),
    append: () => {},
  };
}

serve(async (settings: CommandEdgeSettings) => {
  mkdirSync(settings.folder, { recursive: true });
  const config = configOf(settings);
  const log = noteLog('command-edge');
  const metrics = new Metrics();
  const wire = new Wire(settings.link['kind'] === 'tcp' ? 7 : 1, settings.registers);
  const links = new Links(systemClock, log, metrics, config.links);
  const outbox = outboxOf(systemClock.monoMs());
  const watch = new ClockWatch(systemClock, outbox.openedMonoMs, () => null);
  const sealer = new Sealer(systemClock, outbox, watch, {
    ...{ points: config.points, onRecord: () => {} },
  });
  const now = { decidedMs: Number.NaN, answeredMs: Number.NaN, sent: 0 };
  const noted = (device: CommandedDevice): CommandedDevice => ({
    write: async (...order) => {
      now.decidedMs = performance.now();
      now.sent = wire.sent;
      const written = await device.write(...order);
      now.answeredMs = performance.now();
      return written;
    },
    look: (...asked) => device.look(...asked),
  });
  const waiting = new Map<string, (reply: Reply) => void>();
  const commands = new Commands(systemClock, systemRandom, log, metrics, {
    ...{ config, outbox, times: sealer.times },
    device: (id) => {
      const loop = collector.loopOf(id);
      return loop && noted(loop);
    },
    isReached: (id) => collector.loopOf(id)?.isReached ?? false,
    reply: (payload) => {
      const reply = decodeReply(payload);
      waiting.get(reply.id)?.(reply);
    },
    heardMonoMs: () => null,
  });
  const collector = new Collector(systemClock, systemRandom, log, metrics, {
    links: config.links.map((link) => ({
      ...link,
      open: async (signal) => wire.over(await links.open(link, signal)),
    })),
    ...{ devices: config.devices, sink: sealer, onlooker: commands.onlooker, reportAll: true },
  });
  await commands.start();
  collector.start();

  async function command(id: string, device: string, value: number): Promise<Passed> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    waiting.set(id, resolve);
    wire.writeMs = Number.NaN;
    const payload = encodeCommand({
      ...{ id, issuer: 'bench', epoch: EPOCH, sequence: sealer.times.last },
      ...{ timeToLiveMs: WAIT_MS_MAX, device, point: POINT, command: 'set', value },
      ...{ second: '', why: 'bench' },
    });
    const cameMs = performance.now();
    commands.take(payload);
    const { outcome, reason, detail } = await promise;
    waiting.delete(id);
    if (outcome !== 'done') throw new Error(`${id}: ${outcome} ${reason} ${detail}`);
    return {
      decidedMs: now.decidedMs - cameMs,
      firstByteMs: wire.writeMs - cameMs,
      before: wire.sentAtWrite - now.sent,
      answeredMs: now.answeredMs - cameMs,
      toldMs: performance.now() - cameMs,
    };
  }

  return {
    /** One after the other, each `apartMs` on average after the one before, at random. */
    command: async ({ count, apartMs }: { count: number; apartMs: number }) => {
      const passed: Passed[] = [];
      for (let at = 0; at < count; at++) {
        await sleep(2 * apartMs * Math.random());
        const device = `device-${1 + Math.floor(settings.units * Math.random())}`;
        passed.push(await command(crypto.randomUUID(), device, at % 6_000));
      }
      return passed;
    },
    /** Since the last call, from the first byte of the request to the last of the answer. */
    pollsMs: () => wire.pollsMs.splice(0),
    link: () => collector.links()[0],
    end: async () => {
      await commands.close(1_000);
      await collector.stop(2_000);
    },
  };
});
