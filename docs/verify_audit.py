"""Checks the audit log of agent-egress-firewall, without any of its code.

    python3 verify_audit.py [--public-key audit-key.pub.pem] [--open] [--retained] DIRECTORY

Needs Python 3.9 and `cryptography`. docs/audit.md says what is checked; exit codes as of `egress logs verify`.
"""

import argparse, base64, datetime, gzip, hashlib, json, pathlib, re, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key, load_pem_public_key

CODES = {"edited": 10, "gap": 11, "cut": 12, "swapped": 13, "replayed": 14, "foreign": 15, "unsigned": 16}
ROLES = ("dns", "http", "sandbox")
MAX_UNSEALED, MAX_SECONDS = 1000, 70  # ten seconds, and slack for the times of records
SIGNATURE = re.compile(r',"signature":"([A-Za-z0-9+/=]*)"\}\}$')


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Log:
    """One log, line by line. `keys` are public keys in base64; None trusts the first that signs."""

    def __init__(self, role, keys=None, retained=False, is_open=False):
        self.role, self.keys, self.retained, self.is_open = role, keys, retained, is_open
        self.last = self.observer = self.missing = self.gap = self.cause = self.since = self.first = None
        self.torn, self.unsealed, self.records, self.old, self.signed = b"", 0, 0, 0, False
        self.checkpoints, self.others = {}, []

    def push(self, line):
        """The kinds of what is wrong at the next line, which is bytes without the line feed."""
        try:
            record = json.loads(line)
            number, previous = record["event"]["sequence"], record["egress"].get("previous")
            who, when = record["observer"]["name"], record["@timestamp"].replace("Z", "+00:00")
            when = datetime.datetime.fromisoformat(when).timestamp()
        except (ValueError, KeyError, TypeError, AttributeError):
            self.torn += line + b"\n"
            return []
        point = record["egress"].get("checkpoint") if record["event"]["action"] == "audit-checkpoint" else None
        wrong = self.place(number, previous, who, point)
        found = [] if self.gap is None or wrong == "swapped" else ["gap"]
        self.gap = wrong if wrong == "gap" else None
        found += [] if wrong in (None, "gap") else [wrong]
        self.torn = b""
        if wrong in ("swapped", "replayed", "foreign"):
            return found
        wrong = wrong or self.content(line, who, when, point)
        found += [wrong] if wrong not in (None, "gap") and wrong not in found else []
        self.records += 1
        self.first = number if self.first is None else self.first
        self.last = (number, digest(line))
        if point is None:
            self.old += previous is None and not self.signed
            self.since = when if self.unsealed == 0 else self.since
            self.unsealed += 1
        else:
            self.observer = who if point["cause"] == "start" or self.observer is None else self.observer
            self.signed, self.cause, self.unsealed = True, point["cause"], 0
            self.checkpoints = {**self.checkpoints, number: digest(line)}
            self.others = self.others + point["others"]
        return found

    def place(self, number, previous, who, point):
        if (point or {}).get("torn") != (digest(self.torn) if self.torn else None):
            return "edited"
        if self.last is None:
            return None if (previous is None and number == 0) or self.retained else "cut"
        if previous is None and not self.signed and point is None:
            return None
        last, hashed = self.last
        if previous == hashed and number == last + 1:
            return None
        if self.observer is not None and who != self.observer:
            return "foreign"
        if self.missing and self.missing[0] <= number <= self.missing[1]:
            return "swapped"
        if number <= last + 1:
            return "edited" if number == last + 1 else "replayed"
        self.missing = (last + 1, number - 1)
        return "gap"

    def content(self, line, who, when, point):
        if point is not None:
            wrong = self.signature(line.decode("utf-8", "replace"), point["key"])
            return wrong or (None if point["role"] == self.role else "swapped")
        if not self.signed:
            return None
        if who != self.observer or self.cause == "end":
            return "foreign"
        late = self.unsealed > 0 and when - self.since > MAX_SECONDS
        return "unsigned" if self.unsealed >= MAX_UNSEALED or late else None

    def signature(self, text, key):
        self.keys = [key] if self.keys is None else self.keys
        if key not in self.keys:
            return "foreign"
        found = SIGNATURE.search(text)
        try:
            signed = (text[: found.start()] + "}}").encode()
            load_der_public_key(base64.b64decode(key)).verify(base64.b64decode(found[1]), signed)
        except (InvalidSignature, ValueError, TypeError, AttributeError):
            return "edited"

    def end(self):
        found = [] if self.gap is None else ["gap"]
        found += ["edited"] if self.torn and not self.is_open else []
        found += ["unsigned"] if self.records and (not self.signed or self.old) else []
        return found + (["cut"] if self.signed and self.cause != "end" and not self.is_open else [])


def verify(directory, **options):
    """The kinds of what is wrong in one directory of logs, and where."""
    logs, found = {}, []
    for role in ROLES:
        log = logs[role] = Log(role, **options)
        # The original of a file that is there twice was not compressed to its end.
        rotated = {f.name[: -3 * (f.suffix == ".gz") or None]: f for e in (".gz", "") for f in directory.glob(f"{role}.*.ndjson{e}")}
        for file in [rotated[name] for name in sorted(rotated)] + list(directory.glob(f"{role}.ndjson")):
            for number, line in enumerate((gzip.open if file.suffix == ".gz" else open)(file, "rb"), 1):
                found += [(kind, f"{file}:{number}") for kind in (log.push(line.rstrip(b"\n")) if line.strip() else [])]
        found += [(kind, f"{directory}/{role}") for kind in log.end()]
    for log in logs.values():
        for seen in log.others:
            other = logs[seen["role"]]
            hashed = other.checkpoints.get(seen["sequence"])
            late = other.retained and other.first is not None and seen["sequence"] < other.first
            if hashed != seen["hash"] and not late:
                found.append(("swapped" if hashed else "cut", f"{directory}/{seen['role']}"))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--public-key", type=pathlib.Path)
    for option in ("--open", "--retained"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("directory", type=pathlib.Path)
    given = parser.parse_args()
    keys = None
    if given.public_key:
        key = load_pem_public_key(given.public_key.read_bytes())
        keys = [base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()]
    found = []
    for place in [given.directory, *sorted((given.directory / "runs").glob("*/"))]:
        found += verify(place, keys=keys, retained=given.retained, is_open=given.open)
    print(*(f"{kind.upper()} {where}" for kind, where in found[:20]), sep="\n", end="\n" if found else "")
    sys.exit(CODES[found[0][0]] if found else 0)
