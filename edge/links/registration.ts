// Who dialed in, by the registration packet that a terminal unit sends first.

/**
 * Whose packet `said` and `bytes` begin with; null when nobody's, `more` when it may become one.
 */
export function unitNamed<Each extends { readonly identity: Uint8Array }>(
  units: Iterable<Each>,
  said: Uint8Array,
  bytes: Uint8Array,
): Each | 'more' | null {
  let result: 'more' | null = null;
  const have = said.length + bytes.length;
  const byteAt = (at: number) => (at < said.length ? said[at] : bytes[at - said.length]);
  for (const unit of units) {
    const { identity } = unit;
    const length = Math.min(have, identity.length);
    if (!identity.subarray(0, length).every((byte, at) => byte === byteAt(at))) continue;
    if (length === identity.length) return unit;
    result = 'more';
  }
  return result;
}
