/**
 * Freezes plain data recursively. Instances of classes are not frozen: a credential may have state, and a regular expression
 * writes its `lastIndex`.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}

/** An immutable map; `Object.freeze` alone does not protect the entries of a `Map`. */
export function frozenMap<K, V>(entries: Iterable<readonly [K, V]>): ReadonlyMap<K, V> {
  const map = new Map<K, V>()
  for (const [key, value] of entries) map.set(key, deepFreeze(value))
  const fail = (): never => {
    throw new TypeError('a policy cannot be changed once it is loaded')
  }
  return Object.freeze(Object.assign(map, { set: fail, delete: fail, clear: fail }))
}
