// What a gateway file allows to be commanded, in words: for whoever checks the file before it runs.
import type { Interlock } from '../../core/command.ts';
import { durationText } from '../../core/duration.ts';
import type { Language } from '../../core/text/text.ts';
import { say } from '../../core/text/text.ts';
import { unitSymbol } from '../../core/units.ts';
import { offerText } from '../../device-profiles/described.ts';
import type { GatewayConfig } from './gateway.ts';

/** A line for each command that may be given, and below it what refuses it; none for none. */
export function commandLines(
  { devices, interlocks, points }: Pick<GatewayConfig, 'devices' | 'interlocks' | 'points'>,
  language: Language,
): string[] {
  const units = new Map(points.map(({ device, point, unit }) => [`${device}/${point}`, unit]));
  const lines = devices.flatMap(({ id: device, groups }) =>
    groups.flatMap((group) =>
      group.points.flatMap(({ definition, profile }) => {
        const { commands = [], point } = definition;
        return commands.flatMap((offer) => {
          const said = offerText(offer, { states: profile.states, definition }, language);
          const guards = interlocks
            .filter((lock) => lock.device === device && lock.point === point)
            .filter((lock) => !lock.commands || lock.commands.includes(offer.id))
            .map((lock) => guardText(lock, units.get(lock.watch) ?? '1', language));
          const values = { device, point, command: offer.id, offer: said };
          return [
            `  ${say(language, 'check-command', values)}`,
            ...(guards.length ? guards : [say(language, 'check-unguarded')]).map(
              (text) => `      ${text}`,
            ),
          ];
        });
      }),
    ),
  );
  return lines.length ? [say(language, 'check-commands'), ...lines] : [];
}

function guardText(
  { id, watch, holds, staleMs, values }: Interlock,
  unit: string,
  language: Language,
) {
  const list = (each: readonly unknown[]) => each.join(language === 'zh' ? '、' : ', ');
  const guard = say(language, 'check-guarded', {
    watch,
    condition: conditionText(holds, unitSymbol(unit, language), language),
    stale: durationText(staleMs),
    id,
  });
  return values ? say(language, 'check-guarded-values', { values: list(values), guard }) : guard;
}

function conditionText(holds: Interlock['holds'], symbol: string, language: Language): string {
  if (holds.kind === 'is') {
    return say(language, 'holds-is', {
      states: holds.states.join(language === 'zh' ? '、' : ', '),
    });
  }
  const values = { limit: `${holds.limit} ${symbol}`.trim() };
  return holds.kind === 'above'
    ? say(language, 'holds-above', values)
    : say(language, 'holds-below', values);
}
