"""
Mistakes in the settings of TLS are found before a daemon uses them.
"""

from __future__ import annotations

from pathlib import Path

from tests.integration.security.certificates import Authority
from tests.settings.files import Folder
from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import ConnectSettings, MessageSettings


class TlsMistakes(Folder):
    """
    Files of TLS, as C{wsmsg check-config} judges them.
    """

    def told(self, text: str) -> str:
        """
        Return what is wrong with a file, for each daemon.
        """
        file = self.file(text)
        found = []
        for kind in (ConnectSettings, MessageSettings):
            try:
                load_settings(kind, Sources(file=file))
            except SettingsMistakes as e:
                found.append(e.text())
        return "\n".join(found)

    def listener(self, cert: str, key: str, more: str = "") -> str:
        return self.told(
            f'[common.tls.admin_listen]\ncert = "{cert}"\nkey = "{key}"\n{more}'
        )

    def test_files(self) -> None:
        """
        A file that cannot be read or has no certificate, a key of another certificate,
        and a certificate that has expired are mistakes that name the file.
        """
        authority = Authority(Path(self.folder))
        cert, key = authority.issue("good")
        self.assertEqual(self.listener(cert, key), "")
        other = authority.issue("other")[1]
        self.assertIn(f"{other} does not belong to", self.listener(cert, other))
        old = authority.issue("old", days=-1)
        self.assertIn(f"the certificate in {old[0]} expired at", self.listener(*old))
        missing = f"{self.folder}/missing"
        reason = f"{missing} cannot be read: No such file"
        self.assertIn(reason, self.listener(missing, key))
        self.assertIn(reason, self.listener(cert, missing))
        self.assertIn(f"{key} has no certificate", self.listener(key, key))
        self.assertIn(f"{cert} has no private key", self.listener(cert, cert))
        found = self.listener(cert, key, f'client_ca = "{missing}"')
        self.assertIn(f"tls.admin_listen.client_ca: {reason}", found)
        self.assertIn("set both, or neither", self.listener(cert, ""))

    def test_peers(self) -> None:
        """
        A proof by certificates needs those of both directions, and a certificate for
        peers is of no use without their authorities.
        """
        authority = Authority(Path(self.folder))
        cert, key = authority.issue("node")
        found = self.told('[common.peer]\nproof = "certificate"\n')
        self.assertIn("certificates need both files", found)
        self.assertIn("tls.rpc_listen.client_ca", found)
        found = self.told(f'[common.peer]\ncert = "{cert}"\nkey = "{key}"\n')
        self.assertIn("dialled without TLS while there is no peer.ca", found)
        listener = f'cert = "{cert}"\nkey = "{key}"\n'
        good = (
            f'[common.peer]\nproof = "certificate"\nca = "{authority.path}"\n{listener}'
            f'[common.tls.rpc_listen]\nclient_ca = "{authority.path}"\n{listener}'
        )
        self.assertEqual(self.told(good), "")
        beyond = good + '[message]\nrpc_listen = "0.0.0.0:22004"\n'
        self.assertEqual(self.told(beyond), "")
