"""
The address of the status page, as other nodes are told.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.settings.listeners import ListenersTls, ListenerTls, status_page
from wsmsg.settings.values import ConnectSettings, MessageSettings

_TLS = ListenersTls(admin_listen=ListenerTls(cert="c.pem", key="k.pem"))


class StatusPageTests(SynchronousTestCase):
    """
    L{status_page}.
    """

    def test_told(self) -> None:
        """
        The page is told if other machines can reach it at a known host.
        """
        public = "wss://c1.example/api/v1/connect/ws"
        for settings, wanted in (
            (ConnectSettings(), ""),
            (ConnectSettings(admin_listen=""), ""),
            (ConnectSettings(admin_listen="[::1]:23005"), ""),
            (ConnectSettings(admin_listen="10.0.0.1:23005"), "http://10.0.0.1:23005/"),
            (ConnectSettings(admin_listen="[fd00::1]:5"), "http://[fd00::1]:5/"),
            (
                ConnectSettings(admin_listen="c1.example:5", tls=_TLS),
                "https://c1.example:5/",
            ),
            (ConnectSettings(admin_listen="0.0.0.0:5"), ""),
            (
                ConnectSettings(admin_listen="[::]:5", public_url=public),
                "http://c1.example:5/",
            ),
            (
                MessageSettings(admin_listen="0.0.0.0:5", advertise="m1:22004"),
                "http://m1:5/",
            ),
        ):
            self.assertEqual(status_page(settings), wanted, settings.admin_listen)
