"""
The first lines of a daemon's log.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from wsmsg import __version__
from wsmsg.daemon.first_lines import few_files, first_lines
from wsmsg.settings.values import ConnectSettings, MessageSettings


class FirstLineTests(SynchronousTestCase):
    """
    An operator sees which daemon it is, and what is where.
    """

    def test_connect(self) -> None:
        """
        Connect names itself, its folder and each address with its purpose.
        """
        settings = ConnectSettings(rpc_listen="")
        self.assertEqual(
            list(first_lines("connect", settings, "c1", Path("/data"))),
            [
                f"wsmsg connect {__version__}: node c1, process {os.getpid()}",
                "data_dir = /data (embedded files, and the local key of tokens)",
                "listen = 127.0.0.1:21005 (WebSocket and HTTP, for clients)",
                "rpc_listen is empty (no gRPC: online status, health)",
                "admin_listen = 127.0.0.1:23005 (health, metrics and status, for "
                "operators)",
                "discovery = static:127.0.0.1:22004 (the Messages that it connects to)",
            ],
        )

    def test_message(self) -> None:
        """
        Message names its servers, without their passwords.
        """
        settings = MessageSettings(
            store="mongodb://ann:hush@db:27017/chat", presence="redis://:hush@r:6379/0"
        )
        told = "\n".join(first_lines("message", settings, "m1", Path("/data")))
        for part in ("listen = 127.0.0.1:21004 (HTTP, ", "db:27017/chat", "r:6379/0"):
            self.assertIn(part, told)
        self.assertNotIn("hush", told)

    def test_few_files(self) -> None:
        """
        A daemon that may open fewer files than its settings allow connections says how
        many it takes.
        """
        for settings, key, wanted in (
            (ConnectSettings(), "limits", 50_000),
            (MessageSettings(), "http", 2000),
        ):
            self.assertEqual(few_files(settings, wanted), "")
            told = few_files(settings, 896)
            self.assertIn(f"{key}.connections is {wanted}, ", told)
            self.assertIn(" takes 896 connections", told)
