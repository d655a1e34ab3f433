"""
The URL of a store in MongoDB.
"""

from __future__ import annotations

from tests.settings.files import Folder
from wsmsg.settings.urls.mongo import read_mongo_url
from wsmsg.settings.values import MessageSettings


class MongoUrlTests(Folder):
    """
    Valid URLs and mistakes.
    """

    def test_least(self) -> None:
        """
        A host is enough: there is no login, and the database is wsmsg.
        """
        url = read_mongo_url("mongodb://db")
        self.assertEqual(url.hosts, (("db", 27017),))
        self.assertEqual((url.database, url.user, url.tls), ("wsmsg", "", False))

    def test_everything(self) -> None:
        """
        Hosts, login, database and options are read.
        """
        url = read_mongo_url(
            "mongodb://us%40er:p%3A@a:1,[::1]:2/chat?authSource=admin&replicaSet=rs"
            "&tls=true&timeoutMS=2500&maxPoolSize=9&w=majority&retryWrites=true"
        )
        self.assertEqual(url.hosts, (("a", 1), ("::1", 2)))
        self.assertEqual((url.user, url.password), ("us@er", "p:"))
        self.assertEqual((url.database, url.auth_source), ("chat", "admin"))
        self.assertEqual((url.replica_set, url.tls), ("rs", True))
        self.assertEqual((url.timeout_s, url.pool_size), (2.5, 9))
        self.assertEqual(url.place, "a:1,::1:2/chat")
        self.assertNotIn("p:", repr(url))

    def test_srv(self) -> None:
        """
        One DNS name stands for the hosts and implies TLS; reading the URL does not
        resolve it.
        """
        url = read_mongo_url("mongodb+srv://u:p@cluster.example/chat")
        self.assertEqual((url.hosts[0][0], url.srv), ("cluster.example", True))
        self.assertTrue(url.tls)
        self.assertEqual(url.auth_source, "chat")

    def test_mistakes(self) -> None:
        """
        An invalid part, or an option that would have no effect, is a mistake that does
        not show the password.
        """
        for text, reason in (
            ("mongodb://", "at least one hostname"),
            ("mongodb://h:99999/db", "Port must be"),
            ("mongodb://u:s3cret:x@h/db", "percent-encoded"),
            ("mongodb://u:s3cret@h/d b", "Bad database name"),
            ("mongodb://u:s3cret@h/db?foo=1", "Unknown option: foo"),
            ("mongodb://u:s3cret@h/db?readPreference=secondary", "readpreference"),
            ("mongodb://u:s3cret@h/db?w=1", "always w=majority"),
            ("mongodb://u:s3cret@h/db?authMechanism=PLAIN", "PLAIN"),
            ("mongodb://u:s3cret@h/db?tls=true&tlsCAFile=/no/file", "/no/file"),
            ("mongodb+srv://a.example,b.example/db", "one DNS name"),
        ):
            (told,) = self.in_file(f'[message]\nstore = "{text}"\n', MessageSettings)
            self.assertIn("store: ", told)
            self.assertIn(reason, told)
            self.assertNotIn("s3cret", told)

    def test_password(self) -> None:
        """
        A password is given once, together with a user, and every user has one.
        """
        for store, password, reason in (
            ("sqlite:", "x", "an embedded store has no password"),
            ("mongodb://h/db", "x", "no user"),
            ("mongodb://u:p@h/db", "x", "in the URL and in store_password"),
            ("mongodb://u@h/db", "", "there is no password for the user 'u'"),
        ):
            (told,) = self.in_file(
                f'[message]\nstore = "{store}"\nstore_password = "{password}"\n',
                MessageSettings,
            )
            self.assertIn("store, store_password: ", told)
            self.assertIn(reason, told)
        self.assertEqual(read_mongo_url("mongodb://u@h/db", "x").password, "x")

    def test_shown(self) -> None:
        """
        Printed settings do not show the password in the URL.
        """
        settings = MessageSettings(store="mongodb://u:p4ss@h,i/db?tls=true")
        shown = settings.model_dump(mode="json")["store"]
        self.assertEqual(shown, "mongodb://u:**********@h,i/db?tls=true")
