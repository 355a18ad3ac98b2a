// The cloud as its command runs it, in a process that says what it used.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { runCloud } from '../../cloud/cloud.ts';
import type { CloudConfig } from '../../cloud/config.ts';
import { systemClock } from '../../core/clock.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { noteLog } from '../note-log.ts';
import { serve } from '../side.ts';

serve(async (config: CloudConfig) => {
  const metrics = new Metrics();
  const log = noteLog('cloud');
  const options = { config, version: '0.0.0' };
  const cloud = await runCloud(systemClock, systemRandom, log, metrics, options);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  return {
    apiPort: () => cloud.apiPort,
    /** The metric of this name without labels; 0 before it exists. */
    metric: (name: string) => {
      const line = new RegExp(`^${name} (.*)$`, 'm').exec(metrics.render());
      return Number(line?.[1] ?? 0);
    },
    /** The longest the main thread was not free for anybody else, since the last call. */
    blockedMs: () => {
      const longestMs = delay.max / 1_000_000;
      delay.enable(); // From the first call on: watching wakes it 200 times a second.
      delay.reset();
      return longestMs;
    },
    end: () => cloud.close(0),
  };
});
