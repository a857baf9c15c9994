"""The laws of components whose fields are keys in the configuration file: sources, formats, sinks
and change detectors. Their contracts inherit them.
"""

from __future__ import annotations

import socket
from typing import Any, ClassVar

import msgspec
import pytest

from detectors.components import find, type_of
from detectors.faults import Fault
from sinks.base import Sink
from stream.sources.base import Source


class ConfigurationContract:
    """A component is found by its name, and its configuration is frozen data."""

    package: ClassVar[str]
    """The package of driftline's own components of this kind."""
    base: ClassVar[type]
    """The base class of this kind."""
    group: ClassVar[str]
    """The group of entry points."""

    @pytest.fixture
    def configuration(self) -> msgspec.Struct:
        """The configuration under test; each contract takes it from its own fixture."""
        raise NotImplementedError

    def test_it_is_found_under_its_type(self, configuration: msgspec.Struct) -> None:
        """Its entry point is installed, and has the name that is the ``tag`` of its class."""
        components: dict[str, type[Any]] = find(self.package, self.base, self.group)
        name = type_of(configuration)
        assert components.get(name) is type(configuration), (
            f"{self.group} has no entry point {name!r} that is {type(configuration).__qualname__}:"
            " declare it, and install the distribution"
        )

    def test_it_is_frozen_data_that_refuses_unknown_keys(
        self, configuration: msgspec.Struct
    ) -> None:
        data = msgspec.to_builtins(configuration)
        assert msgspec.convert(data, type(configuration)) == configuration
        assert configuration.__struct_config__.frozen
        with pytest.raises(msgspec.ValidationError, match="no_such_key"):
            msgspec.convert({**data, "no_such_key": 1}, type(configuration))

    def test_a_value_of_a_wrong_type_is_refused(self, configuration: msgspec.Struct) -> None:
        for field in msgspec.structs.fields(configuration):
            data = msgspec.to_builtins(configuration)
            data[field.encode_name] = object()
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert(data, type(configuration))

    def test_the_schema_describes_it(self, configuration: msgspec.Struct) -> None:
        """``driftline schema`` shows its docstring."""
        assert type(configuration).__doc__ != self.base.__doc__
        definitions = msgspec.json.schema(type(configuration))["$defs"]
        assert definitions[type(configuration).__name__]["description"]
        assert type(configuration).__doc__


def faults_without_network(
    component: Source | Sink, monkeypatch: pytest.MonkeyPatch
) -> list[Fault]:
    """What ``check()`` of a component returns; the test fails if it opens a connection."""

    def refuse(*_: object) -> None:
        pytest.fail("check() must not connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return component.check()
