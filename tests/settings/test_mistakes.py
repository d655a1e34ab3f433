"""
Mistakes in settings, and their wording.
"""

from __future__ import annotations

from tests.settings.files import Folder
from wsmsg.settings.keys import RENAMED, keys_of
from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.sources import TABLES, Sources, load_settings
from wsmsg.settings.values import ConnectSettings, MessageSettings


class MistakesTests(Folder):
    """
    Mistakes in settings, and their wording.
    """

    def test_all_at_once(self) -> None:
        """
        Every mistake of every source is reported, with its source, key and reason.
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
                "wsmsg.toml [connect]: lissten: is not a setting of wsmsg connect; "
                "did you mean listen?",
                "wsmsg.toml [common]: trust_network: must be a list, not 'perhaps'",
                "option --listen: listen: 'here' is not host:port, as 127.0.0.1:21005",
                "wsmsg.toml [connect]: limits.window: must be at least 1, not 0",
                "environment variable WSMSG_CONNECT__LIMITS__PAGE: limits.page: "
                "must be an integer, not 'many'",
            ],
        )

    def test_text(self) -> None:
        """
        The message counts the mistakes and has a line for each.
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
        The mistake about a missing file names it.
        """
        self.assertEqual(
            self.mistakes(Sources(file=self.folder / "none.toml")),
            ["none.toml: cannot be read: No such file or directory"],
        )

    def test_no_toml(self) -> None:
        """
        The mistake about a file that is not TOML names the file and the line.
        """
        (told,) = self.in_file("[connect\n")
        self.assertIn("wsmsg.toml: is not TOML: ", told)
        self.assertIn("line 1", told)

    def test_not_text(self) -> None:
        """
        The mistake about a file that is not text names it.
        """
        path = self.folder / "x.toml"
        path.write_bytes(b"\xff\xfe")
        self.assertEqual(
            self.mistakes(Sources(file=path)), ["x.toml: is not UTF-8 text"]
        )

    def test_tables(self) -> None:
        """
        The mistakes about an unknown table, and a key outside of any table, name the
        right table.
        """
        self.assertEqual(
            self.in_file('listen = "x:1"\n[conect]\n'),
            [
                "wsmsg.toml: listen: must be under [connect] or [message]",
                "wsmsg.toml: conect: is not a table; the tables are [common], "
                "[connect] and [message]; did you mean connect?",
            ],
        )

    def test_wrong_table(self) -> None:
        """
        The mistake about a key in the wrong table names the right one.
        """
        self.assertEqual(
            self.in_file('[common]\njournal = "sqlite:"\n'),
            [
                "wsmsg.toml [common]: journal: is not a setting in [common]; it "
                "belongs to [message]"
            ],
        )

    def test_renamed(self) -> None:
        """
        The mistake about a renamed key names the new key.
        """
        environ = {"WSMSG_MESSAGE__DEPLOYED__SENDS": "5"}
        file = self.file("[message]\ndeployed.records = 1\n")
        self.assertEqual(
            self.mistakes(Sources(file=file, environ=environ), MessageSettings),
            [
                "wsmsg.toml [message]: deployed.records: is called legacy.records now",
                "environment variable WSMSG_MESSAGE__DEPLOYED__SENDS: deployed.sends: "
                "is called legacy.sends now",
            ],
        )

    def test_renamed_keys(self) -> None:
        """
        Each renamed key is gone, and its new name is a key or a table of keys.
        """
        for table, renamed in RENAMED.items():
            keys = keys_of(TABLES[table], sections=True)
            for old, new in renamed.items():
                self.assertNotIn(old, keys)
                self.assertIn(new, keys)

    def test_shapes(self) -> None:
        """
        A table in place of a value, and a value in place of a table, are mistakes.
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
        The mistake about a value of the wrong type is in plain words; a boolean is no
        number.
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
                "wsmsg.toml [connect]: limits.page: must be an integer, not 1.5",
            ],
        )

    def test_misspelt_variables(self) -> None:
        """
        A misspelt variable is a mistake; variables of other programs are ignored.
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
                f"environment variable {name}: is not the name of a setting, such as "
                "WSMSG_CONNECT__LIMITS__WINDOW; did you mean "
                "WSMSG_CONNECT__LISTEN?"
                for name in ("WSMSG_CONECT__LISTEN", "WSMSG_CONNECT_LISTEN")
            ],
        )

    def test_secret_twice(self) -> None:
        """
        A variable together with its C{_FILE} variant is a mistake; so is a missing
        file.
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
        No mistake shows a secret, not even an invalid one.
        """
        told = self.in_file("[connect.token]\nsecret = 31415926\n")
        self.assertEqual(told, ["wsmsg.toml [connect]: token.secret: must be text"])
        told = self.in_file('[connect.token]\nsecret = "31415926"\n')
        self.assertNotIn("31415926", told[0])
        self.assertIn("at least 32 bytes", told[0])
