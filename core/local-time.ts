/** Date and time so many milliseconds east of UTC: `2026-11-22T12:00:00`. */
export function localIso(ms: number, utcOffsetMs: number): string {
  return new Date(ms + utcOffsetMs).toISOString().slice(0, 19);
}

/** `+08:00`; minutes are whole. */
export function zoneOf(utcOffsetMs: number): string {
  const minutes = Math.abs(Math.round(utcOffsetMs / 60_000));
  const two = (value: number) => String(value).padStart(2, '0');
  return `${utcOffsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** As the clock at the place shows it, with its offset: 2026-11-22 12:00:02 +08:00. */
export function localTime(ms: number, utcOffsetMs: number): string {
  return `${localIso(ms, utcOffsetMs).replace('T', ' ')} ${zoneOf(utcOffsetMs)}`;
}
