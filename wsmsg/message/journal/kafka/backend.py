"""
The journal in Kafka, made for the settings of a Message.
"""

from __future__ import annotations

from pathlib import Path

from wsmsg.dependency.backend import BackendContext
from wsmsg.message.journal.interface import IJournal
from wsmsg.settings.values import MessageSettings

SHARED = True


def make_journal(context: BackendContext) -> IJournal:
    from wsmsg.message.journal.kafka.config import place_of
    from wsmsg.message.journal.kafka.journal import KafkaJournal

    return KafkaJournal(
        place_of(context.settings),
        context.reactor,
        retry=context.retry,
        dependency=context.dependency,
        alarms=context.alarms,
        successor=context.successor,
    )


def probe(settings: MessageSettings, data_dir: Path) -> None:
    """
    Nothing can be checked without a network.
    """


def used_by(settings: MessageSettings, data_dir: Path) -> str:
    """
    Several Messages may use the topic; this machine does not know them.
    """
    return ""


def files(settings: MessageSettings, data_dir: Path) -> tuple[()]:
    """
    None: the servers have the files.
    """
    return ()


def backlog(settings: MessageSettings, data_dir: Path) -> None:
    """
    Not known: other Messages may append at any time.
    """
