"""
The URL of a Redis, and the rules about it.
"""

from __future__ import annotations

from tests.settings.files import Folder
from wsmsg.settings.rules import registry_url
from wsmsg.settings.urls.redis import read_redis_url
from wsmsg.settings.values import ConnectSettings, MessageSettings


class RedisUrlTests(Folder):
    """
    Valid URLs and mistakes.
    """

    def test_least(self) -> None:
        """
        A host is enough: there is no login, and keys begin with wsmsg.
        """
        url = read_redis_url("redis://db")
        self.assertEqual((url.address, url.db), (("db", 6379), 0))
        self.assertEqual((url.user, url.password, url.prefix), ("", "", "wsmsg:"))
        self.assertFalse(url.tls)

    def test_everything(self) -> None:
        """
        Login, database, prefix and authorities are read; nothing shows the password.
        """
        url = read_redis_url(f"rediss://us%40er:p%3A@[::1]:7/3?prefix=x:&ca={__file__}")
        self.assertEqual((url.user, url.password), ("us@er", "p:"))
        self.assertEqual((url.place, url.prefix), ("[::1]:7/3", "x:"))
        self.assertEqual((url.tls, url.ca_file), (True, __file__))
        self.assertNotIn("p:", repr(url))
        self.assertEqual(read_redis_url("redis://:pw@h").password, "pw")
        self.assertEqual(read_redis_url("redis://u@h", "pw").password, "pw")

    def test_mistakes(self) -> None:
        """
        An invalid part, or an option that would have no effect, is a mistake that does
        not show the password.
        """
        for text, reason in (
            ("redis:", "it is not redis://"),
            ("redis://", "there is no host"),
            ("redis://u:s3cret@h:0", "port 0"),
            ("redis://u:s3cret@h:x", "has no port"),
            ("redis://u:s3cret@h/x", "is not the number of a database"),
            ("redis://u:s3cret@h/0?foo=1", "the option foo is not supported"),
            ("redis://u:s3cret@h/0?prefix=a&prefix=b", "given twice"),
            ("redis://u:s3cret@h/0?prefix=", "a prefix has 1 to 100 characters"),
            ("redis://u:s3cret@h/0#x", "nothing may follow"),
            ("redis://u:s3cret@h/0?ca=/x", "use rediss://"),
            ("rediss://u:s3cret@h/0?ca=/no/file", "not a readable file"),
        ):
            with self.assertRaises(ValueError, msg=text) as told:
                read_redis_url(text)
            self.assertIn(reason, str(told.exception), text)
            self.assertNotIn("s3cret", str(told.exception))


class RedisRulesTests(Folder):
    """
    Rules between the settings of Redis.
    """

    def test_message(self) -> None:
        """
        A login without a password, a password that the network can read, and a Message
        that no Connect can reach are mistakes.
        """
        for lines, reason in (
            ('presence = "redis://u@127.0.0.1"', "no password for the user 'u'"),
            ('presence = "redis://u:pw@db"', "the network of db can read the password"),
            ('presence_password = "pw"', "only a Redis has a password"),
            ('presence = "redis://db"\nrpc_listen = ""', "no Connect can reach"),
            ('presence = "redis://db"\nadvertise = "0.0.0.0:1"', "cannot dial 0.0.0.0"),
            ('presence = "redis://db"\nrpc_listen = "127.0.0.1:0"', "cannot dial"),
            ('advertise = "h:1"', "there is no list of Messages"),
            ('registry = "memory:"', "it is not redis://"),
        ):
            told = self.in_file(f"[message]\n{lines}\n", MessageSettings)
            self.assertEqual(len(told), 1, told)
            self.assertIn(reason, told[0], lines)

    def test_connect(self) -> None:
        """
        The discovery, and the Redis of legacy Connects, have the same rules.
        """
        for lines, reason in (
            ('discovery = "redis://u@127.0.0.1"', "no password for the user 'u'"),
            ('discovery = "rediss://u@h:x"', "has no port"),
            ('discovery_password = "pw"', "only a Redis has a password"),
            ('legacy.redis = "redis://u@127.0.0.1"', "no password for the user 'u'"),
            (
                'legacy.redis = "redis://u:pw@db"',
                "the network of db can read the password",
            ),
            ('legacy.redis = "127.0.0.1:6379"', "it is not redis://"),
            ('legacy.redis_password = "pw"', "legacy.redis is not"),
        ):
            (told,) = self.in_file(f"[connect]\n{lines}\n", ConnectSettings)
            self.assertIn(reason, told, lines)

    def test_registry(self) -> None:
        """
        The list of Messages is in the Redis of the presence, unless C{registry} says
        otherwise.
        """
        redis = "redis://db/0"
        for registry, presence, host in (
            ("", "memory:", ""),
            ("", redis, "db"),
            ("none", redis, ""),
            ("redis://other", redis, "other"),
            ("redis://other", "memory:", "other"),
        ):
            url = registry_url(MessageSettings(registry=registry, presence=presence))
            self.assertEqual(url.address.host if url else "", host)
