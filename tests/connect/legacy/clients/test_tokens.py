"""
Tokens of legacy clients.
"""

from __future__ import annotations

import time

import jwt
from pydantic import SecretStr
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.legacy.clients.legacy_node import LegacyNode
from wsmsg.errors import Unauthenticated
from wsmsg.settings.legacy import ConnectLegacySettings


class TokenTests(SynchronousTestCase):
    """
    The tokens of legacy clients.
    """

    def test_user_id(self) -> None:
        """
        With C{legacy.token_secret}, a client may have a token of the legacy user
        service, besides the usual ones; without, it is refused as before.
        """
        node = LegacyNode()
        token = jwt.encode({"user_id": 7, "exp": time.time() + 60}, "eleven byte")
        authenticate = node.legacy.authenticate
        usual = authenticate("token-7", 7)
        self.assertEqual(usual.user, 7)
        self.assertRaises(Unauthenticated, authenticate, token, 7)
        legacy = ConnectLegacySettings(token_secret=SecretStr("eleven byte"))
        node.registry.apply_settings(
            node.settings.model_copy(update={"legacy": legacy})
        )
        self.assertEqual(authenticate("token-7", 7), usual)
        self.assertEqual(authenticate(token, 7).user, 7)
        self.assertRaises(Unauthenticated, authenticate, token, 8)
