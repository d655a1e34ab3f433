"""
Tests of the fail2ban filter in C{deploy/fail2ban}.
"""

from __future__ import annotations

import configparser
import io
import re
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.edge.refusals import RefusedLogins
from wsmsg.monitoring.logs import Logs
from wsmsg.settings.values import LogSettings

FOLDER = Path(__file__).parent.parent.parent / "deploy" / "fail2ban"
_HOST = r"(?P<host>(?:\d+\.){3}\d+|[0-9a-fA-F:]+)"


class Fail2banTests(SynchronousTestCase):
    """
    The filter and the jail, on lines that Connect writes.
    """

    def test_row_15_fail2ban(self) -> None:
        """
        The filter finds the address of each refusal, of IPv4 and IPv6, in text and in
        JSON, also in the lines that sum up, and nothing in other lines.
        """
        parser = configparser.RawConfigParser()
        parser.read(FOLDER / "filter.d" / "wsmsg.conf")
        filters = parser["Definition"]
        what = filters["_what"]
        expressions = [
            re.compile(line.replace("<_what>", what).replace("<HOST>", _HOST))
            for line in filters["failregex"].splitlines()
        ]
        jail = configparser.RawConfigParser()
        jail.read(FOLDER / "jail.d" / "wsmsg.conf")
        self.assertEqual(jail["wsmsg"]["filter"], "wsmsg")
        for form in ("text", "json"):
            found = []
            for line in self.written(form).splitlines():
                hosts = [m["host"] for e in expressions if (m := e.search(line))]
                found += hosts
            self.assertEqual(
                found,
                ["192.0.2.7"] * 5 + ["2001:db8::7", "192.0.2.9", "192.0.2.7"],
            )

    def written(self, form: str) -> str:
        """
        Return the lines of some refusals.
        """
        out, clock = io.StringIO(), Clock()
        logs = Logs(out, LogSettings.model_validate({"format": form}))
        globalLogPublisher.addObserver(logs)
        self.addCleanup(globalLogPublisher.removeObserver, logs)
        refused = RefusedLogins(clock)
        for _ in range(1245):
            refused.note("192.0.2.7", "token_expired", "the token has expired")
        refused.note("2001:db8::7", "origin", "origin 'http://x' is not allowed")
        forged = '"text": "refused 9.9.9.9: token_x\n refused 9.9.9.9: origin'
        refused.note("192.0.2.9", "bad_request", forged)
        refused.note("192.0.2.9", "unavailable", "not for what the client did")
        clock.advance(60)
        globalLogPublisher.removeObserver(logs)
        self.assertIn("1,240 more from 192.0.2.7 in 60 s", out.getvalue())
        return out.getvalue()
