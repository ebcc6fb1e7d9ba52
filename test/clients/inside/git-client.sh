# clone-and-push, or clone, or push: HOST
set -eu
export GIT_TERMINAL_PROMPT=0 HOME=/tmp GIT_CONFIG_GLOBAL=/dev/null
directory=$(mktemp -d)
git clone -q "https://$2/team/app.git" "$directory/app"
cd "$directory/app"
case $1 in
  clone) echo "cloned: $(cat README)" ;;
  push)
    echo changed >> README
    git -c user.name=agent -c user.email=agent@example.com commit -qam 'Changed by an agent'
    git push -q origin HEAD:refs/heads/agent
    echo "pushed $(git rev-parse --short HEAD)"
    ;;
esac
