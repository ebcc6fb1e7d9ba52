/**
 * Freezes plain data all the way down. Instances of classes are left alone: a credential may keep state of its own, and
 * a regular expression writes its `lastIndex`.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}

/** A map that refuses to be changed; `Object.freeze` alone does not reach the entries of a `Map`. */
export function frozenMap<K, V>(entries: Iterable<readonly [K, V]>): ReadonlyMap<K, V> {
  const map = new Map<K, V>()
  for (const [key, value] of entries) map.set(key, deepFreeze(value))
  const refuse = (): never => {
    throw new TypeError('a policy cannot be changed once it is loaded')
  }
  return Object.freeze(Object.assign(map, { set: refuse, delete: refuse, clear: refuse }))
}
