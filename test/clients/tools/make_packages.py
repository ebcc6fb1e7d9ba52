"""Writes what package registries serve, as files: DIRECTORY/HOST/PATH. Every registry has one package, `left` 1.2.3."""

import base64
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile

ROOT = sys.argv[1]
SAYS = "left is the other side of right"


# Zlib::Deflate.deflate(Marshal.dump(specification)), by Ruby.
GEMSPEC = (
    "eNo9jbEKwjAURSOUtBEdOohOIvmAEO2WogiiEnCyqUsmLa8QsK3WdlB/zh/wn0w6+N703r33XC9oxXgPhRDJDTKTm+zcmKrsfb1ATyTtRyxiHAu8"
    "VYZISq6QNzhGKhVhFzpB/bB2ja11zhYscqJsBVGmgOEMTT/IDhbkVZUgaZCqjXXsLOnwJ4060hHuramhgLLR2K4vqb9ado4YOz7mLpnGxMnrkGsk"
    "KXI6d+ogqQqwHd2DK1tQt5enuzR6ox8IkTdq"
)


def write(host, path, content):
    target = os.path.join(ROOT, host, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def tar(files, compress=True):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz" if compress else "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o644
            archive.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def zipped(files):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return raw.getvalue()


def sha(name, data):
    return hashlib.new(name, data).hexdigest()


def pypi():
    wheel_name = "left-1.2.3-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: left\nVersion: 1.2.3\n"
    info = "left-1.2.3.dist-info/"
    files = {
        "left.py": f"SAYS = '{SAYS}'\n",
        info + "METADATA": metadata,
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digest = lambda text: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    record = "".join(f"{name},sha256={digest(text)},{len(text)}\n" for name, text in files.items())
    wheel = zipped({**files, info + "RECORD": f"{record}{info}RECORD,,\n"})
    path = f"packages/le/ft/{wheel_name}"
    url = f"https://files.pythonhosted.org/{path}"
    write("files.pythonhosted.org", path, wheel)
    page = f'<!DOCTYPE html><html><body><a href="{url}#sha256={sha("sha256", wheel)}">{wheel_name}</a></body></html>'
    write("pypi.org", "simple/left/index.html", page)
    file = {"filename": wheel_name, "url": url, "hashes": {"sha256": sha("sha256", wheel)}, "yanked": False, "size": len(wheel)}
    simple = {"meta": {"api-version": "1.1"}, "name": "left", "versions": ["1.2.3"], "files": [file]}
    write("pypi.org", "simple/left/index.json", json.dumps(simple))
    release = {
        "filename": wheel_name,
        "url": url,
        "packagetype": "bdist_wheel",
        "digests": {"sha256": sha("sha256", wheel)},
        "size": len(wheel),
        "yanked": False,
        "requires_python": None,
    }
    about = {"name": "left", "version": "1.2.3", "requires_dist": None, "requires_python": None, "summary": ""}
    document = json.dumps({"info": about, "releases": {"1.2.3": [release]}, "urls": [release], "last_serial": 1})
    write("pypi.org", "pypi/left/json", document)
    write("pypi.org", "pypi/left/1.2.3/json", document)


def npm():
    package = tar(
        {
            "package/package.json": '{"name":"left","version":"1.2.3","main":"index.js"}',
            "package/index.js": f"module.exports = '{SAYS}'\n",
        }
    )
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    for host in ("registry.npmjs.org", "registry.yarnpkg.com"):
        version = {
            "name": "left",
            "version": "1.2.3",
            "main": "index.js",
            "dist": {
                "tarball": f"https://{host}/left/-/left-1.2.3.tgz",
                "shasum": sha("sha1", package),
                "integrity": integrity,
            },
        }
        document = {
            "name": "left",
            "dist-tags": {"latest": "1.2.3"},
            "versions": {"1.2.3": version},
            "time": {"created": "2020-01-01T00:00:00.000Z", "modified": "2020-01-01T00:00:00.000Z", "1.2.3": "2020-01-01T00:00:00.000Z"},
        }
        write(host, "left/index.html", json.dumps(document))
        write(host, "left/-/left-1.2.3.tgz", package)


def crates():
    crate = tar(
        {
            "left-1.2.3/Cargo.toml": '[package]\nname = "left"\nversion = "1.2.3"\nedition = "2018"\n',
            "left-1.2.3/src/lib.rs": f'pub const SAYS: &str = "{SAYS}";\n',
        }
    )
    config = {"dl": "https://static.crates.io/crates", "api": "https://crates.io"}
    write("index.crates.io", "config.json", json.dumps(config))
    line = {"name": "left", "vers": "1.2.3", "deps": [], "cksum": sha("sha256", crate), "features": {}, "yanked": False}
    write("index.crates.io", "le/ft/left", json.dumps(line) + "\n")
    write("static.crates.io", "crates/left/1.2.3/download", crate)


def go():
    module = "left.example/left"
    version = "v1.2.3"
    files = {
        f"{module}@{version}/go.mod": f"module {module}\n",
        f"{module}@{version}/left.go": f'package left\n\nconst Says = "{SAYS}"\n',
    }
    base = f"{module}/@v/"
    write("proxy.golang.org", base + "list", version + "\n")
    write("proxy.golang.org", base + version + ".info", json.dumps({"Version": version, "Time": "2020-01-01T00:00:00Z"}))
    write("proxy.golang.org", base + version + ".mod", files[f"{module}@{version}/go.mod"])
    write("proxy.golang.org", base + version + ".zip", zipped(files))


def maven():
    base = "maven2/example/left/1.2.3/left-1.2.3.pom"
    pom = (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>example</groupId><artifactId>left</artifactId><version>1.2.3</version><packaging>pom</packaging>"
        f"<properties><says>{SAYS}</says></properties></project>"
    )
    for host in ("repo.maven.apache.org", "repo1.maven.org"):
        write(host, base, pom)
        write(host, base + ".sha1", sha("sha1", pom.encode()))


def gems():
    specification = (
        "--- !ruby/object:Gem::Specification\nname: left\nversion: !ruby/object:Gem::Version\n  version: 1.2.3\n"
        "platform: ruby\nauthors: [Someone]\nsummary: Left\nfiles: [lib/left.rb]\nrequire_paths: [lib]\n"
        "dependencies: []\nspecification_version: 4\n"
    )
    gem = tar(
        {
            "metadata.gz": gzip.compress(specification.encode(), mtime=0),
            "data.tar.gz": tar({"lib/left.rb": f"LEFT_SAYS = '{SAYS}'\n"}),
        },
        compress=False,
    )
    info = f"---\n1.2.3 |checksum:{sha('sha256', gem)}\n"
    versions = f"created_at: 2020-01-01T00:00:00Z\n---\nleft 1.2.3 {sha('md5', info.encode())}\n"
    for host in ("rubygems.org", "index.rubygems.org"):
        write(host, "versions", versions)
        write(host, "names", "---\nleft\n")
        write(host, "info/left", info)
        write(host, "gems/left-1.2.3.gem", gem)
        # What gem looks for without bundler: [["left", Gem::Version.new("1.2.3"), "ruby"]], as Ruby's Marshal writes it.
        text = lambda value: b'I"' + bytes([len(value) + 5]) + value + b"\x06:\x06ET"
        later = lambda value: b'I"' + bytes([len(value) + 5]) + value + b"\x06;\x00T"
        version = b"U:\x11Gem::Version[\x06" + later(b"1.2.3")
        specs = b"\x04\x08[\x06[\x08" + text(b"left") + version + later(b"ruby")
        for name in ("specs", "latest_specs", "prerelease_specs"):
            listed = b"\x04\x08[\x00" if name.startswith("pre") else specs
            write(host, f"{name}.4.8.gz", gzip.compress(listed, mtime=0))
        write(host, "quick/Marshal.4.8/left-1.2.3.gemspec.rz", base64.b64decode(GEMSPEC))


def packagist():
    package = zipped({"left-1/composer.json": '{"name":"acme/left"}', "left-1/left.php": f"<?php return '{SAYS}';\n"})
    write("repo.packagist.org", "dist/left.zip", package)
    write("repo.packagist.org", "packages.json", json.dumps({"metadata-url": "/p2/%package%.json", "packages": []}))
    version = {
        "name": "acme/left",
        "version": "1.2.3",
        "version_normalized": "1.2.3.0",
        "type": "library",
        "dist": {"type": "zip", "url": "https://repo.packagist.org/dist/left.zip", "shasum": sha("sha1", package)},
    }
    write("repo.packagist.org", "p2/acme/left.json", json.dumps({"packages": {"acme/left": [version]}}))
    write("repo.packagist.org", "p2/acme/left~dev.json", json.dumps({"packages": {"acme/left": []}}))


def debian():
    control = "Package: left\nVersion: 1.2.3\nArchitecture: all\nMaintainer: Someone <someone@example.com>\nDescription: Left\n"
    member = lambda name, data: f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + (b"\n" if len(data) % 2 else b"")
    deb = (
        b"!<arch>\n"
        + member("debian-binary", b"2.0\n")
        + member("control.tar.gz", tar({"./control": control}))
        + member("data.tar.gz", tar({"./usr/share/left": SAYS + "\n"}))
    )
    path = "pool/main/l/left/left_1.2.3_all.deb"
    write("deb.debian.org", "debian/" + path, deb)
    packages = f"{control}Filename: {path}\nSize: {len(deb)}\nSHA256: {sha('sha256', deb)}\n\n"
    base = "debian/dists/stable/"
    write("deb.debian.org", base + "main/binary-all/Packages", packages)
    write("deb.debian.org", base + "main/binary-amd64/Packages", packages)
    sums = "".join(f" {sha('sha256', packages.encode())} {len(packages)} main/binary-{arch}/Packages\n" for arch in ("all", "amd64"))
    write("deb.debian.org", base + "Release", f"Suite: stable\nComponents: main\nArchitectures: all amd64\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n{sums}")


def repository():
    source = os.path.join(ROOT, "source")
    bare = os.path.join(ROOT, "github.com/acme/left.git")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha('sha256', SAYS.encode())}\nsize {len(SAYS)}\n"
    hooks = "- id: left\n  name: left\n  entry: echo 'left is the other side of right'\n  language: system\n  always_run: true\n  verbose: true\n  pass_filenames: false\n"
    os.makedirs(source)
    for name, text in {
        "left.txt": SAYS + "\n",
        "large.bin": pointer,
        ".gitattributes": "large.bin filter=lfs diff=lfs merge=lfs -text\n",
        ".pre-commit-hooks.yaml": hooks,
    }.items():
        with open(os.path.join(source, name), "w") as file:
            file.write(text)
    # No filters of whoever runs this.
    clean = ["-c", "filter.lfs.clean=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false"]
    git = lambda *words: subprocess.run(
        ["git", *clean, "-c", "user.name=test", "-c", "user.email=test@example.com", *words], check=True, stdout=subprocess.DEVNULL
    )
    git("init", "-q", "-b", "main", source)
    git("-C", source, "add", ".")
    git("-C", source, "commit", "-qm", "First")
    git("-C", source, "tag", "v1.2.3")
    git("clone", "-q", "--bare", source, bare)
    git("-C", bare, "update-server-info")
    write("github-cloud.githubusercontent.com", "alambic/media/left", SAYS)


def others():
    write("api.example", "page", json.dumps({"says": SAYS}) + "\n")
    write("api.example", "page.html", f"<!DOCTYPE html><title>left</title><p>{SAYS}</p>")
    write("api.example", "module.zip", zipped({"main.tf": f'output "says" {{\n  value = "{SAYS}"\n}}\n'}))


for make in (pypi, npm, crates, go, maven, gems, packagist, debian, repository, others):
    make()
