"""
The routes of the chat page, and the files that they serve.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import wsmsg.connect.pages
from wsmsg.connect.pages.chat_page import chat_routes
from wsmsg.settings.values import ConnectSettings

FOLDER = Path(wsmsg.connect.pages.__file__).parent
SERVED = ["/chat", "/chat/chat.css", "/chat/chat.js", "/chat/icon.svg"]


def paths(**settings: Any) -> list[str]:
    """
    Return the paths that are served with these settings.
    """
    return sorted(route.path for route in chat_routes(ConnectSettings(**settings)))


class ChatRoutesTests(SynchronousTestCase):
    """
    L{chat_routes}.
    """

    def test_loopback(self) -> None:
        """
        By default the page is served where only this machine reaches Connect.
        """
        self.assertEqual(paths(), SERVED)
        self.assertEqual(paths(listen="[::1]:21005"), SERVED)

    def test_exposed(self) -> None:
        """
        By default it is not served to other machines, neither directly nor by a proxy.
        """
        exposed: list[dict[str, Any]] = [
            {"listen": "0.0.0.0:21005"},
            {"listen": "systemd:domain=INET:name=x"},
            {"proxies": ["127.0.0.1"]},
            {"proxy_protocol": True},
            {"hosts": ["chat.example"]},
        ]
        for settings in exposed:
            self.assertEqual(paths(**settings), [], settings)
            self.assertEqual(paths(pages="on", **settings), SERVED)

    def test_off(self) -> None:
        """
        The page can be switched off.
        """
        self.assertEqual(paths(pages="off"), [])


class FileTests(SynchronousTestCase):
    """
    The files, as they are in the package.
    """

    def test_nothing_from_elsewhere(self) -> None:
        """
        The document names no file but the other ones, and has no script, style or
        handler within itself, which the policy would refuse.
        """
        page = (FOLDER / "index.html").read_text("utf-8")
        named = re.findall(r'(?:src|href)="([^"]*)"', page)
        self.assertEqual(sorted(f"/{name}" for name in named), SERVED[1:])
        self.assertEqual(re.findall(r"<style|\sstyle=|\son\w+=|<script>", page), [])

    def test_ids(self) -> None:
        """
        The document has every element that the scripts look for, once.
        """
        page = (FOLDER / "index.html").read_text("utf-8")
        ids = re.findall(r'\sid="([^"]*)"', page)
        self.assertEqual(len(ids), len(set(ids)))
        sources = FOLDER.parents[2] / "clients" / "chat" / "src"
        wanted = re.compile(r'byId(?:<\w+>)?\("([^"]+)"\)')
        for source in sources.rglob("*.ts"):
            found = set(wanted.findall(source.read_text("utf-8")))
            self.assertEqual(found - set(ids), set(), source.name)
