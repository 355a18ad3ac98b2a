// One attempt at a session, which goes on where the one before it was.
import type { Clock } from '../../core/clock.ts';
import type { OwnSession } from '../driver.ts';
import type { OpcuaAddress, OpcuaDevice } from './address.ts';
import { openConnection } from './connection.ts';
import { loadLibrary } from './library.ts';
import type { OpcuaPlace } from './place.ts';
import { OpcuaSession } from './session.ts';

/** Rejects with a fault; `before` is the session of this place that ended last. */
export async function connect(
  clock: Clock,
  place: OpcuaPlace,
  signal: AbortSignal,
  before?: OwnSession<OpcuaAddress, OpcuaDevice>,
): Promise<OpcuaSession> {
  const library = await loadLibrary();
  const kept = before instanceof OpcuaSession ? before.kept : null;
  const session = kept?.session ?? null;
  const connection = await openConnection(clock, library, place, session, signal);
  return new OpcuaSession(clock, connection, kept);
}
