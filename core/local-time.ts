/** As the clock at the place shows it, with its offset: 2026-11-22 12:00:02 +08:00. */
export function localTime(ms: number, utcOffsetMs: number): string {
  const shifted = new Date(ms + utcOffsetMs).toISOString();
  const minutes = Math.abs(Math.round(utcOffsetMs / 60_000));
  const two = (value: number) => String(value).padStart(2, '0');
  const zone = `${utcOffsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)} ${zone}`;
}
