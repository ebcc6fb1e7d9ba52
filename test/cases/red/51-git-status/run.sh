#!/bin/bash
# Code that git on the host runs after a run with --write: a submodule that the sandbox has made (git status enters it), a bare
# repository under another name, a directory that is made to look like one, an included configuration, a hook that is a link,
# hooks whose directory does not exist yet.
# 0: resists, 1: code ran on the host, or the user's own repository is broken
set -u; : "${EGRESS:?path of a built checkout}"; command -v git >/dev/null || { echo 'no git'; exit 2; }
w=$(mktemp -d); chmod 755 $w; mkdir -p $w/project $w/home $w/policy; m=$w/home/pwned; cd $w/project
printf 'allow: [{ host: pkg.example.com }]\n' > $w/policy/p.yaml
cat > $w/evil <<X
#!/bin/sh
id >> $m
X
chmod 755 $w/evil; cp $w/evil evil
export HOME=$w/home GIT_CONFIG_NOSYSTEM=1; git config --global user.email a@b; git config --global user.name a
git init -q .; mkdir -p tools .githooks; echo '#!/bin/sh' > tools/check; chmod 755 tools/check; touch .gitsettings
ln -s ../../tools/check .git/hooks/pre-commit; git config include.path ../.gitsettings
git init -q --separate-git-dir=$PWD/.bare work; git -C work config core.hooksPath hooks/missing
git add tools; git commit -qm one
[ $(id -u) = 0 ] && { chown -R 61000:61000 $w; git config --global --add safe.directory '*'; as='setpriv --reuid=61000 --regid=61000 --clear-groups'; } || as=
cat > attack <<X
f='[core]
	fsmonitor = "$PWD/evil; false"'
mkdir sub; cd sub; git init -q .; git config user.email a@b; git config user.name a; git commit -q --allow-empty -m x; echo "\$f" >> .git/config; cd ..
git add sub 2>/dev/null; printf '%s\n' "\$f" > .gitsettings; printf '%s\n' "\$f" >> .bare/config; cp evil tools/check; cp evil .bare/hooks/pre-commit
mkdir -p work/hooks/missing; cp evil work/hooks/missing/pre-commit
mkdir -p docs/objects docs/refs; echo 'ref: refs/heads/x' > docs/HEAD; printf '%s\n\tworktree = %s\n' "\$f" "\$PWD/docs" > docs/config; git init -q --bare kept.git
git clone -q sub harmless 2>/dev/null; mkdir clone; cd clone; git init -q .; git config user.name b; git remote add origin https://example.com/x
X
$as env HOME=$w/home node $EGRESS/${EGRESS_MAIN:-dist/src/main.js} run --audit-dir $w/a --policy $w/policy/p.yaml --write -- env GIT_CONFIG_GLOBAL=/dev/null sh attack >$w/out 2>&1
rc=0; rm -f $m
try() { local what=$1; shift; "$@" >$w/o 2>&1; [ -e $m ] && { echo "$what ran the code of the sandbox on the host"; rc=1; rm -f $m; }; }
try 'git status' $as git status; try 'git diff' $as git diff; try 'git commit' $as git commit --allow-empty -m two
try 'git status elsewhere' $as git -C work status; try 'git commit elsewhere' $as git -C work commit --allow-empty -m three
try 'git status in a directory that looks like a repository' $as git -C docs status
[ -e kept.git/HEAD ] || { echo 'a harmless bare repository was renamed'; rc=1; }
[ -d clone/.git ] || { echo 'a harmless repository of the sandbox was renamed'; rc=1; }
$as git -C work log -1 --format=%s >$w/o 2>&1; $as git log -1 --format=%s | grep -q two || { echo "git does not work: $(cat $w/out | tail -2)"; rc=1; }
[ $rc = 0 ] && grep -q 'sub/.git' $w/out && echo 'git ran nothing of the sandbox' || { rc=1; tail -3 $w/out; }
rm -rf $w; exit $rc
