/** A check of the content, for names that alone do not decide. */
export type MaskedContent = 'not-a-public-pem' | 'git-credential'

/** One kind of file or directory that no sandbox may see, recognised by its path. */
export interface MaskedName {
  readonly kind: 'directory' | 'file'
  /** tested against the absolute path */
  readonly path: RegExp
  /** harmless paths that `path` also matches */
  readonly except?: RegExp
  /** hidden only if the content matches this check */
  readonly content?: MaskedContent
  /** paths in a project that are hidden; the parity test creates each of them on every backend */
  readonly examples: readonly string[]
}

/**
 * The names that every backend hides. One list for all, because a name that a backend forgot would expose a secret. A
 * directory entry also hides a file or link with that name.
 */
export const MASKED_NAMES: readonly MaskedName[] = [
  {
    kind: 'directory',
    path: /\/\.(aws|ssh|gnupg|docker|kube)$/,
    examples: ['.aws', '.ssh', '.gnupg', '.docker', '.kube'],
  },
  { kind: 'directory', path: /\/\.config\/(gcloud|gh)$/, examples: ['.config/gcloud', '.config/gh'] },
  {
    kind: 'file',
    path: /\/\.env(rc|~|[.-][^/]+)?$/,
    except: /\.(example|sample|template)$/,
    examples: ['.env', '.envrc', '.env~', '.env-prod', '.env.local', 'deep/er/.env.production'],
  },
  {
    kind: 'file',
    path: /\/\.(netrc|npmrc|pypirc|git-credentials)$/,
    examples: ['.netrc', '.npmrc', '.pypirc', '.git-credentials'],
  },
  {
    kind: 'file',
    path: /\/id_(rsa|ed25519|ecdsa)[^/]*$/,
    except: /\.pub$/,
    examples: ['id_rsa', 'id_ed25519', 'id_ecdsa_sk', 'keys/id_rsa.old'],
  },
  { kind: 'file', path: /\.(key|p12|pfx)$/, examples: ['server.key', 'store.p12', 'store.pfx'] },
  { kind: 'file', path: /\.pem$/, content: 'not-a-public-pem', examples: ['private.pem'] },
  {
    kind: 'file',
    path: /\/\.git\/(modules\/.+\/)?config$/,
    content: 'git-credential',
    examples: ['.git/config', '.git/modules/sub/config'],
  },
  {
    kind: 'file',
    path: /\/\.cargo\/credentials(\.toml)?$/,
    examples: ['.cargo/credentials', '.cargo/credentials.toml'],
  },
]

/** Directories that are not searched: huge, and filled by a package manager or by git rather than by hand. */
export const UNSEARCHED_DIRECTORIES = /\/(node_modules|\.git\/objects)$/
