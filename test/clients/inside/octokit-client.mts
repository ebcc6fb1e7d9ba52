import { Octokit } from '@octokit/rest'

const octokit = new Octokit({ auth: process.env['GITHUB_TOKEN'] })
const repository = { owner: 'team', repo: 'app' }
if (process.argv[2] === 'allowed') {
  const { data: user } = await octokit.rest.users.getAuthenticated()
  const { data: issues } = await octokit.rest.issues.listForRepo(repository)
  console.log(`${user.login}, ${String(issues.length)} issue`)
} else {
  await octokit.rest.issues.create({ ...repository, title: 'Made by an agent' })
  console.log('made an issue')
}
