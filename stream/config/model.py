"""The configuration file: typed, complete, and checked without network. Every key is read by
something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Union

import msgspec

from detectors.changes.base import Change
from detectors.components import find
from detectors.decisions.rules import FeatureRules, Rules
from detectors.durations import Duration, duration_ms
from sinks.aws.client import url_faults
from sinks.base import Sink
from stream.dedupe.filter import Dedupe
from stream.formats.base import Format, IdentityConfig, NameConfig, TimeConfig
from stream.sources.base import Source

if TYPE_CHECKING:
    AnySource = Source
    AnyFormat = Format
    AnySink = Sink
    AnyChange = Change
else:
    AnySource = Union[tuple(find("stream.sources", Source, "driftline.sources").values())]  # noqa: UP007  # the members are found when this runs
    AnyFormat = Union[tuple(find("stream.formats", Format, "driftline.formats").values())]  # noqa: UP007  # the members are found when this runs
    AnySink = Union[tuple(find("sinks", Sink, "driftline.sinks").values())]  # noqa: UP007  # the members are found when this runs
    AnyChange = Union[
        tuple(find("detectors.changes", Change, "driftline.change_detectors").values())
    ]  # the members are found when this runs


class S3Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The object that holds the state (``key``: ``driftline/JOB.state`` unless given). Another
    service may take over once the object has not changed for ``take_over_after``.
    """

    bucket: Annotated[str, msgspec.Meta(min_length=3)]
    key: str = ""
    region: str = ""
    endpoint_url: str = ""
    take_over_after: Duration = "10s"

    def check(self) -> list[str]:
        """Faults that can be seen without network."""
        return url_faults(self.endpoint_url)


class StateConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the state lies: one SQLite file; with ``s3`` it is the local copy of an object there.
    ``commit_interval``: how often it is written at the least, also when no window closes.
    """

    path: str = "driftline.sqlite"
    commit_interval: Duration = "1s"
    s3: S3Config | None = None


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model: the folder of its baseline (or ``learn``), and what differs for it.

    ``outputs`` and ``inputs`` name the columns of the answer and of the request in their order;
    without them the baseline's columns serve, those with the role prediction as the answer. A named
    column that the baseline lacks is learned.
    """

    baseline: str
    outputs: list[str] | None = None
    inputs: list[str] | None = None
    features: dict[str, FeatureRules] = {}
    change_detectors: list[AnyChange] = []

    @property
    def learned(self) -> bool:
        """True if there is no baseline yet."""
        return self.baseline == "learn"


class LearnConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``events``: how many rows a baseline is learned from."""

    events: Annotated[int, msgspec.Meta(ge=100)] = 5_000


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where ``/metrics``, ``/healthz`` and ``/readyz`` are served; port 0 takes a free one. The
    service is not ready while a partition is behind by more than ``ready_behind``.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9108
    ready_behind: Duration = "60s"


class DeadLetterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where records that could not be counted are kept; their payload only with ``keep_payload``."""

    path: str = "dead-letters.jsonl"
    keep_payload: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole configuration file. Durations are text with a unit; relative paths start at the
    file's folder.

    ``readers``: 1 reads in the service's own process, more are processes that share the partitions.
    """

    job: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
            max_length=100,
            description=(
                "a word of letters, digits, dots, dashes and underscores, a letter or digit first"
            ),
        ),
    ]
    source: AnySource
    format: AnyFormat
    models: Annotated[dict[str, ModelConfig], msgspec.Meta(min_length=1)]
    model: NameConfig
    variant: NameConfig = NameConfig(name="AllTraffic")
    time: TimeConfig = TimeConfig()
    window: Duration = "60s"
    every: Duration | None = None
    grace: Duration | None = None
    lateness: Duration = "10m"
    idle: Duration = "10s"
    tolerance: Duration = "60s"
    readers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    on_gap: Literal["continue", "stop"] = "continue"
    dedupe: Dedupe | None = None
    learn: LearnConfig = LearnConfig()
    rules: Rules = Rules()
    sinks: list[AnySink] = []
    state: StateConfig = StateConfig()
    http: HttpConfig = HttpConfig()
    dead_letters: DeadLetterConfig = DeadLetterConfig()
    expose_values: bool = False

    @property
    def every_ms(self) -> int:
        """Length of a pane."""
        return duration_ms(self.every or self.window)

    @property
    def grace_ms(self) -> int:
        """Expected disorder: as configured, else what is usual for the source."""
        return duration_ms(self.grace or self.source.default_grace)

    @property
    def origin(self) -> IdentityConfig:
        """Where model, variant and time of a record come from."""
        return IdentityConfig(self.model, self.variant, self.time)
