"""
The configurations of proxies that the page about them shows work as they stand.
"""

from __future__ import annotations

import re
import shutil
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.documents.pages import ROOT
from tests.integration.documents.terminal import Machine, forged_handshake

_PAGE = (ROOT / "docs" / "how-to" / "proxies.md").read_text()
_NGINX = """
user root;
pid {0}/nginx.pid;
error_log {0}/nginx.err;
daemon off;
events {{}}
http {{
access_log off;
client_body_temp_path {0}/t1;
proxy_temp_path {0}/t2;
fastcgi_temp_path {0}/t3;
uwsgi_temp_path {0}/t4;
scgi_temp_path {0}/t5;
{1}
}}
"""


def blocks(language: str) -> list[str]:
    """
    Return the blocks of the page in a language.
    """
    return re.findall(rf"```{language}\n(.*?)```", _PAGE, re.S)


class ProxyTests(SynchronousTestCase):
    """
    A chat through a proxy that ends TLS, on a machine of its own.  Connect sees the
    address of the client, which is not that of the proxy.
    """

    def setUp(self) -> None:
        self.machine = Machine()
        self.addCleanup(self.machine.close)
        if not self.machine.usable:
            raise SkipTest("the daemons' ports are in use, and unshare is not allowed")

    def typed(self, command: str, status: int = 0) -> str:
        done = self.machine.type(command)
        told = f"{command}: {done.stdout}{done.stderr}\n{self.machine.logs()}"
        self.assertEqual(done.returncode, status, told)
        return done.stdout

    def chat_through(self, program: str, config: str, settings: str = "") -> None:
        """
        Start the daemons and a proxy, and chat through it.

        @param program: the command that runs the proxy; C{{}} is its configuration.
        @param config: with the certificate and the name that the page has.
        @param settings: more of Connect's table.
        """
        name = program.partition(" ")[0]
        if shutil.which(name) is None:
            raise SkipTest(f"there is no {name}")
        folder = self.machine.folder
        self.typed(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
            "-days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost "
            "-keyout chat.key -out chat.pem && cat chat.pem chat.key > both.pem"
        )
        made = config.replace("/etc/ssl/chat-and-key", f"{folder}/both")
        (folder / "proxy.conf").write_text(made.replace("/etc/ssl", f"{folder}"))
        toml = next(text for text in blocks("toml") if "proxies" in text)
        (folder / "wsmsg.toml").write_text(f"{toml}{settings}\n")
        for daemon in ("message", "connect"):
            self.machine.start(f"twistd -n {daemon} --config wsmsg.toml")
        self.machine.ready("message", "connect")
        self.machine.start(program.format(folder / "proxy.conf"))
        ask = "curl -s --cacert chat.pem https://localhost/readyz"
        up = f"until {ask} | grep -q ready.:true; do sleep 0.05; done"
        self.typed(f"timeout 60 bash -c '{up}'")
        self.typed("wsmsg token 1001 > token.jwt")
        chat = (
            "wsmsg chat --user 1001 --target 1002 --url wss://localhost --ca chat.pem"
        )
        self.typed(f"echo hello | {chat} --token-file token.jwt")
        self.assertEqual(self.typed(forged_handshake("https://localhost")), "401")
        self.assertIn("refused 127.0.0.2: token_unreadable", self.machine.logs())

    def test_nginx(self) -> None:
        """
        A chat works through nginx.
        """
        (config,) = blocks("nginx")
        text = _NGINX.format(self.machine.folder, config)
        self.chat_through("nginx -c {}", text)

    def test_haproxy(self) -> None:
        """
        A chat works through HAProxy, which sends the address in a header of HTTP.
        """
        self.chat_through("haproxy -f {}", blocks("haproxy")[0])

    def test_proxy_protocol(self) -> None:
        """
        A chat works through HAProxy, which sends the address in the PROXY protocol.
        """
        first, second, _ = blocks("haproxy")
        defaults = first[: first.index("frontend")]
        settings = "proxy_protocol = true"
        self.chat_through("haproxy -f {}", f"{defaults}{second}", settings)

    def test_row_9_tls_passed_through(self) -> None:
        """
        A chat works through HAProxy that passes TLS through, and sends the address in
        version 2 of the PROXY protocol.
        """
        self.pass_through("send-proxy-v2")

    def test_row_9_tls_passed_through_version_1(self) -> None:
        """
        A chat works through HAProxy that passes TLS through, and sends the address in
        version 1 of the PROXY protocol.
        """
        self.pass_through("send-proxy")

    def pass_through(self, option: str) -> None:
        """
        Chat through HAProxy, with Connect's own certificate.

        @param option: of HAProxy, for the version of the protocol.
        """
        first, _, third = blocks("haproxy")
        defaults = first[: first.index("frontend")]
        config = third.replace("send-proxy-v2", option)
        self.assertIn(f" {option} ", config)
        settings = (
            'proxy_protocol = true\n[connect.tls.listen]\ncert = "chat.pem"\n'
            'key = "chat.key"'
        )
        self.chat_through("haproxy -f {}", f"{defaults}{config}", settings)
        self.assertNotIn("TLS handshake", self.machine.logs())

    def test_caddy(self) -> None:
        """
        A chat works through Caddy, here with a certificate that it did not fetch.
        """
        (config,) = (b for b in blocks("text") if "reverse_proxy" in b)
        files = "    tls /etc/ssl/chat.pem /etc/ssl/chat.key\n"
        site = config.replace("chat.example {\n", f"localhost {{\n{files}")
        options = "{\n    admin off\n    auto_https disable_redirects\n}\n"
        run = "caddy run --adapter caddyfile --config {}"
        self.chat_through(run, options + site)
