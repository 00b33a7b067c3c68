"""Flask, Bottle and Django, as PyPI has them: fetched once, into target/."""

import os
import pathlib
import subprocess
import sys

NAMES = ("flask", "bottle", "django")
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def path():
    """Where they are, for PYTHONPATH: the packages of a virtual environment for this version of Python."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).absolute()
    root = target / "python" / ("frameworks-%d.%d" % sys.version_info[:2])
    finished = root / "finished"
    if not finished.exists():
        fetch(root)
        finished.touch()
    return str(next((root / "lib").glob("python*/site-packages")))


def fetch(root):
    run([sys.executable, "-m", "venv", "--clear", str(root)], "a virtual environment cannot be made; run: make deps")
    install = [str(root / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *NAMES]
    run(install, "they could not be fetched from PyPI")


def run(command, trouble):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError("%s: %s: %s" % (", ".join(NAMES), trouble, done.stdout))
