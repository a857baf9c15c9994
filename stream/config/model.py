"""The configuration file as types: every key with its type, its default and its description.

The descriptions below the keys are those of the JSON schema and of docs/configuration.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import msgspec

from detectors.changes.base import Change
from detectors.components import find
from detectors.decisions.rules import FeatureRules, Rules, Weight
from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from detectors.profiles.calendar import SeasonPart
from detectors.profiles.segmentation import MOST_SEGMENTS
from detectors.quality.config import QualityConfig
from sinks.aws.client import url_faults
from sinks.base import Sink
from stream.dedupe.filter import Dedupe
from stream.formats.base import Format, IdentityConfig, NameConfig, TimeConfig
from stream.labels.base import LabelFormat
from stream.sources.base import Source


def _any_of(package: str, base: type, group: str) -> Any:
    """The union of all components of a kind, those of other distributions included."""
    return Union[tuple(find(package, base, group).values())]  # noqa: UP007  # its members are found at run time


if TYPE_CHECKING:
    AnySource = Source
    AnyFormat = Format
    AnySink = Sink
    AnyChange = Change
    AnyLabelFormat = LabelFormat
else:
    AnySource = _any_of("stream.sources", Source, "driftline.sources")
    AnyFormat = _any_of("stream.formats", Format, "driftline.formats")
    AnySink = _any_of("sinks", Sink, "driftline.sinks")
    AnyChange = _any_of("detectors.changes", Change, "driftline.change_detectors")
    AnyLabelFormat = _any_of("stream.labels.formats", LabelFormat, "driftline.label_formats")


class S3Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The S3 object that holds the state, so that a service on another machine can take over."""

    bucket: Annotated[str, msgspec.Meta(min_length=3)]
    """The bucket."""
    key: str = ""
    """The key of the object; empty: ``driftline/JOB.state``."""
    region: str = ""
    """The bucket's AWS region; empty: that of the AWS configuration."""
    endpoint_url: str = ""
    """The address of an S3-compatible service; empty: AWS."""
    take_over_after: Duration = "10s"
    """A standby takes over once the object has not changed for this long; ``3s`` to ``10m``."""

    def check(self) -> list[Fault]:
        """Check the address."""
        return url_faults(self.endpoint_url)


class StateConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the state is kept: positions, open windows, episodes, undelivered items."""

    path: str = "driftline-JOB.sqlite"
    """The SQLite file; with ``s3`` it is the local copy of the object there. The default is named
    after the job.
    """
    commit_interval: Duration = "1s"
    """The longest time between two commits, also when no window closes."""
    s3: S3Config | None = None
    """The object in S3; without it the state is the file alone."""


class LearnConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a baseline is learned, where a model has none."""

    events: Annotated[int, msgspec.Meta(ge=100)] = 5_000
    """The number of rows that a baseline is learned from."""
    at_least: Duration = "0s"
    """The event time that the rows come from, at most ``366d``: with ``24h`` each hour of a day
    gives the same number of them. Without it they are the first ones.
    """


class SeasonConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seasons that a model learns from the stream: what its windows look like at which times.

    Until they are learned, and where the baseline has seasons of its own, nothing changes.
    """

    by: Annotated[list[SeasonPart], msgspec.Meta(min_length=1)]
    """What seasons differ by: ``hour_of_day``, ``weekday``, ``weekend``, ``month``, or several. A
    season with few rows is pooled with those that share the first of them.
    """
    timezone: str = "UTC"
    """Whose hours and days count, as ``Europe/Berlin``."""
    holidays: str = ""
    """Whose holidays are days of their own: a country (``DE``) or a part of one (``DE-BY``); empty:
    none.
    """
    learn: Duration = "7d"
    """The length of the windows that seasons are learned from; then they do not change any more."""


class JointConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which features are judged together, by how they depend on each other."""

    features: Annotated[list[str], msgspec.Meta(min_length=2, max_length=40)] | None = None
    """The names of 2 to 40 columns, all pairs of which are judged. Without it those that the
    baseline counts in pairs; of ``baseline: learn`` the first 20 whose values vary.
    """


class SegmentsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column whose values divide the rows of a model into segments, each judged on its own."""

    by: Annotated[str, msgspec.Meta(min_length=1)]
    """The column: one of texts, or of numbers that are codes."""
    most: Annotated[int, msgspec.Meta(ge=1, le=MOST_SEGMENTS)] = 50
    """The number of its values, those most frequent in the baseline, that are a segment of their
    own; the rows of all others, and those without a value, are one more.
    """


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model: its baseline, its columns, and the rules that differ for it.

    Without ``outputs`` and ``inputs`` the columns of the baseline are used, in their order; those
    with the role ``prediction`` are the outputs. A named column that the baseline does not have is
    learned from the first events.
    """

    baseline: str
    """The folder that ``driftline baseline`` wrote, or one of SageMaker Model Monitor with
    ``statistics.json``; or ``learn``: the first events become the baseline.
    """
    outputs: list[str] | None = None
    """The columns of the model's response, in their order; without them the baseline's predictions.
    Required with ``baseline: learn``.
    """
    inputs: list[str] | None = None
    """The columns of the request, in their order; without them the baseline's other columns.
    Required with ``baseline: learn``.
    """
    features: dict[str, FeatureRules] = {}
    """Rules of single features, by the name of the column."""
    weights: dict[str, Weight] | str = {}
    """What each feature may spend of the budget of false alarms, in proportion to those of the
    others: a number from 0.000001 to 1000000 by the name of the column, 1 for those that are not
    named, 0 for one that is reported and never signalled. Or a JSON file of such a mapping, as of
    the importances of a model, which are divided by their mean. Of the mode ``evidence``.
    """
    joint: JointConfig | None = None
    """Judge how features depend on each other, also while each of them stays as it is; without it
    they are judged one by one. It needs a baseline that was made with ``--joint``, or ``baseline:
    learn``. Of the mode ``evidence``.
    """
    segments: list[SegmentsConfig] = []
    """The columns by whose values the rows are divided into segments, which have counts and a
    baseline of their own (``driftline baseline --segment COLUMN``). Of the mode ``evidence``.
    """
    change_detectors: list[AnyChange] = []
    """Detectors of abrupt changes in a series with one number per window."""
    learn: LearnConfig | None = None
    """How the baseline of this model is learned; without it as ``learn`` of the job says."""

    season: SeasonConfig | None = None
    """The seasons that the model learns from the stream, unless its baseline has some; without it,
    every window is compared with the whole baseline.
    """
    quality: QualityConfig | None = None
    """How the quality of the model is measured once labels are there; it needs ``labels``."""

    @property
    def learned(self) -> bool:
        """True if the first events become the baseline."""
        return self.baseline == "learn"

    @property
    def divided_by(self) -> tuple[tuple[str, int], ...]:
        """The columns that rows are divided by, each once, with the most values that are segments.

        A column that is named twice is a fault of its own.
        """
        return tuple({each.by: each.most for each in self.segments}.items())


class LabelsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the labels come from, and how each finds its prediction."""

    source: AnySource
    """Where the labels come from."""
    format: AnyLabelFormat
    """How a label is written."""
    join: Literal["inference_id", "event_id"] | None = None
    """The id of the event that a label names; without it the ``inference_id`` where an event has
    one, else its ``event_id``.
    """
    horizon: Duration = "30d"
    """How long a prediction waits for its label, by the time of the labels; ``1s`` to ``366d``."""
    duplicates: Literal["first", "last", "reject"] = "last"
    """Which of several labels of one prediction counts; with ``reject``, none of labels that
    contradict each other. They are counted in any case.
    """
    sample: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    """The share of the predictions that wait for a label, chosen by a hash of their ids."""


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The certificate of an HTTPS server."""

    certificate: Annotated[str, msgspec.Meta(min_length=1)]
    """A PEM file with the certificate and those of its issuers, in this order."""
    key: Annotated[str, msgspec.Meta(min_length=1)]
    """A PEM file with the private key."""


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the service answers HTTP: ``/metrics``, ``/healthz`` and ``/readyz``."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = None
    """The port; 0: any that is free. Without it 9108, or the next free one up to 9117, with a
    warning: two jobs of a machine run side by side.
    """
    ready_behind: Duration = "60s"
    """``/readyz`` fails while a partition lags behind by more than this."""
    tls: TlsConfig | None = None
    """Serve HTTPS with this certificate; without it HTTP."""
    token: str = ""
    """A secret that ``/metrics`` requires as ``Authorization: Bearer TOKEN``; empty: none. Without
    it the other two pages answer with their status alone. Give it as ``${NAME}`` or
    ``${file:PATH}``.
    """


class DeadLetterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where records that could not be counted are kept, with their position and the reason.

    Every such record is counted by its reason, also one that is left out here.
    """

    path: str = "dead-letters-JOB.jsonl"
    """The file that they are appended to; the default is named after the job."""
    keep_payload: bool = False
    """Whether the payload is kept too, not only its hash."""
    most_per_s: Annotated[int, msgspec.Meta(ge=1)] = 1_000
    """The number of records kept in a second, on average over ten seconds; a line of the file says
    how many more were left out.
    """
    file_mb: Annotated[int, msgspec.Meta(ge=1)] = 100
    """The size in megabytes from which on the file is renamed to ``PATH.1`` and a new one begun."""
    old_files: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 3
    """The number of renamed files that are kept, up to ``PATH.3``; the oldest one is removed."""


def path_of_job(path: str, default: str, job: str) -> str:
    """Return a configured path; if it is the default, the one of this job.

    >>> path_of_job("driftline-JOB.sqlite", "driftline-JOB.sqlite", "prices")
    'driftline-prices.sqlite'
    >>> path_of_job("/var/JOB", "driftline-JOB.sqlite", "prices")
    '/var/JOB'
    """
    return path.replace("JOB", job) if path == default else path


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of one job."""

    job: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
            max_length=100,
            extra={
                "expected": (
                    "a word of letters, digits, dots, dashes and underscores, a letter or digit"
                    " first"
                )
            },
        ),
    ]
    """The name of the job in reports, metrics and the state: letters, digits, dots, dashes and
    underscores, a letter or digit first.
    """
    source: AnySource
    """Where the inference events come from."""
    format: AnyFormat
    """How an event is written."""
    models: Annotated[dict[str, ModelConfig], msgspec.Meta(min_length=1)]
    """The models, by the name that events carry."""
    model: NameConfig
    """Where the name of an event's model is."""
    variant: NameConfig = NameConfig(name="AllTraffic")
    """Where the name of an event's variant is, as in an A/B test."""
    time: TimeConfig = TimeConfig()
    """Where the event time is."""
    window: Duration = "60s"
    """The length of a window of event time."""
    most_variants: Annotated[int, msgspec.Meta(ge=1)] = 1_000
    """The largest number of variants of a model that are counted by name, in the order of their
    first events; all others are counted together as ``other``.
    """
    every: Duration | None = None
    """How often a sliding window ends: a divisor of ``window``. Without it windows tumble."""
    grace: Duration | None = None
    """How far out of order events usually are: a window is reported this long after its end.
    Without it the default of the source: ``5m`` for files, ``2s`` for Kafka and Kinesis.
    """
    lateness: Duration = "10m"
    """How much longer late events are counted; their window is then reported again."""
    idle: Duration = "10s"
    """A partition without events for this long no longer holds windows open."""
    tolerance: Duration = "60s"
    """An event dated further than this after its arrival is counted at its arrival."""
    readers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """The processes that share the partitions; 1: the service reads in its own process."""
    on_gap: Literal["continue", "stop"] = "continue"
    """Whether the job continues or stops if the log no longer has the records to read next."""
    dedupe: Dedupe | None = None
    """How an event that is sent again is recognised; without it every record is counted."""
    labels: LabelsConfig | None = None
    """Where the labels come from; the models that use them have ``quality``."""
    learn: LearnConfig = LearnConfig()
    """How a baseline is learned, where a model has no ``learn`` of its own."""
    rules: Rules = Rules()
    """Limits and alarm policy."""
    sinks: list[AnySink] = []
    """Where reports and signals are delivered."""
    state: StateConfig = StateConfig()
    """Where the state is kept."""
    reload: Literal["watch", "signal"] = "watch"
    """When a running service reads edited limits: ``watch`` within seconds after the configuration
    or a ``constraints.json`` has changed, and on SIGHUP; ``signal`` on SIGHUP alone.
    """
    http: HttpConfig = HttpConfig()
    """Where the service answers HTTP."""
    dead_letters: DeadLetterConfig = DeadLetterConfig()
    """Where records that could not be counted are kept."""
    expose_values: bool = False
    """Whether signals may name feature values."""

    @property
    def every_ms(self) -> int:
        """The length of a pane: ``every``, or ``window`` where windows tumble."""
        return duration_ms(self.every or self.window)

    @property
    def grace_ms(self) -> int:
        """``grace``, or the default of the source."""
        return duration_ms(self.grace or self.source.default_grace)

    @property
    def identity(self) -> IdentityConfig:
        """Where model, variant and time of a record come from."""
        return IdentityConfig(self.model, self.variant, self.time, self.expose_values)
