"""
Where settings come from, what is refused, and how that is told.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from twisted.trial.unittest import TestCase

from wsmsg.addresses import Address, is_loopback, parse_address
from wsmsg.backends import sqlite_path, static_targets
from wsmsg.cli.check_config import check_config
from wsmsg.settings import Common, ConnectSettings, MessageSettings, TokenSettings
from wsmsg.settings_changes import describe_changes, with_live_changes
from wsmsg.settings_keys import keys_of
from wsmsg.settings_mistakes import SettingsMistakes
from wsmsg.settings_sources import Sources, load_settings, resolve_data_dir
from wsmsg.token_key import TokenKeyUnusable, local_key


class Folder(TestCase):
    """
    Tests with files.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def file(self, text: str, name: str = "wsmsg.toml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def mistakes(
        self, sources: Sources, settings_type: type[Common] = ConnectSettings
    ) -> list[str]:
        """
        What is told, one text a mistake, without the name of the folder.
        """
        refused = self.assertRaises(
            SettingsMistakes, load_settings, settings_type, sources
        )
        return [str(m).replace(f"{self.folder}/", "") for m in refused.mistakes]

    def in_file(
        self, text: str, settings_type: type[Common] = ConnectSettings
    ) -> list[str]:
        return self.mistakes(Sources(file=self.file(text)), settings_type)


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


class MistakesTests(Folder):
    """
    What is refused, and in which words.
    """

    def test_all_at_once(self) -> None:
        """
        Every mistake of every source is told, each with its source, key and reason.
        """
        file = self.file(
            '[common]\ntrust_network = "perhaps"\n'
            "[connect]\nlissten = 1\nlimits.window = 0\n"
        )
        told = self.mistakes(
            Sources(
                file=file,
                environ={"WSMSG_CONNECT__LIMITS__PAGE": "many"},
                options=(("option --listen", "listen", "here"),),
            )
        )
        self.assertEqual(
            told,
            [
                "wsmsg.toml [connect]: lissten: is no setting of wsmsg connect; "
                "did you mean listen?",
                "wsmsg.toml [common]: trust_network: must be true or false, "
                "not 'perhaps'",
                "option --listen: listen: 'here' is not host:port, as 127.0.0.1:21005",
                "wsmsg.toml [connect]: limits.window: must be at least 1, not 0",
                "environment variable WSMSG_CONNECT__LIMITS__PAGE: limits.page: "
                "must be a whole number, not 'many'",
            ],
        )

    def test_text(self) -> None:
        """
        The message counts the mistakes and has one a line.
        """
        file = self.file("[connect]\na = 1\nb = 2\n")
        refused = self.assertRaises(
            SettingsMistakes, load_settings, ConnectSettings, Sources(file=file)
        )
        lines = str(refused).splitlines()
        self.assertEqual(lines[0], "2 mistakes in the settings:")
        self.assertEqual(len(lines), 3)

    def test_no_file(self) -> None:
        """
        A file that is not there is named.
        """
        self.assertEqual(
            self.mistakes(Sources(file=self.folder / "none.toml")),
            ["none.toml: cannot be read: No such file or directory"],
        )

    def test_no_toml(self) -> None:
        """
        A file that is not TOML is named, with the place.
        """
        (told,) = self.in_file("[connect\n")
        self.assertIn("wsmsg.toml: is not TOML: ", told)
        self.assertIn("line 1", told)

    def test_not_text(self) -> None:
        """
        A file that is not text is named.
        """
        path = self.folder / "x.toml"
        path.write_bytes(b"\xff\xfe")
        self.assertEqual(
            self.mistakes(Sources(file=path)), ["x.toml: is not UTF-8 text"]
        )

    def test_tables(self) -> None:
        """
        An unknown table, and a key outside of any, are told with where they belong.
        """
        self.assertEqual(
            self.in_file('listen = "x:1"\n[conect]\n'),
            [
                "wsmsg.toml: listen: must be under [connect] or [message]",
                "wsmsg.toml: conect: is no table; there are [common], [connect] and "
                "[message]; did you mean connect?",
            ],
        )

    def test_wrong_table(self) -> None:
        """
        A setting in the wrong table is told its right one.
        """
        self.assertEqual(
            self.in_file('[common]\njournal = "sqlite:"\n'),
            [
                "wsmsg.toml [common]: journal: is no setting in [common]; it belongs "
                "to [message]"
            ],
        )

    def test_shapes(self) -> None:
        """
        A table where a value is due, and the other way round, are told.
        """
        self.assertEqual(
            self.in_file("[connect]\nlimits = 3\nheartbeat_s = {a = 1}\n"),
            [
                "wsmsg.toml [connect]: limits: is a table of settings",
                "wsmsg.toml [connect]: heartbeat_s: must be a number, not a table",
            ],
        )

    def test_types(self) -> None:
        """
        A value of the wrong type is told in plain words, truth for a number too.
        """
        self.assertEqual(
            self.in_file(
                "[connect]\nnode = 3\nlimits.page = 1.5\nlimits.window = true\n"
                'origins = "x"\nlog.level = "loud"\nheartbeat_s = nan\n'
            ),
            [
                "wsmsg.toml [connect]: limits.window: must not be true or false",
                "wsmsg.toml [connect]: node: must be text, not 3",
                "wsmsg.toml [connect]: log.level: must be 'debug', 'info', 'warn', "
                "'error' or 'critical', not 'loud'",
                "wsmsg.toml [connect]: heartbeat_s: must be at most 60.0, not nan",
                "wsmsg.toml [connect]: origins: must be a list, not 'x'",
                "wsmsg.toml [connect]: limits.page: must be a whole number, not 1.5",
            ],
        )

    def test_misspelt_variables(self) -> None:
        """
        A variable that nearly is one of ours is told, and those of others are not.
        """
        self.assertEqual(
            self.mistakes(
                Sources(
                    environ={
                        "WSMSG_CONNECT_LISTEN": "x",
                        "WSMSG_CONECT__LISTEN": "x",
                        "WSMSG_MESSAGE__JOURNAL": "x",
                        "WSMSG_TOKEN": "x",
                    }
                )
            ),
            [
                f"environment variable {name}: is no setting, as "
                "WSMSG_CONNECT__LIMITS__WINDOW is one; did you mean "
                "WSMSG_CONNECT__LISTEN?"
                for name in ("WSMSG_CONECT__LISTEN", "WSMSG_CONNECT_LISTEN")
            ],
        )

    def test_secret_twice(self) -> None:
        """
        A variable and its file at once are a mistake; so is a file that is missing.
        """
        told = self.mistakes(
            Sources(
                environ={
                    "WSMSG_CONNECT__TOKEN__SECRET": "x" * 40,
                    "WSMSG_CONNECT__TOKEN__SECRET_FILE": "/nonexistent",
                    "WSMSG_CONNECT__TOKEN__DEBUG_TOKEN_FILE": "/nonexistent",
                }
            )
        )
        self.assertEqual(len(told), 2)
        self.assertIn("No such file", told[0])
        self.assertIn("WSMSG_CONNECT__TOKEN__SECRET is set as well", told[1])

    def test_secrets_are_not_told(self) -> None:
        """
        No message has a secret in it, not even a wrong one.
        """
        told = self.in_file("[connect.token]\nsecret = 31415926\n")
        self.assertEqual(told, ["wsmsg.toml [connect]: token.secret: must be text"])
        told = self.in_file('[connect.token]\nsecret = "31415926"\n')
        self.assertNotIn("31415926", told[0])
        self.assertIn("at least 32 bytes", told[0])


class RulesTests(Folder):
    """
    Addresses, backends and what must go together.
    """

    def test_addresses(self) -> None:
        """
        Host and port are read; port 0 and IPv6 in brackets are allowed.
        """
        self.assertEqual(parse_address("127.0.0.1:0"), Address("127.0.0.1", 0))
        self.assertEqual(parse_address("[::1]:80"), Address("::1", 80))
        self.assertEqual(str(Address("::1", 80)), "[::1]:80")
        self.assertEqual(parse_address("a-b.example:1"), Address("a-b.example", 1))

    def test_bad_addresses(self) -> None:
        """
        What is no address is refused.
        """
        for text in ("", "x", ":1", "h:", "h:x", "h:65536", "h:-1", "::1:80", "[x]:1"):
            self.assertRaises(ValueError, parse_address, text)
        for text in ("a b:1", "a/b:1", "http://a:1", "h:٣"):
            self.assertRaises(ValueError, parse_address, text)

    def test_loopback(self) -> None:
        """
        Only what other machines cannot reach counts as loopback.
        """
        for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
            self.assertTrue(is_loopback(host), host)
        for host in ("0.0.0.0", "::", "10.0.0.1", "example.org"):
            self.assertFalse(is_loopback(host), host)

    def test_open_listeners(self) -> None:
        """
        A listener that believes its caller is not opened beyond loopback unless the
        operator says so; Connect's public one is.
        """
        for settings_type, table, keys in (
            (ConnectSettings, "connect", ["rpc_listen", "admin_listen"]),
            (MessageSettings, "message", ["listen", "rpc_listen", "admin_listen"]),
        ):
            lines = [f'{key} = "0.0.0.0:{n}"' for n, key in enumerate(keys, 9000)]
            text = "\n".join([f"[{table}]", *lines])
            told = self.in_file(text, settings_type)
            self.assertEqual(len(told), len(keys))
            for key, line in zip(keys, told, strict=True):
                self.assertIn(f" {key}: 0.0.0.0:", line)
                self.assertIn("set trust_network = true", line)
            file = self.file(f"[common]\ntrust_network = true\n{text}")
            load_settings(settings_type, Sources(file=file))
        file = self.file('[connect]\nlisten = "0.0.0.0:21005"\n')
        load_settings(ConnectSettings, Sources(file=file))

    def test_systemd_endpoint(self) -> None:
        """
        Connect can be handed its listener by systemd; the trusted ones cannot.
        """
        file = self.file('[connect]\nlisten = "systemd:domain=INET:index=0"\n')
        load_settings(ConnectSettings, Sources(file=file))
        self.in_file('[connect]\nrpc_listen = "systemd:domain=INET:index=0"\n')

    def test_same_address(self) -> None:
        """
        Two listeners on one address are a mistake; two that let the system choose
        are not.
        """
        (told,) = self.in_file(
            '[connect]\nlisten = "127.0.0.1:9"\nadmin_listen = "127.0.0.1:9"\n'
        )
        self.assertIn("listen, admin_listen: both are 127.0.0.1:9", told)
        file = self.file(
            '[connect]\nlisten = "127.0.0.1:0"\nadmin_listen = "127.0.0.1:0"\n'
        )
        load_settings(ConnectSettings, Sources(file=file))

    def test_limits(self) -> None:
        """
        Bounds that contradict each other are told with both their keys.
        """
        told = self.in_file(
            "[connect.limits]\ncontent_bytes = 65536\noutbox_soft_bytes = 2000000\n"
            "[common.retry]\nfirst_s = 3.0\n"
        )
        self.assertEqual(len(told), 3)
        self.assertIn("retry.first_s, retry.cap_s", told[0])
        self.assertIn("limits.content_bytes, limits.frame_bytes", told[1])
        self.assertIn("limits.outbox_soft_bytes, limits.outbox_hard_bytes", told[2])

    def test_debug_token(self) -> None:
        """
        A token that is believed for everybody is not for a public listener.
        """
        text = '[connect]\nlisten = "0.0.0.0:1"\n[connect.token]\ndebug_token = "x"\n'
        (told,) = self.in_file(text)
        self.assertIn("token.debug_token, listen: whoever reaches 0.0.0.0:1", told)

    def test_backends(self) -> None:
        """
        A backend of a later version is told as such, another as unknown.
        """
        for key, later in (
            ("journal", "kafka://h:1/t"),
            ("store", "mongodb://h/db"),
            ("presence", "redis://h"),
        ):
            (told,) = self.in_file(f'[message]\n{key} = "{later}"\n', MessageSettings)
            self.assertIn(f"{key}: ", told)
            self.assertIn("is not supported by this version; use ", told)
        for text in ("", "sqlite", "sqlite:x", "sqlite://x", "sqlite:///", "foo:"):
            self.in_file(f'[message]\njournal = "{text}"\n', MessageSettings)
        for text in ("static:", "static:h", "static:h:0", "dns:h:1", "h:1"):
            self.in_file(f'[connect]\ndiscovery = "{text}"\n')
        (told,) = self.in_file('[connect]\ndiscovery = "static:a:1,a:1"\n')
        self.assertIn("names an address twice", told)

    def test_one_file(self) -> None:
        """
        The journal and the store are not put into one file.
        """
        (told,) = self.in_file(
            '[message]\njournal = "sqlite:///d/x"\nstore = "sqlite:///d/x"\n',
            MessageSettings,
        )
        self.assertIn("journal, store: ", told)

    def test_paths(self) -> None:
        """
        A backend's file is in the data folder unless the URL has its path.
        """
        data = Path("/data")
        self.assertEqual(sqlite_path("sqlite:", data, "j.db"), Path("/data/j.db"))
        self.assertEqual(sqlite_path("sqlite:///a/b", data, "j.db"), Path("/a/b"))
        self.assertEqual(
            static_targets("static:a:1, [::1]:2"), (Address("a", 1), Address("::1", 2))
        )


class KeyTests(Folder):
    """
    The keys that tokens are checked with.
    """

    def pem(self, key: object) -> str:
        public = key.public_key()  # type: ignore[attr-defined]
        pem: bytes = public.public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )
        return pem.decode()

    def given(self, pem: str) -> Sources:
        return Sources(
            environ={"WSMSG_CONNECT__TOKEN__PUBLIC_KEY": str(self.file(pem, "k.pem"))}
        )

    def test_path(self) -> None:
        """
        A public key is given as itself or by the path of its file.
        """
        pem = self.pem(ec.generate_private_key(ec.SECP256R1()))
        settings = load_settings(ConnectSettings, self.given(pem))
        self.assertEqual(settings.token.public_key, pem)
        self.assertEqual(TokenSettings(public_key=pem).public_key, pem)

    def test_unfit(self) -> None:
        """
        A private key, a weak one, one of another kind and none are told apart.
        """
        weak = rsa.generate_private_key(65537, 1024)
        private = weak.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        for pem, reason in (
            (private, "private key"),
            (self.pem(weak), "2048 bits"),
            (self.pem(ed25519.Ed25519PrivateKey.generate()), "only RSA keys"),
            ("-----BEGIN nothing", "not a PEM public key"),
        ):
            (told,) = self.mistakes(self.given(pem))
            self.assertIn(reason, told)
        missing = {"WSMSG_CONNECT__TOKEN__PUBLIC_KEY": "/nonexistent"}
        (told,) = self.mistakes(Sources(environ=missing))
        self.assertIn("No such file", told)

    def test_algorithms(self) -> None:
        """
        An algorithm that there is no key for is a mistake.
        """
        (told,) = self.in_file('[connect.token]\nalgorithms = ["HS256", "RS256"]\n')
        self.assertIn("RS256: there is no key for it", told)

    def test_local_key(self) -> None:
        """
        The local key is made once, for its owner's eyes, and found again.
        """
        data = self.folder / "new"
        key = local_key(data)
        self.assertGreaterEqual(len(key), 32)
        self.assertEqual(local_key(data), key)
        self.assertEqual(os.listdir(data), ["token.key"])
        self.assertEqual((data / "token.key").stat().st_mode & 0o777, 0o600)

    def test_local_key_race(self) -> None:
        """
        Of two that make the key at one time, both use the one that was first.
        """
        key = local_key(self.folder)
        # The loser found none and comes to make it when it is there.
        from wsmsg import token_key

        token_key._make(self.folder / "token.key")
        self.assertEqual(local_key(self.folder), key)
        self.assertEqual(os.listdir(self.folder), ["token.key"])

    def test_bad_local_keys(self) -> None:
        """
        A key that others can read, or too short a one, is refused by name.
        """
        path = self.file("x" * 40, "token.key")
        path.chmod(0o644)
        refused = self.assertRaises(TokenKeyUnusable, local_key, self.folder)
        self.assertIn("others may read it (mode 644)", str(refused))
        path.chmod(0o600)
        path.write_text("short")
        refused = self.assertRaises(TokenKeyUnusable, local_key, self.folder)
        self.assertIn("has 5 characters", str(refused))

    def test_no_local_key(self) -> None:
        """
        Who only reads the key is told where it would be.
        """
        refused = self.assertRaises(
            TokenKeyUnusable, local_key, self.folder, make=False
        )
        self.assertIn("token.key: No such file", str(refused))


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


class CheckConfigTests(Folder):
    """
    C{wsmsg check-config}.
    """

    def run_with(self, *arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(check_config, arguments)
        return result.exit_code, result.stdout, result.stderr

    def test_good(self) -> None:
        """
        A good file is said to be, with status 0.
        """
        file = str(self.file("[connect]\nheartbeat_s = 5\n"))
        self.assertEqual(self.run_with(file), (0, f"{file}: no mistakes\n", ""))

    def test_bad(self) -> None:
        """
        The mistakes of both daemons are told on stderr, common ones once, with
        status 2.
        """
        file = str(
            self.file(
                '[common]\nstop_s = 0\n[connect]\na = 1\n[message]\nlisten = ""\nb=1'
            )
        )
        status, out, err = self.run_with(file)
        self.assertEqual((status, out), (2, ""))
        self.assertTrue(err.startswith("3 mistakes in the settings:\n"), err)
        self.assertEqual(err.count("stop_s"), 1)

    def test_json(self) -> None:
        """
        A script gets the mistakes as JSON, with the same status.
        """
        file = str(self.file("[connect]\nlisten = 5\n"))
        status, out, _ = self.run_with("--json", file)
        self.assertEqual(status, 2)
        self.assertEqual(
            json.loads(out),
            {
                "ok": False,
                "mistakes": [
                    {
                        "source": f"{file} [connect]",
                        "key": "listen",
                        "reason": "must be text, not 5",
                    }
                ],
            },
        )

    def test_show(self) -> None:
        """
        What is in force is shown as a file that is itself good, secrets as stars.
        """
        secret = "s" * 40
        file = self.file(f'[connect]\ntoken.secret = "{secret}"\nheartbeat_s = 5\n')
        status, out, _ = self.run_with("--show", str(file))
        self.assertEqual(status, 0)
        self.assertIn("heartbeat_s = 5.0\n", out)
        self.assertNotIn(secret, out)
        shown = self.file(out.replace('"**********"', f'"{secret}"'), "shown.toml")
        self.assertEqual(
            load_settings(ConnectSettings, Sources(file=shown)),
            load_settings(ConnectSettings, Sources(file=file)),
        )
