import type { MaskedContent } from './filters/filter-content.js'

/** One kind of file or directory that no sandbox may see, recognised by its name. Letter case is ignored. */
export interface MaskedName {
  readonly kind: 'directory' | 'file'
  /** matches the whole file name */
  readonly name: RegExp
  /** matches the end of the path of its directory; default: any directory */
  readonly within?: RegExp
  /** harmless names that `name` also matches */
  readonly except?: RegExp
  /** hidden only if the content matches this check, and only in part if the check leaves lines that are harmless */
  readonly content?: MaskedContent
  /** paths in a project that are hidden; the parity test creates each of them on every backend */
  readonly examples: readonly string[]
}

const TEMPLATE = /[._-](example|sample|template)$/

/**
 * The names that every backend hides. One list for all, because a name that a backend forgot would expose a secret. A
 * directory entry also hides a file or link with that name.
 */
export const MASKED_NAMES: readonly MaskedName[] = [
  {
    kind: 'directory',
    name: /\.(aws|azure|ssh|gnupg|docker|kube|password-store)/,
    examples: ['.aws', '.azure', '.ssh', '.gnupg', '.docker', '.kube'],
  },
  {
    kind: 'directory',
    name: /gcloud|gh|glab-cli|github-copilot|rclone|op|doctl|hcloud|stripe|sops|configstore|containers/,
    within: /\/\.config$/,
    examples: ['.config/gcloud', '.config/gh', '.config/rclone', '.config/glab-cli', '.config/sops'],
  },
  {
    kind: 'file',
    name: /egress-admin-token(~|[._-].*)?/,
    examples: ['egress-admin-token'],
  },
  {
    kind: 'file',
    name: /\.env(~|[._-].*)?/,
    except: TEMPLATE,
    examples: ['.env', '.env~', '.env-prod', '.env.local', '.ENV', 'deep/er/.env.production'],
  },
  {
    kind: 'file',
    name: /\.envrc(~|[.-].*)?/,
    except: /\.(example|sample|template|md)$/,
    examples: ['.envrc', '.envrc.local'],
  },
  {
    kind: 'file',
    name: /.+\.env(~|\.(bak|backup|local|old|orig|save|swp))?/,
    except: /(^|[._-])(example|sample|template)\.env$/,
    examples: ['prod.env', 'sub/Staging.ENV', 'prod.env.bak'],
  },
  {
    kind: 'file',
    name: /\.dev\.vars(\..*)?/,
    except: TEMPLATE,
    examples: ['.dev.vars'],
  },
  {
    kind: 'file',
    name: /[._]netrc|\.pypirc|\.git-credentials|\.pgpass|\.my(login)?\.cnf|\.vault-token|\.htpasswd|\.dockercfg|\.s3cfg|\.boto|\.databrickscfg|\.authinfo(\.gpg)?|\.?rclone\.conf|kubeconfig|.+\.kubeconfig/,
    examples: [
      '.netrc',
      '_netrc',
      '.pypirc',
      '.git-credentials',
      '.pgpass',
      '.my.cnf',
      '.vault-token',
      '.htpasswd',
      '.dockercfg',
      '.s3cfg',
      '.boto',
      '.rclone.conf',
      'rclone/rclone.conf',
      'kubeconfig',
    ],
  },
  {
    kind: 'file',
    name: /\.?vault[-_]pass(word)?(\.txt)?|\.credentials|\.passwd-s3fs|pgpass\.conf|kaggle\.json|\.clasprc\.json|local\.settings\.json|\.secrets?(\.toml)?/,
    examples: ['.vault_pass.txt', '.ivy2/.credentials', 'pgpass.conf', 'local.settings.json', '.secrets'],
  },
  {
    kind: 'file',
    name: /config(\.ya?ml)?/,
    within: /\/\.(oci|fly)$/,
    examples: ['.oci/config', '.fly/config.yml'],
  },
  {
    kind: 'file',
    name: /token|stored_tokens/,
    within: /\/\.?huggingface$/,
    examples: ['.cache/huggingface/token'],
  },
  {
    kind: 'file',
    name: /application_default_credentials\.json|client_secrets?.*\.json|(.*[._-])?service[-_]?accounts?([-_.].*)?\.json|.*firebase-adminsdk.*\.json/,
    examples: ['service-account.json', 'service-account-prod.json', 'client_secret_1.json'],
  },
  // Logins of agents: their clients need a file that looks like theirs, and send its placeholders.
  {
    kind: 'file',
    name: /\.credentials\.json|oauth_creds\.json|\.claude\.json/,
    content: 'json-credential',
    examples: ['.claude/.credentials.json', '.gemini/oauth_creds.json', '.claude.json'],
  },
  {
    kind: 'file',
    name: /auth\.json/,
    within: /\/(\.codex|opencode)$/,
    content: 'json-credential',
    examples: ['.codex/auth.json', '.local/share/opencode/auth.json'],
  },
  {
    kind: 'file',
    name: /auth\.json/,
    within: /\/\.composer$/,
    examples: ['.composer/auth.json'],
  },
  {
    kind: 'file',
    name: /auth\.json/,
    content: 'composer-credential',
    examples: ['php/auth.json'],
  },
  {
    kind: 'file',
    name: /credentials(\.toml|\.json)?/,
    within: /\/\.(cargo|gem|pulumi|config\/.+)$/,
    examples: [
      '.cargo/credentials',
      '.cargo/credentials.toml',
      '.gem/credentials',
      '.pulumi/credentials.json',
    ],
  },
  {
    kind: 'file',
    name: /settings-security\.xml/,
    examples: ['.m2/settings-security.xml'],
  },
  {
    kind: 'file',
    name: /secrets\.toml/,
    within: /\/\.streamlit$/,
    examples: ['.streamlit/secrets.toml'],
  },
  {
    kind: 'file',
    name: /.*\.tfstate(\..*)?|.*\.tfvars(\.json)?|\.terraformrc|terraform\.rc|credentials\.tfrc\.json/,
    except: /(^|[._-])(example|sample|template)\.(auto\.)?tfvars(\.json)?$/,
    examples: [
      'terraform.tfstate',
      'terraform.tfstate.backup',
      'prod.auto.tfvars',
      '.terraformrc',
      '.terraform.d/credentials.tfrc.json',
    ],
  },
  {
    kind: 'file',
    name: /id_(rsa|dsa|ecdsa|ed25519).*/,
    except: /\.pub$/,
    examples: ['id_rsa', 'id_dsa', 'id_ed25519', 'id_ecdsa_sk', 'keys/id_rsa.old'],
  },
  {
    kind: 'file',
    name: /.*[_-](rsa|dsa|ecdsa|ed25519)(\.old|\.bak)?/,
    content: 'private-key',
    examples: ['deploy_rsa'],
  },
  {
    kind: 'file',
    name: /.*\.(key|p8|p12|pfx|jks|keystore|kdbx?|ppk)/,
    examples: ['server.key', 'store.p12', 'store.pfx', 'store.jks', 'app.keystore', 'a.kdbx', 'a.ppk'],
  },
  { kind: 'file', name: /.*\.pem/, content: 'not-a-public-pem', examples: ['private.pem', 'server.PEM'] },
  // Settings that may hold a token among others: what is no secret is shown.
  {
    kind: 'file',
    name: /\.?npmrc|pip\.(conf|ini)|\.(curl|wget|sentrycli|hg)rc|wgetrc|\.?odbc\.ini|gradle\.properties|(bunfig|uv)\.toml|\.pydistutils\.cfg/,
    content: 'ini-settings',
    examples: ['.npmrc', 'pip.conf', '.pip/pip.conf', 'gradle.properties', 'bunfig.toml', '.curlrc'],
  },
  {
    kind: 'file',
    name: /config(\.toml)?/,
    within: /\/\.cargo$/,
    content: 'ini-settings',
    examples: ['.cargo/config.toml'],
  },
  {
    kind: 'file',
    name: /\.yarnrc(\.yml)?|\.condarc|\.gemrc|\.aider\.conf\.ya?ml|ngrok\.yml/,
    content: 'yaml-settings',
    examples: ['.yarnrc.yml', '.condarc', '.gemrc'],
  },
  {
    kind: 'file',
    name: /config/,
    within: /\/\.bundle$/,
    content: 'yaml-settings',
    examples: ['.bundle/config'],
  },
  {
    kind: 'file',
    name: /settings\.xml|nuget\.config/,
    content: 'xml-settings',
    examples: ['settings.xml', '.m2/settings.xml', 'NuGet.config', '.nuget/NuGet/NuGet.Config'],
  },
  {
    kind: 'file',
    name: /\.?mcp\.json|sftp(-config)?\.json/,
    content: 'json-settings',
    examples: ['.mcp.json', '.vscode/sftp.json'],
  },
  {
    kind: 'file',
    name: /config(\.worktree)?/,
    within: /\/\.git(\/(modules|worktrees)\/.+)?$/,
    content: 'git-credential',
    examples: ['.git/config', '.git/modules/sub/config'],
  },
  // A repository may have any name: `git clone --bare`, `--separate-git-dir`.
  {
    kind: 'file',
    name: /config(\.worktree)?|\.?gitconfig|\.gitmodules/,
    content: 'git-settings',
    examples: ['.bare/config', 'app.git/config', 'gitconfig'],
  },
]

/** One expression for all names, since almost every file has none of them. */
const ANY_NAME = new RegExp(`^(?:${MASKED_NAMES.map(({ name }) => name.source).join('|')})$`, 'is')

/** What editors, file managers, package managers and people add to the name of a copy. */
const COPY =
  /(?:[~#]|[._ -]+(?:bak|backup|old|orig|original|save|saved|copy|tmp|temp|sw[a-p]|un|lock|new|prev|rpmsave|rpmnew|dpkg-\w+|ucf-\w+|kate-swp|\d[\d-]*|\((?:another )?(?:\d+\w* )?copy(?: \d+)?\)|\(\d+\)))$/i

/** The same before the name. */
const COPY_BEFORE = /^(?:#|~\$?|copy of |\.#|\.(?=\.))/i

/**
 * The names that a file may have a copy of: its own first. Threat: an editor leaves `.server.key.swp`, `#.env#` or `.netrc~` beside
 * the file, and the copy has the same content.
 */
function originalNames(name: string): readonly string[] {
  let bare = name.replace(COPY_BEFORE, '')
  // As many as there are in practice: the sandbox chooses names, too.
  for (let left = 4; left > 0 && COPY.test(bare); left -= 1) bare = bare.replace(COPY, '')
  if (bare === name || bare === '') return [name]
  // Vim hides its copies with a dot.
  return bare.startsWith('.') ? [name, bare, bare.slice(1)] : [name, bare]
}

/**
 * The entries that may hide a file or directory; their content checks are still to be made.
 *
 * @param directory path of its directory
 */
export function matchingNames(directory: string, name: string, isDirectory: boolean): readonly MaskedName[] {
  const names = originalNames(name).filter((one) => ANY_NAME.test(one))
  if (names.length === 0) return []
  return MASKED_NAMES.filter(
    (entry) =>
      (entry.kind === 'directory' || !isDirectory) &&
      (entry.within === undefined || new RegExp(entry.within, 'i').test(directory)) &&
      names.some(
        (one) =>
          new RegExp(`^(?:${entry.name.source})$`, 'is').test(one) &&
          (entry.except === undefined || !new RegExp(entry.except, 'i').test(one)),
      ),
  )
}
