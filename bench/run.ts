// `npm run bench -- SET [BENCH…] [--quick] [--profile FOLDER] [--recording FILE.csv]`: runs the
// benches of a set one after another and prints one JSON line a figure on stdout.
import { parseArgs } from 'node:util';
import { alarmLatency, deliveryLatency } from './alarm-latency.ts';
import { alarmRules, alarmStorm } from './alarms.ts';
import type { Bench } from './bench.ts';
import { Bed } from './bench.ts';
import { cloudThroughput } from './cloud-throughput.ts';
import { commandLatency } from './command-latency.ts';
import { deliveryFlood, deliveryRestart } from './delivery.ts';
import { edgeMemory } from './edge-memory.ts';
import { edgeStart } from './edge-start.ts';
import { edgeSteady } from './edge-steady.ts';
import { edgeThroughput } from './edge-throughput.ts';
import { fairBus } from './fair-bus.ts';
import { modbusRequest } from './modbus-request.ts';
import { opcuaReconnect, opcuaThroughput } from './opcua.ts';
import { payload } from './payload.ts';
import { pollJitter } from './poll-jitter.ts';
import { rtuLine } from './rtu-line.ts';
import { scatteredMaps } from './scattered-maps.ts';

const sets: Readonly<Record<string, readonly Bench[]>> = {
  path: [
    payload,
    modbusRequest,
    edgeThroughput,
    edgeSteady,
    edgeStart,
    edgeMemory,
    pollJitter,
    cloudThroughput,
    alarmLatency,
  ],
  alarms: [alarmRules, alarmStorm],
  delivery: [deliveryLatency, deliveryFlood, deliveryRestart],
  opcua: [opcuaThroughput, opcuaReconnect, commandLatency],
  modbus: [rtuLine, modbusRequest, scatteredMaps, fairBus],
};

const usage = () => {
  const lines = Object.entries(sets).flatMap(([set, benches]) => [
    set,
    ...benches.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`),
  ]);
  const command = 'npm run bench -- SET [BENCH…] [--quick] [--profile FOLDER] [--recording FILE]';
  return `${command}\n${lines.join('\n')}\n`;
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      profile: { type: 'string' },
      recording: { type: 'string', multiple: true, default: [] },
    },
  });
  const [set = '', ...names] = positionals;
  const all = sets[set];
  const unknown = names.filter((name) => !all?.some((bench) => bench.name === name));
  if (!all || unknown.length > 0) {
    process.stderr.write(usage());
    return 2;
  }
  const { quick: isQuick, profile = null, recording: recordings } = values;
  const isNamed = names.length > 0;
  let failures = 0;
  for (const bench of all) {
    if (isNamed && !names.includes(bench.name)) continue;
    try {
      await using bed = new Bed(bench.name, { isQuick, isNamed, profile, recordings });
      await bench.run(bed);
    } catch (error) {
      failures++;
      process.stderr.write(`${bench.name}: ${error instanceof Error ? error.stack : error}\n`);
    }
  }
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main();
