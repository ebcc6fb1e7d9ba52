/** A manual list of hosts that developer tools use every day. No profile may take one of them for encoded data. */
export const DEVELOPER_HOSTS: readonly string[] = `
api.github.com codeload.github.com raw.githubusercontent.com objects.githubusercontent.com
release-assets.githubusercontent.com github-releases.githubusercontent.com avatars.githubusercontent.com
pkg-containers.githubusercontent.com results-receiver.actions.githubusercontent.com uploads.github.com
productionresultssa0.blob.core.windows.net gitlab.example.com registry.gitlab.com packages.gitlab.com
registry.npmjs.org registry.yarnpkg.com files.pythonhosted.org pypi.org upload.pypi.org static.crates.io
index.crates.io proxy.golang.org sum.golang.org repo.maven.apache.org repo1.maven.org plugins.gradle.org
services.gradle.org rubygems.org index.rubygems.org deb.debian.org security.debian.org archive.ubuntu.com
security.ubuntu.com dl-cdn.alpinelinux.org mirrors.fedoraproject.org download.docker.com registry-1.docker.io
auth.docker.io production.cloudflare.docker.com quay.io cdn01.quay.io ghcr.io mcr.microsoft.com
eastus.data.mcr.microsoft.com us-central1-docker.pkg.dev storage.googleapis.com oauth2.googleapis.com
generativelanguage.googleapis.com us-central1-aiplatform.googleapis.com cloudresourcemanager.googleapis.com
secretmanager.googleapis.com iamcredentials.googleapis.com api.openai.com api.anthropic.com api.mistral.ai
api.cohere.com openrouter.ai huggingface.co cdn-lfs.huggingface.co cdn-lfs-us-1.hf.co api.slack.com
hooks.slack.com files.slack.com slack-edge.com discord.com graph.microsoft.com login.microsoftonline.com
example.webhook.office.com dev.azure.com vssps.dev.azure.com example.visualstudio.com
example.atlassian.net api.atlassian.com auth.atlassian.com jenkins.internal.example.com
sonarqube.build.example.com sts.amazonaws.com sts.eu-central-1.amazonaws.com s3.amazonaws.com
s3.eu-central-1.amazonaws.com my-team-artifacts.s3.eu-central-1.amazonaws.com
my-team-artifacts.s3.dualstack.eu-west-1.amazonaws.com secretsmanager.us-east-1.amazonaws.com
bedrock-runtime.us-east-1.amazonaws.com 123456789012.dkr.ecr.eu-central-1.amazonaws.com
api.ecr.eu-central-1.amazonaws.com lambda.ap-southeast-2.amazonaws.com logs.us-gov-west-1.amazonaws.com
myaccount.blob.core.windows.net myvault.vault.azure.net myregistry.azurecr.io management.azure.com
playwright.azureedge.net cdn.playwright.dev nodejs.org deno.land jsr.io esm.sh cdn.jsdelivr.net unpkg.com
api.datadoghq.com http-intake.logs.datadoghq.eu o123456.ingest.sentry.io o4504123456789012.ingest.us.sentry.io
api.stripe.com api.sendgrid.com api.cloudflare.com api.vercel.com api.netlify.com api.heroku.com
api.linear.app api.notion.com www.googleapis.com sheets.googleapis.com wikipedia.org en.wikipedia.org
export.arxiv.org api.semanticscholar.org api.crossref.org
`
  .trim()
  .split(/\s+/)
