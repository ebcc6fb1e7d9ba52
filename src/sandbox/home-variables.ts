/** Where programs are that a user installs for himself (pip, pipx, npm with the variable below). */
const OWN_PROGRAMS = '.local/bin'

/**
 * The variables that depend on the home directory.
 *
 * @param path PATH of the sandbox; undefined: that of the image
 */
export function homeVariables(home: string, path: string | undefined): Record<string, string> {
  return {
    HOME: home,
    // `npm install -g` would write beside npm itself, where no sandbox can write.
    NPM_CONFIG_PREFIX: `${home}/.local`,
    // Last, so that nothing there takes the place of another program.
    ...(path === undefined ? {} : { PATH: `${path}:${home}/${OWN_PROGRAMS}` }),
  }
}
