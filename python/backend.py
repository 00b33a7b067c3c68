"""Builds the package for pip: a wheel is an archive of its files with a list of them.

The library comes with it, and what build.py compiles. If LIBAWSGI names an installed library, the package uses that one
instead, and no cargo is needed.
"""

import base64
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

import build
from libawsgi import places

PACKAGE = build.PYTHON / "libawsgi"
ROOT = build.ROOT

METADATA = """\
Metadata-Version: 2.1
Name: libawsgi
Version: {version}
Summary: WSGI applications that suspend, and waiting for anything in asyncio
License: MIT OR Apache-2.0
Requires-Python: >=3.9
Requires-Dist: cffi
"""

WHEEL = """\
Wheel-Version: 1.0
Generator: libawsgi
Root-Is-Purelib: false
Tag: {tag}
"""


def tag():
    """Which interpreters the compiled parts are for."""
    python = "cp%d%d" % sys.version_info[:2]
    flags = getattr(sys, "abiflags", "")
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return "%s-%s%s-%s" % (python, python, flags, platform)


def library(folder):
    """The library of this tree, built into a folder of its own: what `make build` has made stays as it is."""
    if shutil.which("cargo") is None:
        build.fail(
            "cargo is missing; install Rust from https://rustup.rs, or name a library that is installed: "
            "LIBAWSGI=/usr/local/lib/libawsgi.so pip install ./python"
        )
    build.compiler()
    target = ROOT / "target" / "package"
    command = ["cargo", "rustc", "--release", "--locked", "--lib", "--crate-type", "cdylib", "--features", "ffi,server"]
    command += ["--target-dir", str(target)]
    if subprocess.run(command, cwd=str(ROOT), check=False).returncode != 0:
        build.fail("cargo could not build the library; it was called in %s as\n  %s" % (ROOT, " ".join(command)))
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    built = folder / places.shared(places.constant("AWSGI_ABI_VERSION"))
    shutil.copyfile(target / "release" / ("libawsgi" + suffix), built)


def compiled(folder):
    """All that is not Python, in a folder."""
    named = os.environ.get("LIBAWSGI")
    if named:
        if not os.path.exists(named):
            build.fail("LIBAWSGI is %s, and there is no such file; give the path of libawsgi.so" % named)
        (folder / "library").write_text(os.path.abspath(named) + "\n")
    else:
        library(folder)
    build.build(folder, "")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    about = "libawsgi-%s.dist-info/" % places.version()
    files = {
        "libawsgi/" + path.relative_to(PACKAGE).as_posix(): path.read_bytes() for path in sorted(PACKAGE.rglob("*.py"))
    }
    with tempfile.TemporaryDirectory() as folder:
        compiled(pathlib.Path(folder))
        files.update({"libawsgi/" + path.name: path.read_bytes() for path in sorted(pathlib.Path(folder).iterdir())})
    files[about + "METADATA"] = METADATA.format(version=places.version()).encode()
    files[about + "WHEEL"] = WHEEL.format(tag=tag()).encode()
    record = "".join("%s,sha256=%s,%d\n" % (name, digest(data), len(data)) for name, data in files.items())
    files[about + "RECORD"] = (record + about + "RECORD,,\n").encode()

    wheel = "libawsgi-%s-%s.whl" % (places.version(), tag())
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return wheel


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
