"""
Passwords of URLs, which nobody is shown.
"""

from __future__ import annotations

import io
from itertools import product

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from tests.settings.files import Folder
from wsmsg.monitoring.logs import Logs
from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import Common, ConnectSettings, LogSettings, MessageSettings
from wsmsg.text.passwords import STARS, without_login, without_passwords

#: Every setting that is a URL, with the schemes that are tried.
_URLS = (
    (ConnectSettings, "connect", "discovery", ("static", "dns", "redis", "sql")),
    (ConnectSettings, "connect", "legacy.redis", ("redis",)),
    (MessageSettings, "message", "journal", ("kafka", "sql")),
    (MessageSettings, "message", "store", ("mongodb", "mongodb+srv", "sqlite")),
    (MessageSettings, "message", "presence", ("rediss",)),
    (MessageSettings, "message", "registry", ("redis",)),
)

_MALFORMED = (
    *("{s}://u:SECRET@h:x/0", "{s}://u:SECRET@h:1:2/0", "{s}://u:SEC/SECRET@h/db"),
    *("{s}://u:SECRET@", "{s}://u:SECRET", "{s}://u:SECRET/db", "{s}:u:SECRET@h:1"),
    *("{s}//u:SECRET@h", "{s}:/u:SECRET@h", "x{s}://u:SECRET@h/t", "//u:SECRET@h"),
    *("{s}://u:SE,SECRET@h:x/t", "{s}://u:SE?SECRET@h/0", "{s}://u:SE#SECRET@h/0"),
    *("{s}://u:SE@SECRET@h:x/0", "{s}://u:SE SECRET@h:x", "{s}://u:%SECRET@h:x/0"),
    *("{s}://h:x/0?password=SECRET", "{s}://:SECRET@h:x", "u:SECRET@h:1", "u:SECRET"),
    *("{s}://h:1,u:SECRET@h:x/t", "{s}://u:'SECRET@h:x", "{s}:h:1,u:SECRET", "{s}:SE@"),
    "{s}://u:" + "x" * 60 + "SECRET@h:x/0",
)


class PasswordTests(Folder):
    """
    Passwords in mistakes of settings.
    """

    def test_row_16_no_password_in_a_mistake(self) -> None:
        """
        However a URL with a password is malformed, and whichever setting it is given
        to, the mistake names the setting and does not show the password.
        """
        for kind, table, key, schemes in _URLS:
            for form, scheme in product(_MALFORMED, schemes):
                url = form.format(s=scheme)
                told = self.told(f'[{table}]\n{key} = "{url}"\n', kind)
                self.assertNotIn("SECRET", told, url)
                self.assertIn(key, told)

    def told(self, text: str, kind: type[Common]) -> str:
        """
        Return the mistakes; without any (MongoDB takes some of these passwords), all
        that is shown of the settings.
        """
        try:
            settings = load_settings(kind, Sources(file=self.file(text)))
        except SettingsMistakes as e:
            return e.text()
        return f"{settings.model_dump(mode='json')} {settings!r} legacy.redis"

    def test_row_16_other_settings(self) -> None:
        """
        Nor does the mistake of another setting that a URL was given to.
        """
        for key in ("listen", "origins", "heartbeat_s", "no_such", "token.public_key"):
            for value in ('"redis://u:SECRET@h"', '["http://u:SEC SECRET@h"]'):
                told = "\n".join(self.in_file(f"[connect]\n{key} = {value}\n"))
                self.assertIn(key, told)
                self.assertNotIn("SECRET", told, f"{key} = {value}")
        for line in ('"redis://u:SECRET@h" = 1', "token.secret = 12345", "x = SECRET"):
            told = "\n".join(self.in_file(f"[connect]\n{line}\n"))
            self.assertNotIn("SECRET", told)
            self.assertNotIn("12345", told)

    def test_reason(self) -> None:
        """
        The reason is that of the rest of the URL, or else it says where to look.
        """
        url = "mongo://u:SECRET@h/db"
        (told,) = self.in_file(f'[message]\nstore = "{url}"\n', MessageSettings)
        self.assertIn(f"'mongo://{STARS}@h/db' begins with none of", told)
        url = "mongodb://u:SEC/RET@h/db"
        (told,) = self.in_file(f'[message]\nstore = "{url}"\n', MessageSettings)
        self.assertIn("percent-encoded", told)


class LoggedPasswordTests(SynchronousTestCase):
    """
    Passwords in running text.
    """

    def test_row_16_no_password_in_the_log(self) -> None:
        """
        A URL that gets into the log, as a field, in the text or in a traceback, has
        no password there.
        """
        for form in ("text", "json"):
            out = io.StringIO()
            settings = LogSettings.model_validate({"format": form})
            log = Logger(namespace="wsmsg.trial", observer=Logs(out, settings))
            log.warn(
                "cannot reach redis://u:SECRET@h:1/0 ({url})", url="x://:SE/CRET@h"
            )
            try:
                raise ValueError("mongodb://u:SECRET@h/db is away")
            except ValueError:
                log.failure("away")
            self.assertNotIn("SECRET", out.getvalue())
            self.assertNotIn("SE/CRET", out.getvalue())
            self.assertIn(f"redis://{STARS}@h:1/0", out.getvalue())

    def test_plain(self) -> None:
        """
        Text without a password stays as it is.
        """
        for text in ("http://127.0.0.1:1/x", "a@b", "dns://1.2.3.4:53/name:1", "x"):
            self.assertEqual(without_passwords(text), text)
        for url in ("static:h:1,[::1]:2", "kafka://h:1/t", "sqlite:///a:b", "sqlite:x"):
            self.assertEqual(without_login(url), url)
