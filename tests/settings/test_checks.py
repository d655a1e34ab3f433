"""
Addresses, URLs of backends, keys, and the rules between settings.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from tests.settings.files import Folder
from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.tokens import TokenSettings
from wsmsg.settings.urls.address import Address, is_loopback, parse_address
from wsmsg.settings.urls.backends import sqlite_path, static_targets
from wsmsg.settings.urls.origins import origin_problem
from wsmsg.settings.values import ConnectSettings, MessageSettings
from wsmsg.text.passwords import STARS


class RulesTests(Folder):
    """
    Addresses, URLs of backends, and the rules between settings.
    """

    def test_addresses(self) -> None:
        """
        Host and port are read; port 0 and IPv6 in brackets are allowed.
        """
        self.assertEqual(parse_address("127.0.0.1:0"), Address("127.0.0.1", 0))
        self.assertEqual(parse_address("[::1]:80"), Address("::1", 80))
        self.assertEqual(str(Address("::1", 80)), "[::1]:80")
        self.assertEqual(parse_address("a-b.example:1"), Address("a-b.example", 1))

    def test_bad_addresses(self) -> None:
        """
        Text that is not an address is refused.
        """
        for text in ("", "x", ":1", "h:", "h:x", "h:65536", "h:-1", "::1:80", "[x]:1"):
            self.assertRaises(ValueError, parse_address, text)
        for text in ("a b:1", "a/b:1", "http://a:1", "h:٣"):
            self.assertRaises(ValueError, parse_address, text)

    def test_loopback(self) -> None:
        """
        Only addresses that other machines cannot reach count as loopback.
        """
        for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
            self.assertTrue(is_loopback(host), host)
        for host in ("0.0.0.0", "::", "10.0.0.1", "example.org"):
            self.assertFalse(is_loopback(host), host)

    def test_open_listeners(self) -> None:
        """
        A listener that does not authenticate callers may listen beyond loopback only
        if C{trust_network} names it; Connect's public listener may always.
        """
        for settings_type, table, keys in (
            (ConnectSettings, "connect", ["rpc_listen", "admin_listen"]),
            (MessageSettings, "message", ["rpc_listen", "admin_listen", "listen"]),
        ):
            lines = [f'{key} = "0.0.0.0:{n}"' for n, key in enumerate(keys, 9000)]
            text = "\n".join([f"[{table}]", *lines])
            told = self.in_file(text, settings_type)
            self.assertEqual(len(told), len(keys))
            for key, line in zip(keys, told, strict=True):
                self.assertIn(f" {key}", line)
                self.assertIn(": other machines can reach 0.0.0.0:", line)
                self.assertIn(f"add {key} to trust_network", line)
            for trusted in keys:
                begin = f'[common]\ntrust_network = ["{trusted}"]\n'
                told = self.in_file(begin + text, settings_type)
                self.assertEqual(len(told), len(keys) - 1)
                self.assertFalse(any(f"]: {trusted}" in each for each in told))
            file = self.file(f"[common]\ntrust_network = {keys}\n{text}")
            load_settings(settings_type, Sources(file=file))
        file = self.file('[connect]\nlisten = "0.0.0.0:21005"\n')
        load_settings(ConnectSettings, Sources(file=file))

    def test_row_6_one_switch_for_all(self) -> None:
        """
        The former spelling, one switch for all listeners, is a mistake that says what
        to write; so is the name of something else.
        """
        for value in ("true", "false", '["true"]', '["store"]'):
            (told,) = self.in_file(f"[common]\ntrust_network = {value}\n")
            self.assertIn("trust_network: is a list of the settings whose", told)
            self.assertIn('as ["rpc_listen", "admin_listen"]', told)

    def test_api_keys(self) -> None:
        """
        With a file of API keys, Message's HTTP may listen beyond loopback; the keys in
        the settings of earlier versions are a mistake that names what takes their
        place, and no message shows one.
        """
        begin = '[message]\nlisten = "0.0.0.0:21004"\n'
        (told,) = self.in_file(begin, MessageSettings)
        self.assertIn("listen, api_keys: other machines can reach 0.0.0.0", told)
        good = begin + 'api_keys = "/etc/wsmsg/api.keys"\n'
        load_settings(MessageSettings, Sources(file=self.file(good)))
        for keys in ('["0123456789abcdef"]', "[]", '"0123456789abcdef"'):
            (told,) = self.in_file(f"{good}http.keys = {keys}\n", MessageSettings)
            self.assertIn("http.keys: is gone", told)
            self.assertIn("wsmsg key new NAME --scopes", told)
            self.assertNotIn("6789", told)
        environ = {"WSMSG_MESSAGE__HTTP__KEYS": "0123456789abcdef"}
        error = self.assertRaises(
            SettingsMistakes, load_settings, MessageSettings, Sources(environ=environ)
        )
        self.assertIn("http.keys: is gone", str(error))
        self.assertNotIn("6789", str(error))

    def test_http_tokens(self) -> None:
        """
        The tokens of users have the same rules at Message as at Connect.
        """
        begin = '[message]\nlisten = "0.0.0.0:1"\napi_keys = "/x"\n'
        for line, word in (
            ('http.token.secret = "x"', "32 bytes"),
            (f'http.token.debug_token = "{"d" * 32}"', "debug token"),
            ('http.token.algorithms = ["RS256"]', "no key"),
        ):
            told = self.in_file(begin + line, MessageSettings)
            self.assertEqual(len(told), 1, told)
            self.assertIn(word, told[0])

    def test_bounds_of_unsettled(self) -> None:
        """
        One slow Connect must be cut before reading waits for it: as many pushes as
        C{unsettled_records} are a mistake.
        """
        for line, key in (
            ("link_records = 20000", "link_records"),
            ("unsettled_records = 10000", "link_records"),
            ("legacy.unsettled = 20000", "legacy.unsettled"),
        ):
            (told,) = self.in_file(f"[message]\n{line}\n", MessageSettings)
            self.assertIn(f"{key}, unsettled_records: one Connect that does not", told)

    def test_systemd_endpoint(self) -> None:
        """
        systemd can pass Connect its public listener, but not the trusting ones.
        """
        file = self.file('[connect]\nlisten = "systemd:domain=INET:index=0"\n')
        load_settings(ConnectSettings, Sources(file=file))
        self.in_file('[connect]\nrpc_listen = "systemd:domain=INET:index=0"\n')

    def test_origins(self) -> None:
        """
        An origin that no browser can send is a mistake that says why.
        """
        for good in (
            *("*", "null", "http://localhost:*", "https://*.example.com", "file://"),
            *("capacitor://localhost", "http://[::1]:3000", "https://a.example:8443"),
            *("chrome-extension://abcdef", "*://a.example", "HTTPS://a.example"),
        ):
            self.assertEqual(origin_problem(good), "", good)
        for bad, reason in (
            ("chat.example", "begins with a scheme"),
            ("*.example.com", "begins with a scheme"),
            ("https://chat.example/", "no / at its end"),
            ("https://chat.example/app", "and nothing else"),
            ("https://me@chat.example", "and nothing else"),
            ("'https://chat.example'", "and nothing else"),
            ("https://chat.example:443", "leave out the port 443"),
            ("https://чат.example", "xn--"),
            ("", "begins with a scheme"),
        ):
            (told,) = self.in_file(f'[connect]\norigins = ["https://a", "{bad}"]\n')
            shown = bad.replace("me@", f"{STARS}@")
            self.assertIn(f"origins: {shown!r} matches no page: ", told)
            self.assertIn(reason, told)

    def test_json_in_the_environment(self) -> None:
        """
        A list in JSON, which only a file understands, is a mistake wherever values are
        text; the value of a secret is not shown.
        """
        for settings_type, name, value in (
            (ConnectSettings, "CONNECT__ORIGINS", '["https://a", "https://b"]'),
            (ConnectSettings, "CONNECT__ALTERNATIVES", '["ws://a"]'),
            (MessageSettings, "MESSAGE__PEER__SECRETS", ' ["hidden-hidden-hidden"]'),
        ):
            sources = Sources(environ={f"WSMSG_{name}": value})
            (told,) = self.mistakes(sources, settings_type)
            self.assertIn("is a list in JSON; separate its members by commas", told)
            self.assertNotIn("hidden", told)

    def test_same_address(self) -> None:
        """
        Two listeners on one address are a mistake; two with a port that the system
        chooses are not.
        """
        (told,) = self.in_file(
            '[connect]\nlisten = "127.0.0.1:9"\nadmin_listen = "127.0.0.1:9"\n'
        )
        self.assertIn("listen, admin_listen: both are 127.0.0.1:9", told)
        file = self.file(
            '[connect]\nlisten = "127.0.0.1:0"\nadmin_listen = "127.0.0.1:0"\n'
        )
        load_settings(ConnectSettings, Sources(file=file))

    def test_limits(self) -> None:
        """
        A mistake about bounds that contradict each other names both keys.
        """
        told = self.in_file(
            "[connect.limits]\ncontent_bytes = 65536\noutbox_soft_bytes = 2000000\n"
            "[common.retry]\nfirst_s = 3.0\n"
        )
        self.assertEqual(len(told), 3)
        self.assertIn("retry.first_s, retry.cap_s", told[0])
        self.assertIn("limits.content_bytes, limits.frame_bytes", told[1])
        self.assertIn("limits.outbox_soft_bytes, limits.outbox_hard_bytes", told[2])

    def test_row_18_debug_token(self) -> None:
        """
        A debug token that could be guessed is a mistake, and so is one on a listener
        that other machines or a proxy may reach, also in a trusted network; no mistake
        shows it.
        """
        token = "d" * 32
        for text, reason in (
            ('debug_token = "auth-debug"', "token.debug_token: has 10 characters; at"),
            (f'debug_token = "{token[1:]}"', "token.debug_token: has 31 characters"),
        ):
            (told,) = self.in_file(f"[connect.token]\n{text}\n")
            self.assertIn(reason, told)
            self.assertNotIn("auth-debug", told)
        end = f'[connect.token]\ndebug_token = "{token}"\n'
        for text, reason in (
            ('listen = "0.0.0.0:1"\ntrust_network = ["listen"]', "listen: any machine"),
            ('listen = "systemd:domain=INET:name=x"', "listen: any machine"),
            ('proxies = ["127.0.0.1"]', "proxies: a proxy may pass others on"),
            ("proxy_protocol = true", "proxy_protocol: a proxy may pass others on"),
            ('hosts = ["chat.example"]', "hosts: a proxy may pass others on"),
        ):
            (told,) = self.in_file(f"[connect]\n{text}\n{end}")
            self.assertIn(f"token.debug_token, {reason}", told)
            self.assertNotIn(token, told)
        load_settings(ConnectSettings, Sources(file=self.file(end)))

    def test_backends(self) -> None:
        """
        The URL of an unknown backend is a mistake.
        """
        for text in ("", "sqlite", "sqlite:x", "sqlite://x", "sqlite:///", "foo:"):
            self.in_file(f'[message]\njournal = "{text}"\n', MessageSettings)
        for text in ("static:", "static:h", "static:h:0", "h:1"):
            self.in_file(f'[connect]\ndiscovery = "{text}"\n')
        (told,) = self.in_file('[connect]\ndiscovery = "static:a:1,a:1"\n')
        self.assertIn("names an address twice", told)

    def test_workers(self) -> None:
        """
        The number of workers is at least 1; several share neither a socket of systemd
        nor embedded files, and have room for their names, ports and numbers.
        """
        for bad in ("0", "-1", "65", '"x"', "1.5"):
            (told,) = self.in_file(f"[connect]\nworkers = {bad}\n")
            self.assertIn("workers: ", told)
        (told,) = self.in_file(
            '[connect]\nworkers = 2\nlisten = "systemd:domain=INET:index=0"\n'
        )
        self.assertIn("workers, listen: a socket of systemd belongs to one", told)
        (told,) = self.in_file(f'[connect]\nworkers = 10\nnode = "{"n" * 62}"\n')
        self.assertIn("workers, node: ", told)
        told, *more = self.in_file("[message]\nworkers = 2\n", MessageSettings)
        self.assertIn("workers, journal: sqlite: belongs to one process", told)
        self.assertIn("workers, store: sqlite: belongs to one process", more[0])
        self.assertIn("workers, presence: memory: belongs to one process", more[1])

    def test_workers_of_message(self) -> None:
        """
        A Message on servers may have workers, as far as there are ports and numbers.
        """
        servers = (
            "[message]\nworkers = 4\n"
            'journal = "kafka://k:9092/t"\nstore = "mongodb://m/d"\n'
            'presence = "redis://127.0.0.1:6379/0"\n'
        )
        load_settings(MessageSettings, Sources(file=self.file(servers)))
        (told,) = self.in_file(
            servers + 'rpc_listen = "127.0.0.1:65530"\n', MessageSettings
        )
        self.assertIn("workers, rpc_listen: each worker is 10 ports after", told)
        (told,) = self.in_file(servers + "node_number = 253\n", MessageSettings)
        self.assertIn("workers, node_number: a worker would be above 255", told)

    def test_one_file(self) -> None:
        """
        The journal and the store cannot share a file.
        """
        (told,) = self.in_file(
            '[message]\njournal = "sqlite:///d/x"\nstore = "sqlite:///d/x"\n',
            MessageSettings,
        )
        self.assertIn("journal, store: ", told)

    def test_paths(self) -> None:
        """
        A backend's file is in the data directory, unless the URL has a path.
        """
        data = Path("/data")
        self.assertEqual(sqlite_path("sqlite:", data, "j.db"), Path("/data/j.db"))
        self.assertEqual(sqlite_path("sqlite:///a/b", data, "j.db"), Path("/a/b"))
        self.assertEqual(
            static_targets("static:a:1, [::1]:2"), (Address("a", 1), Address("::1", 2))
        )


class KeyTests(Folder):
    """
    The public keys that verify tokens.
    """

    def pem(self, key: object) -> str:
        public = key.public_key()  # type: ignore[attr-defined]
        pem: bytes = public.public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )
        return pem.decode()

    def given(self, pem: str) -> Sources:
        return Sources(
            environ={"WSMSG_CONNECT__TOKEN__PUBLIC_KEY": str(self.file(pem, "k.pem"))}
        )

    def test_path(self) -> None:
        """
        A public key is given as PEM text or as the path of a file.
        """
        pem = self.pem(ec.generate_private_key(ec.SECP256R1()))
        settings = load_settings(ConnectSettings, self.given(pem))
        self.assertEqual(settings.token.public_key, pem)
        self.assertEqual(TokenSettings(public_key=pem).public_key, pem)

    def test_unfit(self) -> None:
        """
        A private key, a weak key, a key of another kind and no key have different
        mistakes.
        """
        weak = rsa.generate_private_key(65537, 1024)
        private = weak.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        for pem, reason in (
            (private, "private key"),
            (self.pem(weak), "2048 bits"),
            (self.pem(ed448.Ed448PrivateKey.generate()), "only RSA keys"),
            ("-----BEGIN nothing", "not a PEM public key"),
        ):
            (told,) = self.mistakes(self.given(pem))
            self.assertIn(reason, told)
        secret = {"WSMSG_CONNECT__TOKEN__SECRET": "-----BEGIN PUBLIC KEY-----" * 2}
        (told,) = self.mistakes(Sources(environ=secret))
        self.assertIn("token.secret: is a PEM key", told)
        missing = {"WSMSG_CONNECT__TOKEN__PUBLIC_KEY": "/nonexistent"}
        (told,) = self.mistakes(Sources(environ=missing))
        self.assertIn("No such file", told)

    def test_issuer(self) -> None:
        """
        A key set has to be a file that can be read, or a URL that nobody in the network
        can answer in the place of the issuer.
        """
        for jwks, reason in (
            ("/nonexistent/keys.json", "No such file"),
            ("ftp://host/keys", "only http:// and https://"),
            ("https://", "only http:// and https://"),
            ("https://host:70000/", "only http:// and https://"),
            ("https://me:word@host/keys", "a login in the URL"),
            ("https://host/a b", "printable"),
            ("http://keys.example/set", "can replace the keys"),
        ):
            (told,) = self.in_file(f'[connect.token]\njwks = "{jwks}"\n')
            self.assertIn(reason, told)
            self.assertNotIn("word", told)
        for jwks in ("https://keys.example/set", "http://127.0.0.1:8000/set"):
            TokenSettings(jwks=jwks, algorithms=("EdDSA",))

    def test_algorithms(self) -> None:
        """
        An algorithm without a key is a mistake.
        """
        (told,) = self.in_file('[connect.token]\nalgorithms = ["HS256", "RS256"]\n')
        self.assertIn("RS256: there is no key for it", told)
