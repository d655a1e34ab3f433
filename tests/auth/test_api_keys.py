"""
API keys: the text that describes them, and the file that has them.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.auth.api_keys import (
    MOST_KEYS,
    NO_KEYS,
    Keyring,
    given_secret,
    hash_of,
    new_key,
    parse_keys,
)
from wsmsg.auth.key_file import (
    ApiKeys,
    add_key,
    keys_path,
    read_keys,
    remove_key,
)
from wsmsg.auth.scopes import GRANTED, Scope
from wsmsg.dependency.alarms import Alarms
from wsmsg.errors import Forbidden

_HASH = hash_of("x" * 40)


class KeyTests(SynchronousTestCase):
    """
    Row 8 of issue 11: L{parse_keys} and L{new_key}.
    """

    def test_new(self) -> None:
        """
        A new key has a secret of 256 random bits, of which its line has the hash only;
        the line is read as the same key.
        """
        key, secret = new_key(
            "billing", ["read", "send"], ["10.0.0.0/8", "2001:db8::1"]
        )
        other = new_key("billing", ["read"])[1]
        self.assertNotEqual(secret, other)
        self.assertRegex(secret, r"^wsmsg_[A-Za-z0-9_-]{43}$")
        self.assertNotIn(secret, key.line)
        self.assertNotIn(secret, repr(key))
        found = parse_keys(f"# names\n\n{key.line}\n")
        self.assertEqual(found.keys, (key,))
        self.assertEqual(found.find(secret), key)
        for wrong in ("", secret[:-1], secret + "x", secret.upper(), key.hash, "é"):
            self.assertIsNone(found.find(wrong), wrong)
        self.assertIsNone(NO_KEYS.find(secret))

    def test_own_secret(self) -> None:
        """
        A secret that callers have already is taken, unless it is too short, or does not
        fit into a header.
        """
        key, secret = new_key("old", ["read"], secret="0123456789abcdef")
        self.assertEqual(Keyring((key,)).find(secret), key)
        for wrong in ("0123456789abcde", "0123456789 abcdef", "0123456789abcdeé"):
            error = self.assertRaises(
                ValueError, new_key, "old", ["read"], secret=wrong
            )
            self.assertNotIn("6789", str(error))

    def test_mistakes(self) -> None:
        """
        A mistake is reported with its line and what is wrong; no message shows a hash.
        """
        good = f"good read any {_HASH}"
        for line, words in (
            ("x", "has 1 field"),
            (f"a read any {_HASH} more", "has 5 fields"),
            (f"a read any {_HASH[:-1]}", "not the hash"),
            ("a read any 0123456789abcdef0123", "not the hash"),
            (
                f"a read,fly any {_HASH}",
                "'fly' is not a scope; the scopes are send, read",
            ),
            (f"a operate any {_HASH}", "'operate' is not a scope"),
            (f"a read 10.0.0.1/8 {_HASH}", "'10.0.0.1/8' is no address or network"),
            (f"a read 10.0.0.0/8,any {_HASH}", "'any' is no address"),
            (f"(user) read any {_HASH}", "'(user)' is not the name of a key"),
            (f"{'a' * 65} read any {_HASH}", "is not the name of a key"),
            (f"good read any {hash_of('y')}", "two keys with the name good"),
            (f"b read any {_HASH}", "the key b has the secret of another key"),
        ):
            error = self.assertRaises(ValueError, parse_keys, f"{good}\n{line}\n")
            self.assertIn("line 2: ", str(error))
            self.assertIn(words, str(error))
            self.assertNotIn(_HASH[7:30], str(error))
        many = "".join(
            f"k{n} read any {hash_of(str(n))}\n" for n in range(MOST_KEYS + 1)
        )
        self.assertIn("more than", str(self.assertRaises(ValueError, parse_keys, many)))

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """
        Any text has keys or a mistake with its line.
        """
        try:
            parse_keys(text)
        except ValueError as e:
            self.assertIn("line ", str(e))

    def test_check(self) -> None:
        """
        A key without networks may be used from anywhere; a scope of operators cannot be
        granted.
        """
        key, _ = new_key("a", [scope.value for scope in GRANTED])
        for scope in GRANTED:
            key.check(scope, "203.0.113.1")
        for scope in (Scope.OBSERVE, Scope.OPERATE):
            self.assertRaises(Forbidden, key.check, scope, "203.0.113.1")
            self.assertRaises(ValueError, new_key, "a", [scope.value])

    def test_header(self) -> None:
        """
        A secret is sent bare or after C{Bearer}.
        """
        for header in ("Bearer s", "bearer  s ", " s", "s"):
            self.assertEqual(given_secret(header), "s", header)


class FileTests(SynchronousTestCase):
    """
    Row 8 of issue 11: the file of keys.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.path = self.folder / "api.keys"
        self.alarms = Alarms()

    def add(self, name: str = "a") -> str:
        """
        Add a key, and return its secret.
        """
        key, secret = new_key(name, ["read"])
        add_key(self.path, key)
        return secret

    def test_none(self) -> None:
        """
        Without a file in the data directory no key is needed; a file that is named has
        to be there.
        """
        self.assertEqual(read_keys("", self.folder), NO_KEYS)
        self.assertEqual(keys_path("", self.folder), self.path)
        error = self.assertRaises(ValueError, read_keys, str(self.path), self.folder)
        self.assertIn("api.keys", str(error))
        self.assertIn("wsmsg key new", str(error))

    def test_add_and_remove(self) -> None:
        """
        Keys are added and removed one by one; comments stay; a second key of a name is
        refused; without any keys, the file is still there, and so nobody gets in.
        """
        secret = self.add()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.path.write_text(f"# ours\n{self.path.read_text()}")
        other = self.add("b")
        self.assertRaises(ValueError, self.add, "b")
        found = read_keys("", self.folder)
        self.assertEqual([k.name for k in found.keys or ()], ["a", "b"])
        self.assertIsNotNone(found.find(secret))
        self.assertTrue(remove_key(self.path, "a"))
        self.assertFalse(remove_key(self.path, "a"))
        found = read_keys("", self.folder)
        self.assertIsNone(found.find(secret))
        self.assertIsNotNone(found.find(other))
        self.assertTrue(self.path.read_text().startswith("# ours\n"))
        remove_key(self.path, "b")
        self.assertEqual(read_keys("", self.folder), Keyring(()))
        self.assertTrue(read_keys("", self.folder).asks)
        self.assertEqual(os.listdir(self.folder), ["api.keys"])

    def test_reload(self) -> None:
        """
        A reload takes other keys.  A file with a mistake, one that others may write to,
        and one that is gone change nothing, and raise an alarm.
        """
        secret = self.add()
        keys = ApiKeys("", self.folder)
        self.assertIsNotNone(keys.current().find(secret))
        other = self.add("b")
        remove_key(self.path, "a")
        self.assertIsNone(keys.current().find(other))
        keys.reload("", self.alarms)
        self.assertIsNone(keys.current().find(secret))
        self.assertIsNotNone(keys.current().find(other))
        content = self.path.read_text()
        for spoil, word in (
            (lambda: self.path.write_text("x"), "line 1: has 1 field"),
            (lambda: self.path.write_bytes(b"\xff"), "not UTF-8"),
            (lambda: self.path.chmod(0o620), "others may write to it (mode 620)"),
            (lambda: self.path.write_text(f"{content}#{'x' * 2**20}"), "longer than"),
            (self.path.unlink, "is gone"),
            (lambda: os.mkfifo(self.path), "not a regular file"),
        ):
            spoil()
            with capturedLogs():
                keys.reload("", self.alarms)
            (alarm,) = self.alarms.current
            self.assertEqual(alarm.name, "api_keys")
            self.assertIn(word, alarm.reason)
            self.assertIsNotNone(keys.current().find(other))
            if self.path.is_file():
                self.path.chmod(0o600)
                self.path.write_text(content)
                keys.reload("", self.alarms)
                self.assertEqual(self.alarms.current, ())

    def test_begin(self) -> None:
        """
        Once there is a first key, a reload has callers need one.
        """
        keys = ApiKeys("", self.folder)
        self.assertFalse(keys.current().asks)
        self.add()
        keys.reload("", self.alarms)
        self.assertTrue(keys.current().asks)
