/** Maps and sets that forget the oldest entries. */

/** Removes the oldest entry if there are more than a limit, and returns its key. */
export const removeExcess = <K>(
  from: Map<K, unknown> | Set<K>, limit: number,
): K | undefined => {
  if (from.size <= limit) return undefined;
  const [oldest] = from.keys();
  from.delete(oldest as K);
  return oldest;
};
