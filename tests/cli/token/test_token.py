"""
C{wsmsg token} with a settings file, and C{wsmsg token check}.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path

import jwt
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.issuers import entry, key_set, signed
from wsmsg.cli.main import main

_SECRET = "s" * 40


class TokenCase(SynchronousTestCase):
    """
    A folder with settings.
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.config = self.folder / "wsmsg.toml"

    def configure(self, token: str) -> None:
        text = f'[common]\ndata_dir = "{self.folder}"\n[connect.token]\n{token}\n'
        self.config.write_text(text)

    def token(self, *arguments: str, given: str | None = None) -> Result:
        more = ("--config", str(self.config))
        return CliRunner().invoke(main, ["token", *arguments, *more], input=given)


class SignTests(TokenCase):
    """
    C{wsmsg token --config FILE} signs what the file believes.
    """

    def test_secret(self) -> None:
        """
        The token has the secret, the issuer and the audience of the file.
        """
        self.configure(f'secret = "{_SECRET}"\nissuer = "https://i"\naudience = "chat"')
        told = self.token("1001")
        self.assertEqual(told.exit_code, 0, told.output)
        claims = jwt.decode(
            told.output.strip(),
            _SECRET,
            algorithms=["HS256"],
            issuer="https://i",
            audience="chat",
        )
        self.assertEqual(claims["sub"], "1001")
        self.assertFalse((self.folder / "token.key").exists())

    def test_local_key(self) -> None:
        """
        Without a key in the file it is the one in the file's data directory.
        """
        self.configure("")
        told = self.token("7")
        key = (self.folder / "token.key").read_text().strip()
        claims = jwt.decode(told.output.strip(), key, algorithms=["HS256"])
        self.assertEqual(claims["sub"], "7")

    def test_public_key(self) -> None:
        """
        For a public key, the command asks for the private half, and refuses another
        one.
        """
        ours, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        public = ours.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / "public.pem").write_bytes(public)
        for name, key in (("ours", ours), ("other", other)):
            (self.folder / name).write_bytes(
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            )
        self.configure(f'public_key = "{self.folder}/public.pem"')
        told = self.token("1")
        self.assertEqual(told.exit_code, 1)
        self.assertIn("signed with ES256; name the private half of", told.output)
        told = self.token("1", "--key", str(self.folder / "other"))
        self.assertEqual(told.exit_code, 1)
        self.assertIn("refuse this token: the token's signature is wrong", told.output)
        told = self.token("1", "--key", str(self.config))
        self.assertIn("this is no PEM private key for ES256", told.output)
        token = self.token("1", "--key", str(self.folder / "ours")).output.strip()
        claims = jwt.decode(token, ours.public_key(), algorithms=["ES256"])
        self.assertEqual(claims["sub"], "1")

    def test_mistakes(self) -> None:
        """
        Mistakes in the file, and a key that is none, are one line each.
        """
        self.configure("secrets = 5")
        told = self.token("1")
        self.assertEqual(told.exit_code, 1)
        self.assertIn("token.secrets", told.output)
        self.configure(f'secret = "{_SECRET}"')
        told = self.token("1", "--key", str(self.config))
        self.assertIn("neither connect.token.public_key nor", told.output)
        told = self.token("1", "--key", str(self.folder / "none"))
        self.assertIn("No such file", told.output)


class CheckTests(TokenCase):
    """
    C{wsmsg token check} says which check fails.
    """

    def setUp(self) -> None:
        super().setUp()
        self.configure(f'secret = "{_SECRET}"\nissuer = "https://i"')

    def checked(self, key: str = _SECRET, **claims: object) -> dict[str, str]:
        """
        The texts of the checks that fail, by their names.
        """
        now_s = int(time.time())
        body = {"sub": "5", "exp": now_s + 60, "iss": "https://i", **claims}
        body = {name: value for name, value in body.items() if value is not None}
        text = jwt.encode(body, key, algorithm="HS256")
        told = self.token("check", "--json", text)
        document = json.loads(told.output)
        wrong = {
            c["name"]: c["text"] for c in document["checks"] if c["result"] == "wrong"
        }
        self.assertEqual(document["accepted"], not wrong)
        self.assertEqual(told.exit_code, 1 if wrong else 0)
        self.assertNotIn(text, told.output)
        self.assertNotIn(_SECRET, told.output)
        return wrong

    def test_good(self) -> None:
        """
        A good token, from standard input as C{wsmsg token} prints it, is accepted.
        """
        given = f"Bearer {self.token('9').output}"
        for arguments in ((), ("-",)):
            told = self.token("check", *arguments, given=given)
            self.assertEqual(told.exit_code, 0, told.output)
            last = told.output.splitlines()[-1]
            self.assertEqual(last, "ok       Connect: accepts it as user 9")
        self.assertEqual(self.checked(), {})

    def test_wrong(self) -> None:
        """
        Each thing that is wrong has a line of its own.
        """
        now_s = int(time.time())
        found = self.checked(exp=now_s - 7200, iss="https://j", sub="Ada")
        self.assertEqual(set(found), {"expiry", "issuer", "subject", "Connect"})
        self.assertIn(" 2 h ago", found["expiry"])
        self.assertIn("'https://j', and the settings ask for", found["issuer"])
        found = self.checked(sub=5, exp="soon")
        self.assertIn("of the type int", found["subject"])
        self.assertIn("exp must be a number of seconds", found["expiry"])
        found = self.checked(nbf=now_s + 600, exp=None, iss=None)
        self.assertIn("nbf is ", found["beginning"])
        self.assertEqual(found["expiry"], "there is no exp")
        self.assertIn("there is no iss", found["issuer"])
        found = self.checked(sub=None, user_id=5)
        self.assertIn("it has user_id, which only legacy", found["subject"])

    def test_signature(self) -> None:
        """
        A token of another key fails in Connect's own check alone.
        """
        self.assertEqual(
            self.checked("x" * 40),
            {"Connect": "refuses it: the token's signature is wrong"},
        )

    def test_algorithm(self) -> None:
        """
        A token without a signature is refused by its algorithm.
        """
        text = jwt.encode({"sub": "5"}, "", algorithm="none")
        told = self.token("check", text)
        self.assertEqual(told.exit_code, 1)
        expected = "WRONG    algorithm: 'none', and the settings accept HS256"
        self.assertIn(expected, told.output)

    def test_user_id(self) -> None:
        """
        For a token of the legacy user service, the last line says whether a legacy
        client may have it.
        """
        claims = {"user_id": 7, "exp": time.time() + 60}
        text = jwt.encode(claims, "eleven byte", algorithm="HS256")
        told = self.token("check", text)
        self.assertEqual(told.exit_code, 1)
        self.assertIn("no connect.legacy.token_secret", told.output.splitlines()[-1])
        legacy = '[connect.legacy]\ntoken_secret = "{}"\n'.format
        for key, status, word in (
            ("eleven byte", 0, "accepted from user 7"),
            ("twelve bytes", 1, "refused, by connect.legacy.token_secret"),
        ):
            self.configure(f'secret = "{_SECRET}"\n{legacy(key)}')
            told = self.token("check", text)
            self.assertEqual(told.exit_code, status, told.output)
            self.assertIn(word, told.output.splitlines()[-1])

    def test_no_token(self) -> None:
        """
        A text that is no token is described without being shown.
        """
        for text in ("hello", "a.b.c", ""):
            told = self.token("check", given=text)
            self.assertEqual(told.exit_code, 1)
            self.assertIn("form: this is no JWT", told.output)
        self.assertNotIn("hello", self.token("check", given="hello").output)

    def test_no_key(self) -> None:
        """
        A check makes no key.
        """
        self.configure("")
        told = self.token("check", "x.y.z")
        self.assertEqual(told.exit_code, 1)
        self.assertIn("token.key: No such file", told.output)
        self.assertFalse((self.folder / "token.key").exists())


class IssuerTests(TokenCase):
    """
    C{wsmsg token} with the key set of an issuer.
    """

    def test_check(self) -> None:
        """
        A token of the issuer is explained and accepted; one that names another key is
        refused.  Only a private key of the issuer signs.
        """
        keys = self.folder / "keys.json"
        keys.write_bytes(key_set(entry("EdDSA", "k1")))
        self.configure(f'jwks = "{keys}"\nmax_lifetime_s = 3600')
        now = int(time.time())
        found = self.token("check", given=signed("EdDSA", "k1", iat=now))
        self.assertEqual(found.exit_code, 0, found.output)
        self.assertIn("kid is 'k1'", found.output)
        for kid, claims, word in (
            ("k2", {}, "no key with the token's kid"),
            ("k1", {"iat": now - 9000}, "token.max_lifetime_s"),
            ("k1", {}, "there is no iat, which token.max_lifetime_s needs"),
        ):
            found = self.token("check", given=signed("EdDSA", kid, **claims))
            self.assertEqual(found.exit_code, 1)
            self.assertIn(word, found.output)
        found = self.token("1001")
        self.assertIn("name a private key of the issuer", found.output)
        keys.write_text("nonsense")
        found = self.token("check", given=signed("EdDSA", "k1"))
        self.assertIn("is not JSON", found.output)
