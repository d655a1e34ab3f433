"""
Laws of the language of the tree: docstrings, names and words.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping

from tests.laws import Law, Violation
from tests.syntax import Module

#: Words that do not tell a reader what a docstring is about.
FIRST_WORDS = {
    *("how", "of", "what", "when", "where", "whether"),
    *("which", "who", "whom", "whose", "why"),
}

#: Words of earlier days, each with the term that replaces it.
RETIRED_WORDS = {
    r"deployed": "legacy",
    r"exhum\w+": "replay",
    r"bury|buried|buries|burying": "dead letter",
}

#: Files that quote such words: the old names of settings, and the test about them.
QUOTING = ("wsmsg/settings/keys.py", "tests/settings/test_mistakes.py")

#: Names of earlier days, each with the one that replaces it.
RETIRED_NAMES = {
    "adopt": "apply_settings",
    "beside": "a name that says legacy",
    "came_up": "stream_up",
    "change_fault": "change_problem",
    "exhume": "replay",
    "fault_of": "a name that says problem",
    "flaw": "problem",
    "listen_for": "check_liveness",
    "measure": "register_metrics",
    "nudge": "flush_later",
    "pooled": "pool_changed",
    "standing_ms": "hint_ms",
    "stream_knows": "stream_synced",
    "turn_away": "refuse",
    "unstored": "may_be_unstored",
}

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def law_of_docstrings(modules: list[Module]) -> Iterator[Violation]:
    """
    Each module and each public class says what it is, and each test what a user
    sees.  Frames are described in C{docs/reference/protocol.md} instead.
    """
    for module in modules:
        empty_folder = not module.tree.body and module.name.startswith("tests.")
        if not ast.get_docstring(module.tree) and not empty_folder:
            yield Violation(module.path, 1, "has no docstring")
        for node in ast.walk(module.tree):
            if not _needs_docstring(module, node):
                continue
            assert isinstance(
                node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            )
            if not ast.get_docstring(node):
                reason = f"{node.name} has no docstring"
                yield Violation(module.path, node.lineno, reason)


def _needs_docstring(module: Module, node: ast.AST) -> bool:
    if isinstance(node, ast.ClassDef):
        public = node in module.tree.body and not node.name.startswith("_")
        frame = any(isinstance(b, ast.Name) and b.id == "Frame" for b in node.bases)
        return public and not (frame and module.name == "wsmsg.protocol.frames")
    return (
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and module.name.rpartition(".")[2].startswith("test_")
        and node.name.startswith("test_")
    )


def law_of_first_words(modules: list[Module]) -> Iterator[Violation]:
    """
    A docstring begins with a noun or an imperative, never with a question word.
    """
    for module in modules:
        for node in ast.walk(module.tree):
            if not isinstance(node, _Documented):
                continue
            words = (ast.get_docstring(node) or "").split(None, 1)
            if words and words[0].lower().strip(",.:") in FIRST_WORDS:
                name = "the module" if isinstance(node, ast.Module) else node.name
                line = node.body[0].lineno
                reason = f"the docstring of {name} begins with {words[0]!r}"
                yield Violation(module.path, line, reason)


def law_of_retired_names(modules: list[Module]) -> Iterator[Violation]:
    """
    No name of earlier days is used in code.
    """
    any_retired = re.compile(rf"\b({'|'.join(RETIRED_NAMES)})\b")
    for module in modules:
        if not any_retired.search(module.source):
            continue
        for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
            if token.type == tokenize.NAME and token.string in RETIRED_NAMES:
                better = RETIRED_NAMES[token.string]
                reason = f"the name {token.string} is retired: use {better}"
                yield Violation(module.path, token.start[0], reason)


def law_of_retired_words(modules: list[Module]) -> Iterator[Violation]:
    """
    No word of earlier days is in a module, be it in its code or its texts.
    """
    for module in modules:
        yield from retired_words_in({module.path: module.source})


def retired_words_in(texts: Mapping[str, str]) -> Iterator[Violation]:
    """
    Find the words of earlier days.

    @param texts: by path; of any kind.
    """
    for path, text in texts.items():
        if path in QUOTING:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for word, better in RETIRED_WORDS.items():
                # In a name an underscore ends a word, too.
                if re.search(rf"(?<![a-z])(?i:{word})(?![a-z])", line):
                    reason = f"a word is retired: say {better}: {line.strip()[:60]}"
                    yield Violation(path, number, reason)


LAWS_OF_LANGUAGE: tuple[Law, ...] = (
    law_of_docstrings,
    law_of_first_words,
    law_of_retired_names,
    law_of_retired_words,
)
