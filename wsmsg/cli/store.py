"""
C{wsmsg store}: what an operator tells the store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wsmsg.cli.transfer import retrying, run, settings_of, show, store_options
from wsmsg.errors import Unavailable
from wsmsg.settings.values import MessageSettings


@click.group("store")
def store_() -> None:
    """
    Tell the store what happened to it.
    """


@store_.command("restored")
@store_options
def restored(
    config: Path | None, store: str | None, data_dir: str | None, as_json: bool
) -> None:
    """
    Say that an older copy of the store was restored, before Message starts on it.

    The store begins a new epoch.  Clients notice it when they connect: they forget the
    numbers of messages that are not in the copy, sync, and send their own messages
    again.

    \b
    Examples:
      wsmsg store restored
      wsmsg store restored --config /etc/wsmsg/many.toml
    """
    settings = settings_of(config, store, data_dir)
    known = (Unavailable, OSError)
    epoch = run(lambda reactor: _renewed(settings, reactor), known)
    text = f"the store has a new epoch, {epoch}: clients will sync anew"
    show({"epoch": epoch}, text, as_json=as_json, err=False)


async def _renewed(settings: MessageSettings, reactor: Any) -> str:
    from wsmsg.dependency.wait import up
    from wsmsg.transfer.stores import store_of

    store = store_of(settings, reactor)
    store.start()
    try:
        await up(store)
        again = retrying(settings, reactor)
        epoch: str = await again.call(store.renew_epoch, store.epoch)
        return epoch
    finally:
        await store.stop()
