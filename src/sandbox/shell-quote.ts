/** One word for a POSIX shell, whatever it contains. */
export function quoteWord(word: string): string {
  return /^[A-Za-z0-9_/.:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** A command line for a POSIX shell out of an argument vector. */
export function quoteCommand(words: readonly string[]): string {
  return words.map(quoteWord).join(' ')
}
