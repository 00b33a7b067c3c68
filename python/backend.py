"""Builds the package for pip: a wheel is an archive of its files with a list of them."""

import base64
import hashlib
import pathlib
import re
import zipfile

PACKAGE = pathlib.Path(__file__).resolve().parent / "libawsgi"

METADATA = """\
Metadata-Version: 2.1
Name: libawsgi
Version: {version}
Summary: Waiting for anything in asyncio, with libawsgi
License: MIT OR Apache-2.0
Requires-Python: >=3.9
Requires-Dist: cffi
"""

WHEEL = """\
Wheel-Version: 1.0
Generator: libawsgi
Root-Is-Purelib: true
Tag: py3-none-any
"""


def version():
    """That of the library whose header the package declares."""
    declared = (PACKAGE / "_cdef.py").read_text()
    return ".".join(re.findall(r"AWSGI_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", declared))


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    about = "libawsgi-%s.dist-info/" % version()
    files = {"libawsgi/" + path.name: path.read_bytes() for path in sorted(PACKAGE.glob("*.py"))}
    files[about + "METADATA"] = METADATA.format(version=version()).encode()
    files[about + "WHEEL"] = WHEEL.encode()
    record = "".join("%s,sha256=%s,%d\n" % (name, digest(data), len(data)) for name, data in files.items())
    files[about + "RECORD"] = (record + about + "RECORD,,\n").encode()

    wheel = "libawsgi-%s-py3-none-any.whl" % version()
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return wheel


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
