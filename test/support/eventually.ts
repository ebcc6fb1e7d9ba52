/** Waits until `check` holds, for at most `ms`. */
export async function eventually(check: () => boolean, ms = 5000): Promise<boolean> {
  for (
    const end = Date.now() + ms;
    Date.now() < end;
    await new Promise((resolve) => setTimeout(resolve, 20))
  ) {
    if (check()) return true
  }
  return check()
}
