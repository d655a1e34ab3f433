"""
The text that the demo plays.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import attrs


class BadScript(Exception):
    """
    The text cannot be played; the message has the line and the reason.
    """


@attrs.frozen
class ScriptLine:
    """
    One line of the script.

    @ivar speaker: 0 or 1.
    @ivar away: the line is sent while the Message daemon is down.
    """

    speaker: int
    text: str
    away: bool


@attrs.frozen
class DemoScript:
    """
    The lines of both users.

    @ivar names: of the two.
    """

    names: tuple[str, str]
    lines: tuple[ScriptLine, ...]


def read_script(path: Path | None) -> DemoScript:
    """
    Read the script in a file, or for L{None} the script of the package.

    @raise BadScript: it cannot be read or played.
    """
    try:
        if path is None:
            folder = resources.files("wsmsg.cli.demo")
            text = (folder / "demo_conversation.txt").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
    except OSError as error:
        raise BadScript(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadScript(f"{path}: not UTF-8: {error.reason}") from error
    return parse_script(text, str(path or "demo_conversation.txt"))


def parse_script(text: str, name: str) -> DemoScript:
    """
    Parse a script.

    @param name: of the file, for mistakes.
    @raise BadScript: it cannot be played.
    """
    names: list[str] = []
    lines: list[ScriptLine] = []
    away = False
    for number, row in enumerate(text.splitlines(), 1):
        row = row.strip()
        if row in ("---", "+++"):
            away = row == "---"
        elif row and not row.startswith("#"):
            speaker, colon, words = (part.strip() for part in row.partition(":"))
            if not (speaker and colon and words):
                raise BadScript(f"{name}, line {number}: is not like 'Ada: hello'")
            if speaker not in names:
                names.append(speaker)
            if len(names) > 2:
                reason = f"{speaker} is a third speaker"
                raise BadScript(f"{name}, line {number}: {reason}")
            lines.append(ScriptLine(names.index(speaker), words, away))
    if len(names) < 2:
        raise BadScript(f"{name}: two speakers are needed, and there are {len(names)}")
    return DemoScript((names[0], names[1]), tuple(lines))
