"""
Checks of a command that is not typed: the program knows what it is given.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec

import click
from twisted.scripts._twistd_unix import ServerOptions

from tests.integration.documents.pages import ROOT
from wsmsg.cli.main import main


def mistakes(command: str) -> list[str]:
    """
    Return the words of a command that its program does not know.
    """
    words = shlex.split(command)
    program = words[0].rpartition("/")[2]
    match program:
        case "wsmsg":
            return list(_of_wsmsg(words[1:]))
        case "twistd":
            return list(_of_twistd(words[1:]))
        case "make":
            return list(_of_make(words[1:]))
        case "python" | "python3":
            return list(_of_python(words[1:]))
        case "cd":
            return [word for word in words[1:] if not (ROOT / word).is_dir()]
        case "docker":
            return list(_of_compose(words))
        case "install":
            files = [word for word in words[1:] if word.startswith("deploy/")]
            return [word for word in files if not any(ROOT.glob(word))]
        case "systemctl":
            return list(_of_systemctl(words[2:]))
    return []


def _of_wsmsg(words: list[str]) -> Iterator[str]:
    context = click.Context(main)
    command: click.Command = main
    is_value = False
    for word in words:
        if is_value:
            is_value = False
            continue
        if word in ("|", ">"):
            return
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(context, word)
            if found is None:
                yield word
                return
            command = found
        elif word.startswith("--"):
            name, equals, _ = word.partition("=")
            options = {opt: p for p in command.params for opt in p.opts}
            option = options.get(name)
            if option is None and name != "--help":
                yield word
            takes_value = isinstance(option, click.Option) and not option.is_flag
            is_value = takes_value and not equals


def _of_twistd(words: list[str]) -> Iterator[str]:
    options = ServerOptions()
    known = options.longOpt
    for word in words:
        daemon = {name: parser for name, _, parser, _ in options.subCommands}.get(word)
        if daemon is not None:
            known = daemon().longOpt
        elif word.startswith("--"):
            name = word[2:].partition("=")[0]
            if not {name, f"{name}="} & set(known):
                yield word


def _of_make(words: list[str]) -> Iterator[str]:
    text = (ROOT / "Makefile").read_text()
    for word in words:
        name, is_variable, _ = word.partition("=")
        rule = (
            rf"^{re.escape(name)} \?=|\$\({re.escape(name)}\)"
            if is_variable
            else rf"^{re.escape(word)}:"
        )
        if not re.search(rule, text, re.M):
            yield word


def _of_python(words: list[str]) -> Iterator[str]:
    if words[0] == "-m":
        if find_spec(words[1]) is None:
            yield words[1]
    elif not (ROOT / words[0]).is_file():
        yield words[0]
    elif source := (ROOT / words[0]).read_text():
        yield from (w for w in words[1:] if w.startswith("--") and w not in source)


def _of_compose(words: list[str]) -> Iterator[str]:
    text = (ROOT / "deploy/compose/compose.yaml").read_text()
    for word in words:
        service, scale, _ = word.partition("=")
        if scale and f"\n  {service}:\n" not in text:
            yield word


def _of_systemctl(words: list[str]) -> Iterator[str]:
    units = [word for word in words if not word.startswith("-")]
    for word in units:
        unit = re.sub(r"@\w+", "@", word)
        if not re.search(r"\.[a-z]+$|\*$", unit):
            unit += ".service"
        if not any((ROOT / "deploy" / "systemd").glob(unit)):
            yield word
