// A process that does nothing but wait 10 ms again and again: how late it wakes is how late the
// machine lets anybody be.
import { quantile } from '../figure.ts';
import { serve } from '../side.ts';

const BEAT_MS = 10;

serve(async () => {
  let lateMs: number[] = [];
  let dueMs = performance.now() + BEAT_MS;
  const beat = () => {
    const nowMs = performance.now();
    lateMs.push(Math.max(0, nowMs - dueMs));
    dueMs = nowMs + BEAT_MS;
    setTimeout(beat, BEAT_MS);
  };
  setTimeout(beat, BEAT_MS);
  return {
    /** p99.9 of how late the beats were since it was last asked. */
    lateMs: () => {
      const value = quantile(lateMs, 0.999);
      lateMs = [];
      return value;
    },
  };
});
