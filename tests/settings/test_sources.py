"""
Where settings come from, and what a reload may change.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.settings.files import Folder
from wsmsg.settings.changes import describe_changes, with_live_changes
from wsmsg.settings.keys import keys_of
from wsmsg.settings.sources import Sources, load_settings, resolve_data_dir
from wsmsg.settings.urls.address import is_loopback, parse_address
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings


class SourcesTests(Folder):
    """
    L{load_settings}: what wins.
    """

    def test_defaults(self) -> None:
        """
        Without anything both daemons listen on loopback and keep files.
        """
        connect = load_settings(ConnectSettings, Sources())
        message = load_settings(MessageSettings, Sources())
        self.assertEqual(connect, ConnectSettings())
        self.assertEqual(message.journal, "sqlite:")
        for address in (connect.listen, connect.rpc_listen, message.listen):
            self.assertTrue(is_loopback(parse_address(address).host))

    def test_offline_in_time(self) -> None:
        """
        Who is gone without a word is offline within 5 s, with some room for the
        work itself: a client after its heartbeats, the users of a Connect after the
        stream's keepalives and the grace.
        """
        connect, message = ConnectSettings(), MessageSettings()
        self.assertLessEqual(2.25 * connect.heartbeat_s, 4.5)
        silent_s = 2 * message.keepalive_s + message.link_grace_s
        self.assertLessEqual(silent_s, 4.5)

    def test_order(self) -> None:
        """
        Options win over the environment, that over the file, key by key; the
        daemon's own table wins over the common one.
        """
        file = self.file(
            '[common]\nstop_s = 1\nnode = "common"\nlog.level = "debug"\n'
            '[connect]\nnode = "file"\nlimits.window = 1\nlimits.page = 1\n'
            "heartbeat_s = 1\n"
        )
        settings = load_settings(
            ConnectSettings,
            Sources(
                file=file,
                environ={
                    "WSMSG_CONNECT__LIMITS__WINDOW": "2",
                    "WSMSG_CONNECT__LIMITS__PAGE": "2",
                    "WSMSG_URL": "of a client",
                },
                options=(("option --set", "limits.page", "3"),),
            ),
        )
        self.assertEqual((settings.stop_s, settings.node), (1, "file"))
        self.assertEqual(settings.log.level, "debug")
        self.assertEqual((settings.limits.window, settings.limits.page), (2, 3))
        self.assertEqual(settings.limits.watch, ConnectSettings().limits.watch)

    def test_environment(self) -> None:
        """
        The environment spells numbers, truth and lists as text.
        """
        settings = load_settings(
            ConnectSettings,
            Sources(
                environ={
                    "WSMSG_COMMON__TRUST_NETWORK": "true",
                    "WSMSG_COMMON__STOP_S": "2.5",
                    "WSMSG_CONNECT__ORIGINS": "https://a.example, https://b.example",
                }
            ),
        )
        self.assertTrue(settings.trust_network)
        self.assertEqual(settings.stop_s, 2.5)
        self.assertEqual(settings.origins, ("https://a.example", "https://b.example"))

    def test_secret_file(self) -> None:
        """
        A secret can be in a file that the environment names, its last newline not
        part of it.
        """
        file = self.file("x" * 40 + "\n", "secret")
        settings = load_settings(
            ConnectSettings,
            Sources(environ={"WSMSG_CONNECT__TOKEN__SECRET_FILE": str(file)}),
        )
        self.assertEqual(settings.token.secret.get_secret_value(), "x" * 40)

    def test_credentials(self) -> None:
        """
        systemd's credentials are taken by their names; those of others are let be.
        """
        self.file("y" * 40, "wsmsg.connect.token.secret")
        self.file("nobody's", "tls.key")
        settings = load_settings(
            ConnectSettings,
            Sources(environ={"CREDENTIALS_DIRECTORY": str(self.folder)}),
        )
        self.assertEqual(settings.token.secret.get_secret_value(), "y" * 40)

    def test_other_daemon(self) -> None:
        """
        What is wrong for Message does not keep Connect from starting.
        """
        file = self.file('[message]\njournal = "no"\n')
        load_settings(ConnectSettings, Sources(file=file))

    def test_data_dir(self) -> None:
        """
        The data folder is the setting, systemd's, the desktop's or the home's.
        """
        given = Common(data_dir="/srv/wsmsg")
        environ = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "XDG_STATE_HOME": "/x"}
        self.assertEqual(resolve_data_dir(given, environ), Path("/srv/wsmsg"))
        none = Common()
        self.assertEqual(resolve_data_dir(none, environ), Path("/var/lib/a"))
        del environ["STATE_DIRECTORY"]
        self.assertEqual(resolve_data_dir(none, environ), Path("/x/wsmsg"))
        self.assertEqual(resolve_data_dir(none, {}), Path.home() / ".local/state/wsmsg")


class ChangesTests(TestCase):
    """
    What a reload may change.
    """

    def test_describe(self) -> None:
        """
        Limits, tokens, discovery and the like change live; listeners and files
        need a restart.
        """
        old = ConnectSettings()
        new = ConnectSettings.model_validate(
            {
                "listen": "127.0.0.1:1",
                "data_dir": "/x",
                "discovery": "static:h:1",
                "log": {"level": "debug"},
                "token": {"secret": "x" * 32},
                "limits": {"window": 5},
            }
        )
        live, needs_restart = describe_changes(old, new)
        self.assertEqual(
            live, ("discovery", "limits.window", "log.level", "token.secret")
        )
        self.assertEqual(needs_restart, ("data_dir", "listen"))

    def test_kept(self) -> None:
        """
        What needs a restart stays as it was beside what changes.
        """
        old = MessageSettings()
        new = MessageSettings(journal="sqlite:///x/y", content_bytes=5)
        kept = with_live_changes(old, new)
        self.assertEqual((kept.journal, kept.content_bytes), ("sqlite:", 5))

    def test_restart_keys_exist(self) -> None:
        """
        Every key that is said to need a restart is a setting.
        """
        known = {*keys_of(ConnectSettings), *keys_of(MessageSettings)}
        for settings_type in (ConnectSettings, MessageSettings):
            self.assertEqual(settings_type.RESTART - known, frozenset())
