// How things stand in the lines of a list.

export const levels = { 1: 'I', 2: 'II', 3: 'III', 4: 'IV' } as const;

/** The text in so many columns of a terminal; Chinese signs take two. */
export function pad(text: string, width: number): string {
  const taken = [...text].reduce((sum, sign) => sum + (sign > '\u2e7f' ? 2 : 1), 0);
  return text + ' '.repeat(Math.max(0, width - taken));
}
