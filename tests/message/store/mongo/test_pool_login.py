"""
Tests for L{wsmsg.message.store.mongo.driver.pool}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.store.mongo.driver.pool import Refused, Scram

# RFC 7677, section 3.
NONCE = "rOprNGfwEbeRWgbNEkqO"
FIRST = (
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)
PROOF = (
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
LAST = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


class ScramTests(SynchronousTestCase):
    """
    The login.
    """

    def setUp(self) -> None:
        self.scram = Scram("user", "pencil", NONCE)

    def test_example(self) -> None:
        """
        The example of the RFC has the result that is given there.
        """
        self.assertEqual(self.scram.first(), b"n,,n=user,r=" + NONCE.encode())
        self.assertEqual(self.scram.proof(FIRST.encode()), PROOF.encode())
        self.scram.check(LAST.encode())

    def test_odd_name(self) -> None:
        """
        A name may have commas and equals signs.
        """
        self.assertIn(b"n=a=2Cb=3D,", Scram("a,b=", "x", NONCE).first())

    def test_other_server(self) -> None:
        """
        A server that does not know the password, uses another nonce, or demands too few
        iterations is refused.
        """
        for text in (
            FIRST.replace(NONCE, "x"),
            f"r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            FIRST.replace("4096", "1"),
        ):
            with self.assertRaises(Refused):
                self.scram.proof(text.encode())
        self.scram.proof(FIRST.encode())
        for text in (LAST.replace("6", "7"), "e=other-error", ""):
            with self.assertRaises(Refused):
                self.scram.check(text.encode())
