"""
C{wsmsg export}.
"""

from __future__ import annotations

import os
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
    tell,
)
from wsmsg.errors import Unavailable
from wsmsg.settings.values import MessageSettings
from wsmsg.text.counted import counted


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@store_options
@click.option(
    "--resume",
    is_flag=True,
    help="Continue an interrupted export to FILE.part; the store must not have been "
    "written to since.",
)
@click.option(
    "--as-is",
    is_flag=True,
    help="Export the present state, even if a Message runs or has a backlog.",
)
def export(
    file: str,
    config: Path | None,
    store: str | None,
    data_dir: str | None,
    as_json: bool,
    resume: bool,
    as_is: bool,
) -> None:
    """
    Write all messages, groups and cursors of a store to FILE (- for standard output) as
    JSON lines, for wsmsg import.

    The export of an embedded store is a snapshot.  The file is named FILE.part until it
    is complete; --resume continues an export that was interrupted.

    \b
    Examples:
      wsmsg export store.jsonl
      wsmsg export - | zstd > store.jsonl.zst
      wsmsg export --config /etc/wsmsg/many.toml many.jsonl
    """
    if resume and file == "-":
        raise click.UsageError("--resume needs a file")
    settings = settings_of(config, store, data_dir)
    notes, goes_on = _drained(settings, as_is)
    for note in notes:
        tell(f"note: {note}")
    progress = ProgressLine("exported")
    with _file(file, resume) as out:
        known = (Unavailable, OSError)
        written = run(
            lambda r: _export(settings, r, out, progress, with_epoch=not goes_on),
            known,
        )
    counts = written.counts
    summary = {
        **msgspec.to_builtins(counts),
        "sha256": written.sha256,
        "seconds": round(progress.seconds, 3),
    }
    text = (
        f"exported {amount(counts.messages, counts.conversations)}, "
        f"{counted(counts.groups, 'group')}, "
        f"{counted(counts.cursors, 'cursor')}\n"
        f"sha256 {written.sha256}"
    )
    show(summary, text, as_json=as_json, err=file == "-")


def _drained(settings: MessageSettings, as_is: bool) -> tuple[list[str], bool]:
    """
    Check that the store has all that was accepted.

    @return: sentences for the operator, and whether the store goes on.
    """
    from wsmsg.transfer.stores import NotDrained, check_drained

    try:
        return check_drained(settings), False
    except NotDrained as e:
        if not as_is:
            fail(f"{e}. With --as-is the present state of the store is exported")
        return [str(e)], True
    except Unavailable as e:
        fail(e.reason)


@contextmanager
def _file(name: str, resume: bool) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdout.buffer
        return
    if os.path.exists(name):
        fail(f"{name} exists: remove it, or choose another name")
    part = f"{name}.part"
    try:
        # The file has other people's messages, so only its owner may read it.
        opened = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
        with open(opened, "r+b") as out:
            if not resume:
                out.truncate()
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.rename(part, name)
    except OSError as e:
        kept = os.path.exists(part) and os.path.getsize(part)
        hint = "; once that is mended, --resume continues it" if kept else ""
        fail(f"{e.filename or part} cannot be written: {e.strerror}{hint}")
    finally:
        if os.path.exists(part) and not os.path.getsize(part):
            os.unlink(part)


async def _export(
    settings: MessageSettings,
    reactor: Any,
    out: BinaryIO,
    progress: ProgressLine,
    *,
    with_epoch: bool,
) -> Any:
    from wsmsg.transfer.dump import Dump
    from wsmsg.transfer.stores import archive_of

    archive = archive_of(settings, reactor)
    try:
        await archive.open()
        again = retrying(settings, reactor)
        epoch, secret = "", ""
        if with_epoch:
            epoch = await again.call(archive.epoch)
            secret = await again.call(archive.secret)
        writer = _begun(out, epoch, secret)
        walk = Dump(archive, again)
        async for records in walk.records(writer.last):
            out.write(writer.write(records))
            progress.at(writer.counts.messages, writer.counts.conversations)
        out.write(writer.end())
        out.flush()
    finally:
        await archive.close()
    return writer


def _begun(out: BinaryIO, epoch: str, secret: str) -> Any:
    """
    Begin the file, or continue after its complete part.
    """
    from wsmsg.transfer.file import LineWriter, intact_part, lines_of

    if out.readable():
        hashed, size = intact_part(lines_of(out))
        out.seek(size)
        out.truncate()
        if size:
            tell(f"continuing after {counted(hashed.counts.messages, 'message')}")
            return LineWriter(hashed)
    writer = LineWriter()
    out.write(writer.begin(int(time.time() * 1000), epoch, secret))
    return writer
