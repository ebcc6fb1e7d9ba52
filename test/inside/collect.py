"""An agent that brings out everything it can see: answers, files, /proc, its own memory and that of another agent.

    python3 collect.py REQUESTS OUT SINCE NODE SCRIPT

What it finds is written below OUT. Files that have not changed since SINCE (seconds since 1970) are left out: a secret made
later cannot be in them.
"""

import json
import os
import re
import stat
import subprocess
import sys
import urllib.error
import urllib.request

REQUESTS, OUT, SINCE, NODE, SCRIPT = sys.argv[1:]
PLANTED = os.environ["PLANTED"]
PART = 1 << 20


def fill(text):
    return re.sub(r"\{([A-Z_]+)\}", lambda match: os.environ.get(match[1], "missing"), text)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def ask(opener, request):
    body = request["body"]
    made = urllib.request.Request(
        fill(request["url"]),
        data=None if body is None else body.encode(),
        headers={name: fill(value) for name, value in request["headers"].items()},
        method=request["method"],
    )
    try:
        answer = opener.open(made)
    except urllib.error.HTTPError as error:
        answer = error
    return f"{answer.status} {answer.headers}".encode() + answer.read() + b"\n"


def copy(source, target, limit):
    """Up to `limit` bytes; what cannot be read ends it."""
    left = limit
    try:
        while left > 0 and (part := os.read(source, min(PART, left))):
            target.write(part)
            left -= len(part)
    except OSError:
        pass


def add(path, target, limit):
    try:
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return 0
    target.write(f"\n{path}\n".encode(errors="surrogateescape"))
    copy(source, target, limit)
    os.close(source)
    return 1


def files():
    for directory, below, names in os.walk("/"):
        skipped = directory == "/" and {"proc", "sys"} or set()
        below[:] = [name for name in below if name not in skipped and os.path.join(directory, name) != OUT]
        for name in names:
            path = os.path.join(directory, name)
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_ctime >= float(SINCE):
                yield path


def processes():
    """Files of /proc that are text; what is memory or log of the kernel is not the sandbox's to read."""
    for directory, below, names in os.walk("/proc"):
        below[:] = [name for name in below if name not in ("task", "map_files", "fd", "cwd", "root")]
        for name in names:
            if name not in ("mem", "pagemap", "kcore", "kmsg", "kpagecount", "kpageflags", "sysrq-trigger"):
                yield os.path.join(directory, name)


def dump_core():
    """A core dump of this agent, on purpose, where gdb is there and the kernel lets it."""
    try:
        ended = subprocess.run(["gcore", "-o", f"{OUT}/core", str(os.getpid())], capture_output=True)
    except FileNotFoundError:
        return False
    if ended.returncode == 0:
        os.rename(f"{OUT}/core.{os.getpid()}", f"{OUT}/core-python")
    return ended.returncode == 0


def dump(pid, target):
    """The same without gdb: every part of the memory that can be read."""
    written = 0
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        maps = open(f"/proc/{pid}/maps").read().splitlines()
    except OSError:
        return 0
    for line in maps:
        span, rights = line.split()[:2]
        begin, end = (int(text, 16) for text in span.split("-"))
        if not rights.startswith("r"):
            continue
        while begin < end:
            try:
                part = os.pread(memory, min(PART, end - begin), begin)
            except (OSError, OverflowError):
                break
            if not part:
                break
            written += target.write(part)
            begin += len(part)
    os.close(memory)
    return written


def main():
    flags = ["--heap-snapshot-string-limit=1000000"]
    node = subprocess.Popen(
        [NODE, *flags, SCRIPT, REQUESTS, OUT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with open(REQUESTS) as file:
        requests = json.load(file)
    opener = urllib.request.build_opener(NoRedirect())
    kept = [ask(opener, request) for request in requests]
    with open(f"{OUT}/responses-python", "wb") as file:
        file.writelines(kept)
    assert node.stdout.readline() == b"ready\n"
    for path, text in (("/tmp/planted", PLANTED.encode().hex()), (os.path.expanduser("~/planted"), PLANTED)):
        with open(path, "w") as file:
            file.write(text)
    print(f"on standard error: {PLANTED}", file=sys.stderr)
    counts = {}
    with open(f"{OUT}/files", "wb") as target:
        counts["files"] = sum(add(path, target, 1 << 30) for path in files())
    with open(f"{OUT}/proc", "wb") as target:
        counts["proc"] = sum(add(path, target, PART) for path in processes())
    for name, pid in (("python", os.getpid()), ("node", node.pid)):
        with open(f"{OUT}/memory-{name}", "wb") as target:
            counts[name] = dump(pid, target)
    with open(f"{OUT}/memory-others", "wb") as target:
        others = [pid for pid in os.listdir("/proc") if pid.isdigit()]
        counts["others"] = sum(dump(pid, target) for pid in others if int(pid) not in (os.getpid(), node.pid))
    counts["core"] = dump_core()
    node.communicate()
    print(json.dumps({**counts, "kept": len(kept)}))


main()
