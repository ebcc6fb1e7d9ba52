/** What one program does, and the most similar action that must be denied. */
export interface Tool {
  readonly name: string
  readonly kind: 'package manager' | 'tool' | 'library' | 'browser'
  /** Commands or files that it needs; the first that is missing is named. */
  readonly needs: readonly string[]
  /** Whether .ci/run installs it. */
  readonly packaged: boolean
  /** For `sh -c` in an empty directory of its own. */
  readonly command: string
  /** What it prints then. */
  readonly says: RegExp
  /** Hosts that must have been asked, with the real credential where they have one. */
  readonly hosts: readonly string[]
  /** The control; null: no other server can be named. */
  readonly refused: string | null
  /** What the control prints: that it was refused, and not a fault of the network. */
  readonly refusedSays: RegExp
}

const SAYS = /left is the other side of right/
const REFUSED = /403|Forbidden|not-listed|no-rule|not in the policy|egress/i
const FOREIGN = 'https://mirror.example'

type Row = Pick<Tool, 'name' | 'needs' | 'command' | 'hosts'> & Partial<Tool>

const row =
  (kind: Tool['kind']) =>
  (tool: Row): Tool => ({
    kind,
    packaged: true,
    says: SAYS,
    refused: null,
    refusedSays: REFUSED,
    ...tool,
  })
const manager = row('package manager')
const tool = row('tool')
const library = row('library')
const browser = row('browser')

/** The same command with another host. */
const elsewhere = (command: string, host: string) => command.replaceAll(`https://${host}`, FOREIGN)

/** A program that asks one address, which the control changes. */
function asks(
  make: typeof tool,
  name: string,
  needs: readonly string[],
  command: string,
  more: Partial<Tool> = {},
): Tool {
  return make({
    name,
    needs,
    command,
    hosts: ['api.example'],
    refused: elsewhere(command, 'api.example'),
    ...more,
  })
}

const PACKAGE_JSON = `printf '{"name":"x","version":"1.0.0","private":true,"type":"commonjs"}' >package.json`
const REQUIRE = `node -p 'require("left")'`

const JAVA = `cat >T.java <<'END'
import java.net.URI;
import java.net.http.*;
public class T { public static void main(String[] a) throws Exception {
  var answer = HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(a[0])).build(), HttpResponse.BodyHandlers.ofString());
  System.out.println(answer.statusCode() + " " + answer.body()); } }
END
java T.java https://api.example/page`

const GO = `cat >t.go <<'END'
package main
import ("fmt"; "io"; "net/http"; "os")
func main() { answer, err := http.Get(os.Args[1]); if err != nil { fmt.Println(err); os.Exit(1) }
  body, _ := io.ReadAll(answer.Body); fmt.Println(answer.StatusCode, string(body)) }
END
go run t.go https://api.example/page`

const KUBECONFIG = `cat >config <<'END'
apiVersion: v1
kind: Config
current-context: c
contexts: [{ name: c, context: { cluster: k, user: u } }]
clusters: [{ name: k, cluster: { server: "https://kube.example" } }]
users: [{ name: u, user: { token: worthless } }]
END
kubectl --kubeconfig config`

const python = (code: string) => `/usr/bin/python3 -c '${code}'`
const node = (code: string) => `node -e '${code}'`

const PLAYWRIGHT = `(async () => {
  const browser = await require("playwright-core").chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] })
  const page = await browser.newPage()
  const answer = await page.goto("https://api.example/page.html").catch((error) => console.log(String(error)))
  console.log(answer?.status(), await page.content())
  await browser.close()
})()`

export const TOOLS: readonly Tool[] = [
  manager({
    name: 'pip',
    needs: ['pip3'],
    command: `pip3 install -q --target t left && PYTHONPATH=t ${python('import left; print(left.SAYS)')}`,
    hosts: ['pypi.org', 'files.pythonhosted.org'],
    refused: `pip3 install --target t --index-url ${FOREIGN}/simple left`,
  }),
  manager({
    name: 'uv',
    needs: ['uv'],
    command: `uv pip install -q --target t --python /usr/bin/python3 left && PYTHONPATH=t ${python('import left; print(left.SAYS)')}`,
    hosts: ['pypi.org', 'files.pythonhosted.org'],
    refused: `uv pip install --target t --python /usr/bin/python3 --index-url ${FOREIGN}/simple left`,
  }),
  manager({
    name: 'poetry',
    needs: ['poetry'],
    command: `printf '[tool.poetry]\\nname="x"\\nversion="1"\\npackage-mode=false\\n[tool.poetry.dependencies]\\npython=">=3.9"\\nleft="1.2.3"\\n' >pyproject.toml
poetry config virtualenvs.in-project true && poetry install -q && .venv/bin/python -c 'import left; print(left.SAYS)'`,
    hosts: ['pypi.org', 'files.pythonhosted.org'],
    refused: `printf '[tool.poetry]\\nname="x"\\nversion="1"\\npackage-mode=false\\n[tool.poetry.dependencies]\\npython=">=3.9"\\nleft="1.2.3"\\n[[tool.poetry.source]]\\nname="m"\\nurl="${FOREIGN}/simple"\\n' >pyproject.toml
poetry install`,
  }),
  manager({
    name: 'npm',
    needs: ['npm'],
    command: `${PACKAGE_JSON}; npm install --no-audit --no-fund left >&2 && ${REQUIRE}`,
    hosts: ['registry.npmjs.org'],
    refused: `${PACKAGE_JSON}; npm install --registry ${FOREIGN} left`,
  }),
  manager({
    name: 'npm install -g, into the home directory',
    needs: ['npm'],
    command: `npm install -g --no-audit left >&2 && NODE_PATH=$(npm root -g) ${REQUIRE}`,
    hosts: ['registry.npmjs.org'],
  }),
  manager({
    name: 'pnpm',
    needs: ['pnpm'],
    command: `${PACKAGE_JSON}; pnpm add left >&2 && ${REQUIRE}`,
    hosts: ['registry.npmjs.org'],
    refused: `${PACKAGE_JSON}; pnpm_config_fetch_retries=0 pnpm add --registry ${FOREIGN} left`,
  }),
  manager({
    name: 'yarn 1',
    needs: ['yarn'],
    command: `${PACKAGE_JSON}; yarn add left >&2 && ${REQUIRE}`,
    hosts: ['registry.yarnpkg.com'],
    refused: `${PACKAGE_JSON}; yarn add --registry ${FOREIGN} left`,
  }),
  manager({
    name: 'yarn 4',
    needs: ['yarn-berry'],
    command: `${PACKAGE_JSON}; touch yarn.lock; printf 'nodeLinker: node-modules\\n' >.yarnrc.yml; yarn-berry add left >&2 && ${REQUIRE}`,
    hosts: ['registry.yarnpkg.com'],
    refused: `${PACKAGE_JSON}; touch yarn.lock; printf 'nodeLinker: node-modules\\nnpmRegistryServer: ${FOREIGN}\\n' >.yarnrc.yml; yarn-berry add left`,
  }),
  manager({
    name: 'bun',
    needs: ['bun'],
    command: `${PACKAGE_JSON}; bun add left >&2 && bun -e 'console.log(require("left"))'`,
    hosts: ['registry.npmjs.org'],
    refused: `${PACKAGE_JSON}; bun add --registry ${FOREIGN} left`,
  }),
  manager({
    name: 'deno',
    needs: ['deno'],
    command: `echo 'import left from "npm:left@1.2.3"; console.log(left)' >t.ts; deno run t.ts`,
    hosts: ['registry.npmjs.org'],
    refused: `echo 'import left from "npm:left@1.2.3"; console.log(left)' >t.ts; NPM_CONFIG_REGISTRY=${FOREIGN} deno run t.ts`,
  }),
  manager({
    name: 'cargo',
    needs: ['cargo'],
    command: `mkdir src; printf '[package]\\nname="x"\\nversion="1.0.0"\\nedition="2018"\\n[dependencies]\\nleft="1.2.3"\\n' >Cargo.toml
echo 'fn main() { println!("{}", left::SAYS); }' >src/main.rs; cargo run -q`,
    hosts: ['index.crates.io', 'static.crates.io'],
    refused: `mkdir src; printf '[package]\\nname="x"\\nversion="1.0.0"\\n[dependencies]\\nleft={version="1.2.3",registry="m"}\\n' >Cargo.toml; echo 'fn main() {}' >src/main.rs
CARGO_REGISTRIES_M_INDEX=sparse+${FOREIGN}/ cargo build`,
  }),
  manager({
    name: 'go',
    needs: ['go'],
    command: `printf 'module x\\ngo 1.20\\nrequire left.example/left v1.2.3\\n' >go.mod
printf 'package main\\nimport "left.example/left"\\nfunc main() { println(left.Says) }\\n' >main.go
GOFLAGS=-mod=mod GONOSUMDB=left.example go run . 2>&1`,
    hosts: ['proxy.golang.org'],
    refused: `printf 'module x\\ngo 1.20\\nrequire left.example/left v1.2.3\\n' >go.mod; echo 'package main; import _ "left.example/left"; func main() {}' >main.go
GOPROXY=${FOREIGN} GOFLAGS=-mod=mod GONOSUMDB=left.example go run .`,
  }),
  manager({
    name: 'Maven',
    needs: ['mvn'],
    command: `printf '<project><modelVersion>4.0.0</modelVersion><parent><groupId>example</groupId><artifactId>left</artifactId><version>1.2.3</version><relativePath/></parent><artifactId>x</artifactId><packaging>pom</packaging></project>' >pom.xml
mvn -q validate >&2 && sed 's/.*<says>//; s/<.*//' "$HOME/.m2/repository/example/left/1.2.3/left-1.2.3.pom"`,
    hosts: ['repo.maven.apache.org'],
    refused: `printf '<project><modelVersion>4.0.0</modelVersion><repositories><repository><id>central</id><url>${FOREIGN}/maven2</url></repository></repositories><parent><groupId>example</groupId><artifactId>left</artifactId><version>1.2.3</version><relativePath/></parent><artifactId>x</artifactId><packaging>pom</packaging></project>' >pom.xml
mvn validate`,
  }),
  manager({
    name: 'gem',
    needs: ['gem'],
    command: `gem install -q --install-dir t left >&2 && GEM_PATH=$PWD/t ruby -e 'require "left"; puts LEFT_SAYS'`,
    hosts: ['index.rubygems.org'],
    refused: `gem install --install-dir t --clear-sources --source ${FOREIGN} left`,
  }),
  manager({
    name: 'bundler',
    needs: ['bundle'],
    command: `printf 'source "https://rubygems.org"\\ngem "left"\\n' >Gemfile; bundle config set --local path t >&2; bundle install >&2 && bundle exec ruby -e 'require "left"; puts LEFT_SAYS'`,
    hosts: ['index.rubygems.org'],
    refused: `printf 'source "${FOREIGN}"\\ngem "left"\\n' >Gemfile; bundle config set --local path t >&2; bundle install`,
  }),
  manager({
    name: 'composer',
    needs: ['composer'],
    command: `echo '{"require":{"acme/left":"1.2.3"}}' >composer.json; composer install -q && php -r 'echo require "vendor/acme/left/left.php";'`,
    hosts: ['repo.packagist.org'],
    refused: `echo '{"require":{"acme/left":"1.2.3"},"repositories":[{"packagist.org":false},{"type":"composer","url":"${FOREIGN}"}]}' >composer.json; composer install`,
  }),
  manager({
    name: 'apt, over https',
    needs: ['apt-get'],
    command: `mkdir -p s/lists/partial c/archives/partial; touch status; echo 'deb [trusted=yes] https://deb.debian.org/debian stable main' >sources
set -- -qq -o Dir::State=$PWD/s -o Dir::State::status=$PWD/status -o Dir::Cache=$PWD/c -o Dir::Etc::sourcelist=$PWD/sources -o Dir::Etc::sourceparts=-
apt-get "$@" update >&2 && apt-get "$@" download left >&2 && dpkg-deb --fsys-tarfile left*.deb | tar -xO ./usr/share/left`,
    hosts: ['deb.debian.org'],
    refused: `mkdir -p s/lists/partial c/archives/partial; touch status; echo 'deb [trusted=yes] ${FOREIGN}/debian stable main' >sources
apt-get -o Dir::State=$PWD/s -o Dir::State::status=$PWD/status -o Dir::Cache=$PWD/c -o Dir::Etc::sourcelist=$PWD/sources -o Dir::Etc::sourceparts=- update`,
  }),
  tool({
    name: 'git, https',
    needs: ['git'],
    command: 'GIT_LFS_SKIP_SMUDGE=1 git clone -q https://github.com/acme/left.git && cat left/left.txt',
    hosts: ['github.com'],
    refused: `git clone ${FOREIGN}/acme/left.git`,
  }),
  tool({
    name: 'git, the remote of ssh',
    needs: ['git'],
    command: 'GIT_LFS_SKIP_SMUDGE=1 git clone -q git@github.com:acme/left.git && cat left/left.txt',
    hosts: ['github.com'],
  }),
  tool({
    name: 'git-lfs',
    needs: ['git-lfs'],
    command: 'git lfs install >&2; git clone -q https://github.com/acme/left.git && cat left/large.bin',
    hosts: ['github.com', 'github-cloud.githubusercontent.com'],
  }),
  tool({
    name: 'pre-commit',
    needs: ['pre-commit'],
    command: `git init -q; printf 'repos:\\n- repo: https://github.com/acme/left\\n  rev: v1.2.3\\n  hooks: [{ id: left }]\\n' >.pre-commit-config.yaml; git add .; GIT_LFS_SKIP_SMUDGE=1 pre-commit run -a`,
    hosts: ['github.com'],
    refused: `git init -q; printf 'repos:\\n- repo: ${FOREIGN}/acme/left\\n  rev: v1.2.3\\n  hooks: [{ id: left }]\\n' >.pre-commit-config.yaml; git add .; pre-commit run -a`,
  }),
  tool({
    name: 'gh: issue, pull request, release',
    needs: ['gh'],
    command: `git init -q; git remote add origin https://github.com/acme/app.git; export GH_REPO=acme/app
gh issue create --title t --body b && gh issue list && gh pr list && gh release create v1 --notes n --title one`,
    says: /issues\/7[^]*seven[^]*releases\/tag\/v1/,
    hosts: ['api.github.com'],
    refused: `gh api graphql -f 'query=mutation { deleteRepository(input: {repositoryId: "R_1"}) { clientMutationId } }'`,
  }),
  asks(tool, 'curl', ['curl'], 'curl -sS https://api.example/page'),
  asks(tool, 'wget', ['wget'], 'wget -O - https://api.example/page'),
  tool({
    name: 'kubectl',
    needs: ['kubectl'],
    command: `${KUBECONFIG} get pods`,
    says: /^left\s+\d+[dy]/m,
    hosts: ['kube.example'],
    refused: `${KUBECONFIG} delete pod left`,
  }),
  tool({
    name: 'terraform',
    packaged: false,
    needs: ['terraform'],
    command: `printf 'module "m" {\\n  source = "https://api.example/module.zip"\\n}\\noutput "says" {\\n  value = module.m.says\\n}\\n' >main.tf; terraform init >&2 && terraform apply -auto-approve`,
    hosts: ['api.example'],
    refused: `printf 'module "m" {\\n  source = "${FOREIGN}/module.zip"\\n}\\n' >main.tf; terraform init`,
  }),
  asks(
    tool,
    'ansible',
    ['ansible'],
    `ansible localhost -c local -m ansible.builtin.uri -a 'url=https://api.example/page return_content=yes'`,
  ),
  asks(library, 'Java: HttpClient', ['java'], JAVA),
  // Without a control, which would compile everything again.
  asks(library, 'Go: net/http', ['go'], GO, { refused: null }),
  asks(
    library,
    'Python: urllib',
    ['/usr/bin/python3'],
    python('import urllib.request as u; print(u.urlopen("https://api.example/page").read())'),
  ),
  ...['requests', 'httpx', 'aiohttp', 'urllib3'].map((name) =>
    asks(
      library,
      `Python: ${name}`,
      [`python:${name}`],
      python(
        {
          requests:
            'import requests; r = requests.get("https://api.example/page"); print(r.status_code, r.text)',
          httpx: 'import httpx; r = httpx.get("https://api.example/page"); print(r.status_code, r.text)',
          aiohttp: `import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession(trust_env=True) as s:
        async with s.get("https://api.example/page") as r: print(r.status, await r.text())
asyncio.run(main())`,
          urllib3:
            'import urllib3; r = urllib3.PoolManager().request("GET", "https://api.example/page"); print(r.status, r.data)',
        }[name] ?? '',
      ),
    ),
  ),
  asks(
    library,
    'Node: fetch',
    ['node'],
    node('fetch("https://api.example/page").then(async (r) => console.log(r.status, await r.text()))'),
  ),
  asks(
    library,
    'Node: https',
    ['node'],
    node(
      'require("https").get("https://api.example/page", (r) => { console.log(r.statusCode); r.pipe(process.stdout) })',
    ),
  ),
  asks(
    library,
    'Deno: fetch',
    ['deno'],
    `echo 'const r = await fetch("https://api.example/page"); console.log(r.status, await r.text())' >t.ts; deno run -A t.ts`,
  ),
  asks(
    library,
    'Bun: fetch',
    ['bun'],
    `bun -e 'const r = await fetch("https://api.example/page"); console.log(r.status, await r.text())'`,
  ),
  asks(
    library,
    'Ruby: net/http',
    ['ruby'],
    `ruby -e 'require "net/http"; r = Net::HTTP.get_response(URI("https://api.example/page")); puts r.code, r.body'`,
  ),
  asks(library, 'PHP: streams', ['php'], `php -r 'echo file_get_contents("https://api.example/page");'`),
  asks(
    library,
    'Perl: LWP',
    ['perl:LWP::Protocol::https'],
    `perl -MLWP::UserAgent -e '$r = LWP::UserAgent->new(env_proxy => 1)->get("https://api.example/page"); print $r->status_line, $r->decoded_content'`,
  ),
  asks(
    browser,
    'Chromium',
    ['chromium'],
    'chromium --headless --no-sandbox --disable-gpu --dump-dom https://api.example/page.html 2>/dev/null',
  ),
  asks(
    browser,
    'Firefox',
    ['firefox-esr'],
    // It prints nothing, and what the server was asked shows that it trusts the gateway.
    'firefox-esr --headless --screenshot "$PWD/page.png" https://api.example/page.html >&2; test -s page.png && echo done',
    { says: /done/, refused: null },
  ),
  asks(
    browser,
    'Playwright',
    ['chromium', 'playwright-core'],
    `NODE_PATH=$(dirname "$(dirname "$(command -v playwright-core)")") ${node(PLAYWRIGHT)}`,
  ),
]
