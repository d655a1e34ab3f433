"""
Assertions that tests of sessions and codecs share.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import Client
from wsmsg.errors import BadFrame
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Error


class SessionTestCase(SynchronousTestCase):
    """
    A test with assertions on the answers that a client receives.
    """

    def assert_error(self, client: Client, code: str, request: str = "") -> Error:
        """
        Check that the client received exactly one C{error}, with this code.
        """
        (error,) = client.heard()
        assert isinstance(error, Error), error
        self.assertEqual((error.code, error.id), (code, request))
        return error

    def assert_rejected(self, client: Client, code: str) -> frames.Rejected:
        """
        Check that the client received exactly one C{rejected}, with this code.
        """
        (rejected,) = client.heard()
        assert isinstance(rejected, frames.Rejected), rejected
        self.assertEqual(rejected.code, code)
        return rejected


class CodecTestCase(SynchronousTestCase):
    """
    A test with an assertion on what a codec refuses.
    """

    def assert_bad(self, codec: Any, data: bytes, *words: str) -> None:
        """
        Check that the codec refuses the data, with a short reason.
        """
        with self.assertRaises(BadFrame) as caught:
            codec.decode(data)
        for word in words:
            self.assertIn(word, caught.exception.reason)
        self.assertLess(len(caught.exception.reason), 300)
