"""
Tests of C{wsmsg export} and C{wsmsg import} between the embedded store and MongoDB.
"""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from tests.cli.test_transfer import Folder
from tests.stack.mongo.places import client
from tests.stack.servers import mongo_url, needs, unique
from wsmsg.settings.urls.mongo import read_mongo_url


@needs("mongo")
class ToMongoTests(Folder):
    """
    Moving from one machine to several, and back.
    """

    def setUp(self) -> None:
        super().setUp()
        self.url = mongo_url(unique("moved"))
        self.addCleanup(self.drop)

    def drop(self) -> None:
        """
        Drop the database.
        """
        url = read_mongo_url(self.url)
        with client(url) as asked:
            asked.drop_database(url.database)

    def test_killed_and_again(self) -> None:
        """
        The next import into MongoDB finishes one that was killed; the store then has
        the counts and the hash of the exported one.
        """
        self.stored(1500, conversations=4)
        out = self.export()
        whole = Path(self.file).read_bytes()
        process = subprocess.Popen(
            self.command("import", "--store", self.url, "-"),
            env=self.environ,
            stdin=subprocess.PIPE,
        )
        assert process.stdin is not None
        # More than a pipe holds, so a part of it has been read.
        process.stdin.write(whole[: len(whole) // 2])
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()
        told = self.run_("import", "--verify", "--store", self.url, self.file)
        self.assertEqual(told.returncode, 1)
        done = self.good("import", "--store", self.url, self.file)
        self.assertGreater(done["already_there"], 0)
        self.assertEqual(done["already_there"] + done["written"], 6000)
        self.assertEqual(done["sha256"], out["sha256"])
        # The first import took the epoch along.
        self.assertEqual(done["epoch"], json.loads(whole.splitlines()[0])["epoch"])
        verified = self.good("import", "--verify", "--store", self.url, self.file)
        self.assertTrue(verified["same"])
        self.assertEqual(verified["more_in_store"], 0)
        back = self.good("export", "--store", self.url, f"{self.file}.back")
        self.assertEqual(back["sha256"], out["sha256"])
        self.assertEqual(back["messages"], 6000)
        with open(f"{self.file}.back") as lines:
            self.assertEqual(json.loads(lines.readline())["epoch"], done["epoch"])

    def test_nothing_there(self) -> None:
        """
        A database without a store is reported, without its password.
        """
        url = self.url.replace("mongodb://", "mongodb://me:secret@")
        told = self.bad("export", "--store", url, self.file)
        self.assertNotIn("secret", told)
        told = self.bad("export", "--store", self.url, self.file)
        self.assertIn("there is no store of wsmsg in MongoDB", told)
