"""
C{wsmsg journal}: what an operator does to the journal.
"""

from __future__ import annotations

from pathlib import Path

import click

from wsmsg.cli.paths import fail
from wsmsg.cli.say import say
from wsmsg.cli.transfer import run, settings_of
from wsmsg.errors import Unavailable


@click.group("journal")
def journal() -> None:
    """
    Change the topic of a journal in Kafka.
    """


@journal.command("repartition")
@click.option(
    "--partitions",
    type=click.IntRange(1, 10000),
    help="The number of partitions of the new topic.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The settings file of the Messages.",
)
@click.option(
    "--wait",
    type=click.FloatRange(1, 86400),
    default=60.0,
    show_default=True,
    help="Seconds for what was accepted to be stored; then the old topic is opened "
    "again, and nothing has changed.",
)
@click.option("--dry-run", is_flag=True, help="Look, and change nothing.")
@click.option(
    "--cancel",
    is_flag=True,
    help="Open the old topic again, after a run that was interrupted.",
)
def repartition(
    partitions: int | None,
    config: Path | None,
    wait: float,
    dry_run: bool,
    cancel: bool,
) -> None:
    """
    Give the journal another number of partitions, while Messages run.

    The partitions of a topic in use must not change, as conversations would move to
    others while records of theirs wait.  So the command makes a new topic, has the
    brokers refuse records of the old one, waits until Messages have stored all that it
    has, and names the new one in the store, where all Messages look.  Meanwhile sends
    are refused as unavailable, and clients repeat them.

    The command may be repeated after an interruption at any step; it continues.

    \b
    Examples:
      wsmsg journal repartition --partitions 12 --config /etc/wsmsg/many.toml --dry-run
      wsmsg journal repartition --partitions 12 --config /etc/wsmsg/many.toml
      wsmsg journal repartition --cancel --config /etc/wsmsg/many.toml
    """
    if (partitions is None) is not cancel:
        raise click.UsageError("give either --partitions or --cancel")
    settings = settings_of(config, None, None)
    if not settings.journal.startswith("kafka:"):
        fail("the journal is embedded, and has no partitions (message.journal)")
    from wsmsg.cli.journal.repartition import Repartition
    from wsmsg.message.journal.kafka.moving.topic_move import NotMoved

    work = Repartition(settings, partitions or 1, wait_s=wait)
    do = work.cancel if cancel else work.plan if dry_run else work.run
    say(run(do, (Unavailable, NotMoved)))
