// The broker's thread: nothing but the server and its messages to and from broker.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.ts';
import { assert, isFault } from '../../core/fault.ts';
import type { FromBroker, ToBroker } from './broker.ts';
import { MqttServer, type Refused, type ServerOptions } from './mqtt-server.ts';

/** Refusals told one by one; more in a second are only counted. */
export const REFUSALS_TOLD_MAX = 50;
/** Of a refused payload, for the dead letter. */
const PAYLOAD_TOLD_BYTES = 4_096;

const port = parentPort;
assert(port, 'worker.ts runs as a thread');
const tell = (message: FromBroker) => port.postMessage(message);

let told = 0;
let secondMs = 0;
const options = workerData as ServerOptions;
const server = new MqttServer(systemClock, options, (refused: Refused) => {
  const nowMs = systemClock.monoMs();
  if (nowMs - secondMs >= 1_000) {
    secondMs = nowMs;
    told = 0;
  }
  if (told++ >= REFUSALS_TOLD_MAX) return;
  const payload = Uint8Array.from(refused.payload.subarray(0, PAYLOAD_TOLD_BYTES));
  tell({ kind: 'refused', refused: { ...refused, payload } });
});

port.on('message', (message: ToBroker) => {
  if (message.kind === 'credentials') server.setCredentials(message.list);
  else if (message.kind === 'stats') tell({ kind: 'stats', stats: server.stats() });
  else {
    server.close().then(
      () => port.close(),
      () => port.close(),
    );
  }
});

server.listen(options.host, options.port).then(
  (bound) => tell({ kind: 'listening', port: bound }),
  (error: unknown) => {
    if (!isFault(error)) throw error;
    tell({ kind: 'failed', code: error.code, detail: error.detail });
    // Its timers would keep the thread, and with it the process, alive.
    void server.close();
    port.close();
  },
);
