"""The lock files fit pyproject.toml and each other, and every package in them has hashes."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.servers import microburst, ministack
from tests.support.paths import ROOT

FOLDER = ROOT / "requirements"
LOCKS = sorted(path.name for path in FOLDER.glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def text(name: str) -> str:
    return (FOLDER / name).read_text()


def pins(name: str) -> dict[str, set[str]]:
    """The versions of each package; more than one where they depend on the version of Python."""
    versions: dict[str, set[str]] = defaultdict(set)
    for package, version in PINNED.findall(text(name)):
        versions[canonicalize_name(package)].add(version)
    return versions


def unsatisfied(requirements: list[str], lock: str) -> list[str]:
    """The requirements that no version of the lock satisfies."""
    locked = pins(lock)
    parsed = [Requirement(requirement) for requirement in requirements]
    return [
        str(requirement)
        for requirement in parsed
        if not all(
            requirement.specifier.contains(version)
            for version in locked.get(canonicalize_name(requirement.name), {"0"})
        )
    ]


def test_the_service_lock_satisfies_the_dependencies_of_the_wheel() -> None:
    requirements = [*PROJECT["dependencies"], *EXTRAS["fast"], *EXTRAS["msk"]]
    assert unsatisfied(requirements, "service.lock") == []


def test_the_dev_lock_satisfies_the_requirements_of_the_tests() -> None:
    assert unsatisfied([*PROJECT["dependencies"], *EXTRAS["dev"]], "dev.lock") == []


@pytest.mark.parametrize("name", ["service.lock", "build.lock"])
def test_tests_run_with_the_versions_that_are_deployed(name: str) -> None:
    tested = pins("dev.lock")
    assert {
        package: versions
        for package, versions in pins(name).items()
        if package in tested and versions != tested[package]
    } == {}


@pytest.mark.parametrize("source", sorted(path.name for path in FOLDER.glob("*.in")))
def test_every_lock_satisfies_its_source(source: str) -> None:
    lines = [line for line in text(source).splitlines() if line and not line.startswith("#")]
    assert unsatisfied(lines, Path(source).with_suffix(".lock").name) == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_hashes_and_no_index_is_named(name: str) -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", text(name))
    packages = [entry for entry in entries if PINNED.match(entry)]
    assert packages
    assert [entry.split()[0] for entry in packages if "--hash=sha256:" not in entry] == []
    assert "://" not in text(name)
    assert "--index" not in text(name)


def test_versions_named_in_the_code_are_those_of_the_locks() -> None:
    assert microburst.WHEEL in text("microburst.in")
    assert ministack.WHEEL in text("ministack.in")
    assert set(EXTRAS["fuzz"]) <= set(text("fuzz.in").splitlines())


@pytest.mark.parametrize("path", ["Makefile", "deploy/Dockerfile"])
def test_every_installation_requires_hashes_or_resolves_nothing(path: str) -> None:
    joined = (ROOT / path).read_text().replace("\\\n", " ")
    commands = re.findall(
        r"(?:pip|\$\(PIP\))[^&\n]* (?:install|wheel|\$\(LOCKED\)) [^&\n]*", joined
    )
    assert len(commands) >= 3
    allowed = ("--require-hashes", "$(LOCKED)", "--no-deps")
    assert [line for line in commands if not any(option in line for option in allowed)] == []
