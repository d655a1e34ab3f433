"""
What tests of sessions have in common.
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
    Knows how a client's ears are checked.
    """

    def assert_error(self, client: Client, code: str, request: str = "") -> Error:
        """
        The client heard exactly one C{error}, of this code.
        """
        (error,) = client.heard()
        assert isinstance(error, Error), error
        self.assertEqual((error.code, error.id), (code, request))
        return error

    def assert_rejected(self, client: Client, code: str) -> frames.Rejected:
        """
        The client heard exactly one C{rejected}, of this code.
        """
        (rejected,) = client.heard()
        assert isinstance(rejected, frames.Rejected), rejected
        self.assertEqual(rejected.code, code)
        return rejected


class CodecTestCase(SynchronousTestCase):
    """
    Says that a codec must refuse something.
    """

    def assert_bad(self, codec: Any, data: bytes, *words: str) -> None:
        """
        The codec refuses it, and says why in a few words.
        """
        with self.assertRaises(BadFrame) as caught:
            codec.decode(data)
        for word in words:
            self.assertIn(word, caught.exception.reason)
        self.assertLess(len(caught.exception.reason), 300)
