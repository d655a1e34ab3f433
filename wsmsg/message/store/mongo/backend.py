"""
The store in MongoDB, made for the settings of a Message.

The functions import its adapters when they are called: txmongo imports the reactor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsmsg.dependency.backend import BackendContext
from wsmsg.message.store.archive import IStoreArchive
from wsmsg.message.store.interface import IMessageStore
from wsmsg.settings.urls.mongo import read_mongo_url
from wsmsg.settings.values import MessageSettings

SHARED = True


def make_store(context: BackendContext) -> IMessageStore:
    from wsmsg.message.store.mongo.store import MongoStore

    return MongoStore(
        **_options(context),
        alarms=context.alarms,
        strict=context.settings.mongo.strict,
    )


def make_archive(context: BackendContext) -> IStoreArchive:
    from wsmsg.message.store.mongo.archive import MongoArchive

    return MongoArchive(**_options(context))


def probe(settings: MessageSettings, data_dir: Path) -> None:
    """
    Nothing can be checked without a network.
    """


def used_by(settings: MessageSettings, data_dir: Path) -> str:
    """
    Several Messages may use the store; this machine does not know them.
    """
    return ""


def files(settings: MessageSettings, data_dir: Path) -> tuple[()]:
    """
    None: the servers have the files.
    """
    return ()


def _options(context: BackendContext) -> dict[str, Any]:
    settings = context.settings
    password = settings.store_password.get_secret_value()
    return {
        "url": read_mongo_url(settings.store, password),
        "reactor": context.reactor,
        "retry": context.retry,
        "backoff": context.backoff,
        "dependency": context.dependency,
    }
