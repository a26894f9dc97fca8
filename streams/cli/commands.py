"""Every command with its options. What a command needs is imported when it runs: ``--help`` must be quick."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from driftline import __version__
from driftline.schemas.errors import ConfigurationError, DriftlineError, TopologyError
from driftline.streams.cli.options import ConfigOption, JsonOption, KafkaOption, RedisOption, settings_of
from driftline.streams.cli.output import write_json, write_line, write_note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.client import ModelState, StateReader
    from driftline.schemas.config import Configuration

_OPEN: Final = 3

app = typer.Typer(
    name="driftline",
    help="Watches machine-learning models while they serve.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a bug shows Python's own traceback, which bug reports can be made of
    context_settings={"help_option_names": ["-h", "--help"]},
)
topics_app = typer.Typer(help="The Kafka topics.", no_args_is_help=True)
app.add_typer(topics_app, name="topics")


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"driftline {__version__}")
        raise typer.Exit


@app.callback()
def driftline(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Watch machine-learning models while they serve."""


def _configuration_of(path: Path | None) -> Configuration:
    from driftline.schemas.config import Configuration

    if path is None:
        return Configuration()
    from driftline.streams.configuration import read_configuration

    return read_configuration(path)


@app.command()
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Run the script to its end, print a table, and judge it.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn at random.", min=0)] = 1,
) -> None:
    """Show all of Driftline on this machine: no server, no network.

    With --once the exit code is 0 only if every scripted incident was caught and nothing else fired.
    """
    from driftline.streams.demo import run

    raise typer.Exit(run(once=once, seed=seed))


@app.command()
def worker(*, kafka: KafkaOption = None, redis: RedisOption = None, config: ConfigOption = None) -> None:
    """Watch models: read predictions and labels, publish alerts, keep the state in Redis.

    SIGTERM drains it: what was processed is saved, and it exits with 0; with 1 if that could not be saved.
    """
    from driftline.streams.cli.logs import log_to_stderr
    from driftline.streams.run import run_worker

    settings = settings_of(kafka, redis, config)
    configuration = _configuration_of(settings.config)
    log_to_stderr()
    run_worker(settings, configuration)


@app.command()
def warm() -> None:
    """Compile what events pass, so that the first start does not have to; for images, and before measuring."""
    from driftline.models.kernels.compiled import PLACE
    from driftline.streams.compiled import compiled

    if PLACE is None:
        raise ConfigurationError(
            "no folder for machine code can be written to by this user alone: set NUMBA_CACHE_DIR to one"
        )
    took = compiled(write_note)
    write_line(f"ready after {took:.1f} s; machine code is in {PLACE.folder}")


@app.command()
def replay(  # noqa: PLR0913 - its options
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the results go; made if need be.")],
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Predictions: one JSON event or batch a line, .gz too, or a .csv, .tsv or .parquet."
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Labels, likewise; of a table that has both it may be the same.")
    ] = None,
    columns: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML that says where events stand in tables.")
    ] = None,
    journal: Annotated[bool, typer.Option("--journal", help="Read a worker's run from Kafka instead.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Read records of Kafka from then on; else from the oldest."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Read those before then; else to the end as it is now.")
    ] = None,
    offsets: Annotated[
        list[str] | None,
        typer.Option(metavar="RANGE", help="Read TOPIC:PARTITION:START-END of Kafka, without END; may be repeated."),
    ] = None,
    kafka: KafkaOption = None,
    config: ConfigOption = None,
    batch: Annotated[int, typer.Option(help="Records at once; changes nothing but speed.", min=1, max=100_000)] = 1000,
) -> None:
    """Read files of events, a worker's run, or records of Kafka, through the same pipeline as the worker's.

    With --journal it is what the worker did with the records in Kafka, in its order, and leads to the same alerts.

    With --from, --to or --offsets it is what a worker without any state would do with these records of Kafka. A TIME
    is RFC 3339, such as 2026-11-27T00:00:00Z, or epoch milliseconds; it is of the broker, not of the event.

    Writes alerts.jsonl, retrain.jsonl, dead_letters.jsonl and state.json.
    """
    from driftline.streams.cli.progress import counting

    settings = settings_of(kafka, config=config)
    configuration = _configuration_of(settings.config)
    from driftline.streams.cli.ranges import range_of

    asked = range_of(since, until, offsets or ())
    has_files = predictions is not None or labels is not None
    if has_files + journal + (asked is not None) != 1 or (predictions is None) != (labels is None):
        raise ConfigurationError(
            "give --predictions and --labels, or --journal, or a range of Kafka: --from and --to, or --offsets"
        )
    if columns is not None and not has_files:
        raise ConfigurationError("--columns is for tables, and Kafka has none")
    from driftline.streams.cli.tables import event_files
    from driftline.streams.compiled import compile_once

    files = None if predictions is None or labels is None else event_files(predictions, labels, columns)
    compile_once(write_note)
    with counting("records replayed") as show:
        if files is not None:
            from driftline.streams.replay import replay as replay_files

            totals = replay_files(configuration, files, out, batch=batch, progress=lambda totals: show(totals.records))
        elif asked is not None:
            from driftline.streams.replay_range import KafkaRange, replay_range

            wanted = KafkaRange(settings.kafka, asked)
            totals = replay_range(configuration, wanted, out, batch=batch, progress=lambda totals: show(totals.records))
        else:
            from driftline.streams.replay_journal import replay_journal

            totals = replay_journal(configuration, settings.kafka, out, progress=lambda totals: show(totals.records))
    counts = {"alert": totals.alerts, "retrain request": totals.retrain_requests, "dead letter": totals.dead_letters}
    said = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
    write_line(f"{totals.records} records: {said}; written to {out}")
    totals.refusals.tell(write_note)


@app.command()
def backtest(
    *,
    config: Annotated[
        list[Path], typer.Option(metavar="FILE", help="A configuration file: give two, the one and the other.")
    ],
    predictions: Annotated[Path, typer.Option(metavar="FILE", help="Predictions, as of replay.")],
    labels: Annotated[Path, typer.Option(metavar="FILE", help="Labels, as of replay.")],
    columns: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML that says where events stand in tables.")
    ] = None,
) -> None:
    """Say which incidents another configuration would have told of the same files, or not, or at another time.

    Of the first alone: -, of the second alone: +, of both at another time or severity: ~, of both alike: =.
    """
    if len(config) != 2:  # noqa: PLR2004 - the one and the other
        raise ConfigurationError(f"give --config twice, for the one and the other, not {len(config)} times")
    from driftline.streams.backtest import backtest as compared
    from driftline.streams.cli.differences import show_differences
    from driftline.streams.cli.progress import counting
    from driftline.streams.cli.tables import event_files
    from driftline.streams.compiled import compile_once

    first, second = (_configuration_of(path) for path in config)
    files = event_files(predictions, labels, columns)
    compile_once(write_note)
    with counting("records replayed") as show:
        differences = compared(first, second, files, progress=show)
    show_differences(differences)


@app.command()
def tune(  # noqa: PLR0913 - its options
    *,
    predictions: Annotated[Path, typer.Option(metavar="FILE", help="Predictions, as of replay.")],
    labels: Annotated[Path, typer.Option(metavar="FILE", help="Labels, as of replay.")],
    config: ConfigOption = None,
    columns: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML that says where events stand in tables.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Which model, if the files have several.")] = None,
    feature: Annotated[
        str | None, typer.Option(help="The numeric feature that is changed; by default the first.")
    ] = None,
    calm: Annotated[str, typer.Option(help="Event time that there is to be between two false alarms.")] = "30d",
) -> None:
    """Propose a budget of false alarms and gates from history in which all was well, and say what they would find.

    Changes are put into the second half of the history: of a feature, of how often it is missing, of a category, of
    labels and of predictions in a slice. The files are read three times as they are, and once for each change until
    that pages. Gates are only ever raised.
    """
    from driftline.schemas.durations import parse_duration
    from driftline.streams.cli.progress import counting
    from driftline.streams.cli.tables import event_files
    from driftline.streams.cli.tuning import show_tuning
    from driftline.streams.compiled import compile_once
    from driftline.streams.tune import tune as tuned

    try:
        between = parse_duration(calm)
    except ValueError as error:
        raise ConfigurationError(f"--calm {error}") from None
    if between <= 0:
        raise ConfigurationError("--calm must be longer than 0s: no budget has no false alarm at all")
    configuration = _configuration_of(config)
    files = event_files(predictions, labels, columns)
    compile_once(write_note)
    with counting("records replayed") as show:
        tuning = tuned(configuration, files, model, calm=between, feature=feature, progress=show)
    show_tuning(tuning)


@app.command()
def status(
    model: Annotated[str | None, typer.Argument(help="One model in detail; without it, all in a table.")] = None,
    *,
    fail_on: Annotated[
        Literal["info", "warning", "critical"] | None,
        typer.Option("--fail-on", help="Exit with 3 if an incident of this severity is open, or of a worse one."),
    ] = None,
    redis: RedisOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how models are doing, as of their last checkpoint.

    With --fail-on the exit code says whether a model that was asked for is doing badly: for gates of a pipeline.
    """
    from driftline.client import StateReader
    from driftline.streams.cli.status import Gate, show_model, show_models

    gate = Gate(fail_on)
    with StateReader(settings_of(redis=redis).redis) as reader:
        if model is None and not as_json:
            show_models(map(gate.passing, reader.overviews()))
        else:
            for state in map(gate.passing, _states(reader, model)):
                if as_json:
                    write_json(state.model_dump(mode="json"))
                else:
                    show_model(state)
    if gate.is_shut:
        raise typer.Exit(_OPEN)


def _states(reader: StateReader, model: str | None) -> Iterator[ModelState]:
    if model is None:
        yield from reader.states()
    elif (state := reader.state(model)) is not None:
        yield state
    else:
        raise DriftlineError(f"no model {model!r} has been seen: `driftline status` lists those that have")


@app.command()
def alerts(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new alerts as they come.")] = False,
    last: Annotated[int, typer.Option(metavar="COUNT", help="How many old ones, at most.", min=0)] = 1000,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Of this model only.")] = None,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the alerts that Kafka has, oldest first."""
    from driftline.streams.cli.alerts import AlertLog, write_alert, write_alert_as_json

    show = write_alert_as_json if as_json else write_alert
    with AlertLog(settings_of(kafka).kafka, model) as log:
        kept, total = log.newest(last)
        if last and total > len(kept):
            write_note(f"the last {len(kept)} of {total} alerts; --last {total} shows all")
        for alert in kept:
            show(alert)
        for alert in log if follow else ():
            show(alert)


@topics_app.command("create")
def create(
    *,
    kafka: KafkaOption = None,
    partitions: Annotated[
        int | None, typer.Option(help="Of each topic, for good; else DRIFTLINE_TOPIC_PARTITIONS or 8.", min=1)
    ] = None,
    replication_factor: Annotated[int, typer.Option(help="Copies of each partition.", min=1)] = 1,
) -> None:
    """Create the topics that do not exist yet, and check those that do."""
    from driftline.streams.topology import check_topics, create_topics

    settings = settings_of(kafka)
    created = create_topics(settings.kafka, partitions or settings.topic_partitions, replication_factor)
    count = check_topics(settings.kafka).partitions
    if partitions not in {None, count}:
        raise TopologyError(
            f"the input topics exist already and have {count} partitions, not {partitions}, which cannot be changed "
            "without starting anew: delete all topics and empty Redis first"
        )
    write_line(f"created {', '.join(created) or 'nothing'}; the input topics have {count} partitions")


@app.command()
def check(config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file.")]) -> None:
    """Check a configuration file."""
    configuration = _configuration_of(config)
    names = ", ".join(model.model_id for model in configuration.models) or "none, so every model has the defaults"
    write_line(f"{config} is fine; models: {names}")


@app.command()
def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Print this document.", show_default=False)
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write all of them there; made if need be.")] = None,
) -> None:
    """Write the contract for machines: JSON Schemas of events, configuration and state, and an AsyncAPI document.

    Without NAME and --out, the names of the documents.
    """
    from driftline.streams.cli.documents import show_document, show_names, write_documents

    if name is not None and out is not None:
        raise ConfigurationError("NAME prints one document and --out writes all of them: give one of the two")
    if out is not None:
        write_documents(out)
    elif name is not None:
        show_document(name)
    else:
        show_names()
