// How things stand in the lines of a list.

export { levelNumerals as levels } from '../core/alarm/rule.ts';

/** The text in so many columns of a terminal; Chinese signs take two. */
export function pad(text: string, width: number): string {
  const taken = [...text].reduce((sum, sign) => sum + (sign > '\u2e7f' ? 2 : 1), 0);
  return text + ' '.repeat(Math.max(0, width - taken));
}
