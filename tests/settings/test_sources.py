"""
The sources of settings, and the changes that a reload applies.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.settings.files import Folder
from wsmsg.settings.keys import describe_changes, keys_of, with_live_changes
from wsmsg.settings.sources import Sources, load_settings, resolve_data_dir
from wsmsg.settings.urls.address import is_loopback, parse_address
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings


class SourcesTests(Folder):
    """
    Precedence of the sources in L{load_settings}.
    """

    def test_defaults(self) -> None:
        """
        By default both daemons listen on loopback and keep their data in files.
        """
        connect = load_settings(ConnectSettings, Sources())
        message = load_settings(MessageSettings, Sources())
        self.assertEqual(connect, ConnectSettings())
        self.assertEqual(message.journal, "sqlite:")
        for address in (connect.listen, connect.rpc_listen, message.listen):
            self.assertTrue(is_loopback(parse_address(address).host))

    def test_order(self) -> None:
        """
        Options override the environment, which overrides the file, key by key; the
        daemon's own table overrides the common one.
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
        Numbers, booleans and lists are read from text in the environment.
        """
        settings = load_settings(
            ConnectSettings,
            Sources(
                environ={
                    "WSMSG_COMMON__TRUST_NETWORK": "listen, rpc_listen",
                    "WSMSG_CONNECT__PROXY_PROTOCOL": "true",
                    "WSMSG_COMMON__STOP_S": "2.5",
                    "WSMSG_CONNECT__ORIGINS": "https://a.example, https://b.example",
                }
            ),
        )
        self.assertEqual(settings.trust_network, ("listen", "rpc_listen"))
        self.assertTrue(settings.proxy_protocol)
        self.assertEqual(settings.stop_s, 2.5)
        self.assertEqual(settings.origins, ("https://a.example", "https://b.example"))

    def test_secret_file(self) -> None:
        """
        A secret can be in a file that the environment names; its last newline is
        dropped.
        """
        file = self.file("x" * 40 + "\n", "secret")
        settings = load_settings(
            ConnectSettings,
            Sources(environ={"WSMSG_CONNECT__TOKEN__SECRET_FILE": str(file)}),
        )
        self.assertEqual(settings.token.secret.get_secret_value(), "x" * 40)

    def test_credentials(self) -> None:
        """
        systemd's credentials are read by their names; those of other programs are
        ignored.
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
        A mistake in Message's table does not keep Connect from starting.
        """
        file = self.file('[message]\njournal = "no"\n')
        load_settings(ConnectSettings, Sources(file=file))

    def test_data_dir(self) -> None:
        """
        The data directory comes from the setting, from systemd, from XDG, or from the
        home directory.
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
    The changes that a reload applies.
    """

    def test_describe(self) -> None:
        """
        Limits, tokens and discovery change live; listeners and files need a restart.
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
        Keys that need a restart keep their values when others change.
        """
        old = MessageSettings()
        new = MessageSettings(journal="sqlite:///x/y", page=5)
        kept = with_live_changes(old, new)
        self.assertEqual((kept.journal, kept.page), ("sqlite:", 5))

    def test_restart_keys_exist(self) -> None:
        """
        Every key that is declared to need a restart is a setting.
        """
        known = {*keys_of(ConnectSettings), *keys_of(MessageSettings)}
        for settings_type in (ConnectSettings, MessageSettings):
            self.assertEqual(settings_type.RESTART - known, frozenset())
