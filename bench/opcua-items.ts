// The items of the OPC UA benches: so many nodes, each changing with its own period, between 100 ms
// and 1 s. Server, driver and bare client are told the same.

/** A share of the items and how often they change, are sampled and are polled. */
export const itemMix = [
  { share: 0.1, periodMs: 100 },
  { share: 0.2, periodMs: 200 },
  { share: 0.3, periodMs: 500 },
  { share: 0.4, periodMs: 1_000 },
] as const;
export const ITEMS = 10_000;
export const NAMESPACE = 'urn:lifeline:bench';
/** As a controller behind a server has them. */
export const POINTS_A_DEVICE = 100;
/** Of the subscription, on both sides. */
export const PUBLISHING_MS = 100;

export interface ItemGroup {
  readonly periodMs: number;
  /** Places of its items, [from, to). */
  readonly from: number;
  readonly to: number;
}

export function itemGroups(items: number): readonly ItemGroup[] {
  let from = 0;
  return itemMix.map(({ share, periodMs }) => {
    const group = { periodMs, from, to: from + Math.round(share * items) };
    from = group.to;
    return group;
  });
}

/** Changes a second of all items together. */
export function changesASecond(items: number): number {
  return itemGroups(items).reduce(
    (sum, { from, to, periodMs }) => sum + ((to - from) * 1_000) / periodMs,
    0,
  );
}

/** In the folder of the station, as a path from Objects. */
export function itemName(place: number): string {
  return `Item${place}`;
}
