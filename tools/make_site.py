"""
Builder of the site of documentation, in C{build/site}::

    python -m tools.make_site

Zensical builds the site, as C{mkdocs.yml} describes it.  Before, this program copies
the pages of C{docs/} to C{build/pages}, adds the pages outside of C{docs/} that a
reader needs, and turns links to other files of the tree into plain text, as the site
does not have these.  Afterwards, it writes each page as Markdown beside its HTML, and
C{llms.txt} with a line for each page, for programs that read.

The exit status is 1 if a link or an anchor leads nowhere, if the navigation lacks a
page, or if a page would load something from another server.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = ROOT / "build" / "pages"
SITE = ROOT / "build" / "site"

#: Pages elsewhere in the tree, with their places in the site.
ADDED = {
    "SECURITY.md": "project/security.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changes.md",
    "clients/python/README.md": "reference/python.md",
    "clients/typescript/README.md": "reference/typescript.md",
    "protos/vectors/README.md": "reference/vectors.md",
}

#: Files for programs, which the site has as they are.
DESCRIPTIONS = ("asyncapi.yaml", "openapi.json")

_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```.*?^```)", re.M | re.S)
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*>"""
    r"""|<link\b[^>]*\brel=["']?(?:stylesheet|preconnect|preload|icon)[^>]*"""
    r"""\bhref=["']?(?:https?:)?//[^>]*>"""
)


def sources() -> dict[str, Path]:
    """
    Return the files of the pages, by their places in the site.
    """
    found = {p.relative_to(DOCS).as_posix(): p for p in sorted(DOCS.rglob("*.md"))}
    return found | {place: ROOT / name for name, place in ADDED.items()}


def configuration() -> dict[str, Any]:
    """
    Return what C{mkdocs.yml} says, with all values as text.
    """
    text = (ROOT / "mkdocs.yml").read_text()
    loaded: dict[str, Any] = yaml.load(text, yaml.BaseLoader)
    return loaded


def places_in(nav: Any) -> Iterator[str]:
    """
    Yield the places of the pages below an entry of the navigation, in its order.
    """
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from places_in(entry)


def navigation_mistakes() -> list[str]:
    """
    Return the pages that the navigation lacks, names twice, or names without need.  The
    records of decisions have an index of their own.
    """
    named = list(places_in(configuration()["nav"]))
    known = {p for p in sources() if not p.startswith("decisions/0")}
    return [
        *(f"{place}: not in the navigation" for place in sorted(known - set(named))),
        *(f"{place}: no such page" for place in named if place not in known),
        *(f"{p}: twice in the navigation" for p in known if named.count(p) > 1),
    ]


def for_site(markdown: str, source: Path, place: str) -> str:
    """
    Return the text of a page with the links that work in the site.

    @param source: the file of the page in the tree.
    @param place: its place in the site.
    """

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        name, _, anchor = target.partition("#")
        if "://" in target or not name:
            return found[0]
        path = Path(os.path.normpath(source.parent / name)).relative_to(ROOT)
        other = ADDED.get(path.as_posix())
        if other is None and path.parts[0] == "docs":
            other = path.relative_to("docs").as_posix()
        if other is None:
            return text
        relative = os.path.relpath(other, Path(place).parent)
        return f"[{text}]({relative}{'#' if anchor else ''}{anchor})"

    parts = _FENCE.split(markdown)
    parts[::2] = [_LINK.sub(link, part) for part in parts[::2]]
    return "".join(parts)


def summary(markdown: str) -> str:
    """
    Return the first sentence of a page, without its marks.
    """
    for part in _FENCE.sub("", markdown).split("\n\n"):
        text = " ".join(part.split())
        if text and not re.match(r"[#<|!]|[*-] |\d+\. |    ", part):
            plain = re.sub(r"[`*]", "", _LINK.sub(r"\1", text))
            first = re.match(r".*?[.:](?=\s|$)", plain)
            return (first[0] if first else plain).rstrip(":")
    return ""


def llms_text(texts: dict[str, str]) -> str:
    """
    Return C{llms.txt}: the name of the site, and a line for each page, by section.

    @param texts: the pages by their places.
    """
    config = configuration()

    def line(place: str) -> str:
        title = texts[place].partition("\n")[0].lstrip("# ")
        return f"- [{title}]({place}): {summary(texts[place])}"

    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}", ""]
    for entry in config["nav"]:
        if isinstance(entry, dict):
            lines += ["", f"## {next(iter(entry))}", ""]
        lines += [line(place) for place in places_in(entry)]
    return "\n".join(lines) + "\n"


def loaded_from_elsewhere(site: Path) -> list[str]:
    """
    Return the marks of pages that would load something from another server.
    """
    return [
        f"{page.relative_to(site)}: {mark}"
        for page in sorted(site.rglob("*.html"))
        for mark in _LOADED.findall(page.read_text())
    ]


def main() -> int:
    texts = {}
    shutil.rmtree(PAGES, ignore_errors=True)
    for place, source in sources().items():
        texts[place] = for_site(source.read_text(), source, place)
        (PAGES / place).parent.mkdir(parents=True, exist_ok=True)
        (PAGES / place).write_text(texts[place])
    for name in DESCRIPTIONS:
        shutil.copy(DOCS / name, PAGES)
    command = (sys.executable, "-m", "zensical", "build", "--strict", "--clean")
    built = subprocess.run(command, cwd=ROOT, check=False)
    if built.returncode:
        return 1
    for place, text in texts.items():
        (SITE / place).write_text(text)
    (SITE / "llms.txt").write_text(llms_text(texts))
    mistakes = [*navigation_mistakes(), *loaded_from_elsewhere(SITE)]
    print("\n".join(mistakes) or f"{len(texts)} pages are in {SITE}")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
