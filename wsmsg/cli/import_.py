"""
C{wsmsg import}.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from wsmsg.cli.paths import fail
from wsmsg.cli.transfer import (
    ProgressLine,
    amount,
    retrying,
    run,
    settings_of,
    show,
    store_options,
)
from wsmsg.errors import Unavailable
from wsmsg.settings.values import MessageSettings
from wsmsg.text.counted import counted, plural


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@store_options
@click.option(
    "--verify",
    is_flag=True,
    help="Write nothing; report differences between FILE and the store.",
)
def import_(
    file: str,
    config: Path | None,
    store: str | None,
    data_dir: str | None,
    as_json: bool,
    verify: bool,
) -> None:
    """
    Load FILE (- for standard input), which wsmsg export wrote, into a store.

    Numbers, ids and times are preserved.  Data that the store already has is compared,
    and a difference is an error, so an import that was interrupted can be run again.
    The import rejects each part of the file that was cut off or altered.

    \b
    Examples:
      wsmsg import --config /etc/wsmsg/many.toml store.jsonl
      wsmsg import --config /etc/wsmsg/many.toml --verify store.jsonl
      zstd -dc store.jsonl.zst | wsmsg import --store mongodb://db/wsmsg -
    """
    from wsmsg.transfer.file import BadFile
    from wsmsg.transfer.load import CannotImport

    settings = settings_of(config, store, data_dir)
    known = (Unavailable, BadFile, CannotImport, OSError)
    with _file(file) as stream:
        summary, text = (_verify if verify else _import)(settings, stream, known)
    show(summary, text, as_json=as_json, err=False)
    if not summary.get("same", True):
        raise SystemExit(1)


@contextmanager
def _file(name: str) -> Iterator[BinaryIO]:
    try:
        if name == "-":
            yield sys.stdin.buffer
            return
        with Path(name).open("rb") as stream:
            yield stream
    except OSError as e:
        fail(f"{e.filename or name} cannot be read: {e.strerror}")


def _import(
    settings: MessageSettings, stream: BinaryIO, known: tuple[Any, ...]
) -> tuple[dict[str, Any], str]:
    progress = ProgressLine("imported")
    reader, importer, epoch = run(lambda r: _keep(settings, r, stream, progress), known)
    counts = reader.counts
    summary = {
        **msgspec.to_builtins(counts),
        "sha256": reader.sha256,
        "epoch": epoch,
        "written": importer.written,
        "already_there": importer.there,
        "seconds": round(progress.seconds, 3),
    }
    text = (
        f"imported {amount(counts.messages, counts.conversations)} "
        f"({counted(importer.there, 'message')} existed already), "
        f"{counted(counts.groups, 'group')}, {counted(counts.cursors, 'cursor')}\n"
        f"sha256 {reader.sha256}"
    )
    if epoch != reader.epoch:
        text += (
            f"\nthe store has an epoch of its own, {epoch}: clients of the exported "
            "store will sync anew"
        )
    return summary, text


async def _keep(
    settings: MessageSettings, reactor: Any, stream: BinaryIO, progress: ProgressLine
) -> Any:
    from wsmsg.dependency.wait import up
    from wsmsg.transfer.file import LineReader, lines_of
    from wsmsg.transfer.load import Importer
    from wsmsg.transfer.stores import store_of

    reader = LineReader()
    batches = reader.batches(lines_of(stream))
    # A file that is not an export is reported before a store is created or opened.
    first = next(batches, None)
    store = store_of(settings, reactor)
    again = retrying(settings, reactor)
    importer = Importer(store, again, lambda: int(time.time() * 1000))
    try:
        await up(store)
        if reader.epoch:
            await again.call(store.adopt_epoch, reader.epoch, reader.secret)
        if first is not None:
            await importer.write_batch(first)
        for batch in batches:
            await importer.write_batch(batch)
            progress.at(reader.counts.messages, reader.counts.conversations)
        epoch = store.epoch
    finally:
        await store.stop()
    return reader, importer, epoch


def _verify(
    settings: MessageSettings, stream: BinaryIO, known: tuple[Any, ...]
) -> tuple[dict[str, Any], str]:
    progress = ProgressLine("compared")
    reader, difference = run(lambda r: _compare(settings, r, stream), known)
    counts = reader.counts
    summary = {
        "same": not difference.missing and not difference.different,
        **msgspec.to_builtins(counts),
        "sha256": reader.sha256,
        "missing": difference.missing,
        "different": difference.different,
        "more_in_store": difference.more,
        "differences": difference.details,
        "seconds": round(progress.seconds, 3),
    }
    lines = list(difference.details)
    lines.append(
        f"{amount(counts.messages, counts.conversations)}: "
        f"{counted(difference.missing, 'record')} of the file "
        f"{plural(difference.missing, 'is', 'are')} missing in the store, "
        f"{difference.different} {plural(difference.different, 'differs', 'differ')} "
        "there; the store has "
        f"{difference.more} more"
    )
    return summary, "\n".join(lines)


async def _compare(settings: MessageSettings, reactor: Any, stream: BinaryIO) -> Any:
    from wsmsg.transfer.dump import Dump
    from wsmsg.transfer.file import LineReader, lines_of
    from wsmsg.transfer.stores import archive_of
    from wsmsg.transfer.verify import compare

    reader = LineReader()
    archive = archive_of(settings, reactor)
    try:
        await archive.open()
        walk = Dump(archive, retrying(settings, reactor))
        difference = await compare(reader.batches(lines_of(stream)), walk)
    finally:
        await archive.close()
    return reader, difference
