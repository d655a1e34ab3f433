"""
The reference of the commands, from what the commands themselves say.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

import click

from wsmsg.cli.main import main
from wsmsg.daemon.options import DaemonOptions


def commands() -> str:
    """
    Return a section for each command of C{wsmsg}, in the order of its help.
    """
    context = click.Context(main, info_name="wsmsg")
    return "\n".join(_sections(main, context))


def daemon_options(options: type[DaemonOptions]) -> Iterator[tuple[str, ...]]:
    """
    Yield a row for each option of a daemon.
    """
    yield ("option", "what it does")
    made = options()
    for name in sorted(set(made.longOpt)):
        plain = name.rstrip("=")
        text = made.docs.get(plain)
        if text and plain not in ("help", "version"):
            yield (f"`--{name}...`".replace("=", " "), " ".join(text.split()))


def _sections(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield _section(command, inner)
        if isinstance(command, click.Group):
            yield from _sections(command, inner)


def _section(command: click.Command, context: click.Context) -> str:
    depth = len(context.command_path.split())
    usage_line = " ".join(command.collect_usage_pieces(context))
    parts = [
        f"{'#' * min(depth, 4)} `{context.command_path}`",
        f"```text\n{context.command_path} {usage_line}\n```",
        *_paragraphs(cleandoc(command.help or "")),
    ]
    rows = [row for p in command.get_params(context) if (row := _row(p, context))]
    if rows:
        parts.append("\n".join(["| option | what it does |", "| --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """
    Yield the paragraphs of a help text; those whose lines stay as they are, as code.
    """
    for part in text.replace("\r", "").split("\n\n"):
        stays, _, rest = part.rpartition("\b\n")
        if stays or part.startswith("\b"):
            title, _, examples = rest.partition("\n")
            if title.endswith(":"):
                yield title
                rest = examples
            lines = [line.rstrip() for line in rest.rstrip().splitlines()]
            indent = min((len(s) - len(s.lstrip()) for s in lines if s), default=0)
            yield "```text\n" + "\n".join(line[indent:] for line in lines) + "\n```"
        else:
            yield " ".join(part.split()).replace("<", "&lt;").replace("*", "\\*")


def _row(parameter: click.Parameter, context: click.Context) -> str | None:
    record = parameter.get_help_record(context)
    unexplained = isinstance(parameter, click.Argument) and not (record and record[1])
    if record is None or unexplained or "--help" in parameter.opts:
        return None
    option, text = (" ".join(each.split()).replace("|", "\\|") for each in record)
    return f"| `{option}` | {text.replace('<', '&lt;')} |"
