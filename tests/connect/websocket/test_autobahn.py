"""
The use of Autobahn: only for the handshake, and by few names that it does not document.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import autobahn.twisted.websocket as twisted_side
from autobahn.websocket import interfaces, protocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge
from wsmsg.connect.websocket import autobahn as ours

#: The undocumented names that Connect uses.  When this test fails after an update of
#: Autobahn, read what its new code does with them.
UNDOCUMENTED = {"CONFIG_ATTRS", "failHandshake", "log"}

#: The options that Autobahn copies to each connection.
OPTIONS = {
    "allowNullOrigin",
    "allowedOrigins",
    "allowedOriginsPatterns",
    "applyMask",
    "autoFragmentSize",
    "autoPingInterval",
    "autoPingRestartOnAnyTraffic",
    "autoPingSize",
    "autoPingTimeout",
    "closeHandshakeTimeout",
    "echoCloseCodeReason",
    "failByDrop",
    "flashSocketPolicy",
    "logFrames",
    "logOctets",
    "maskServerFrames",
    "maxConnections",
    "maxFramePayloadSize",
    "maxMessagePayloadSize",
    "openHandshakeTimeout",
    "perMessageCompressionAccept",
    "requireMaskedClientFrames",
    "serveFlashSocketPolicy",
    "tcpNoDelay",
    "trackTimings",
    "trustXForwardedFor",
    "utf8validateIncoming",
    "versions",
    "webStatus",
}


def names_in(source: str) -> set[str]:
    """
    Return the attributes that a module uses, and the names that its classes define.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, ast.FunctionDef):
                    names.add(child.name)
                targets: list[ast.expr] = []
                if isinstance(child, ast.Assign):
                    targets = child.targets
                elif isinstance(child, ast.AnnAssign):
                    targets = [child.target]
                names |= {t.id for t in targets if isinstance(t, ast.Name)}
    return names


def autobahns_own() -> set[str]:
    """
    Return the names of Autobahn's WebSocket classes that it does not document.
    """
    own: set[str] = set()
    for module in (protocol, twisted_side):
        source = inspect.getsource(module)
        own |= set(re.findall(r"\bself\.(\w+)", source))
        own |= set(re.findall(r"^    def (\w+)", source, re.MULTILINE))
        own |= set(re.findall(r"^    (\w+) *[:=]", source, re.MULTILINE))
    for each in vars(interfaces).values():
        if inspect.isclass(each):
            own -= set(vars(each))
    factory: Any = protocol.WebSocketServerFactory
    own -= set(inspect.signature(factory.setProtocolOptions).parameters)
    return own - set(dir(Protocol)) - set(dir(object)) - {"factory", "transport"}


class NameTests(SynchronousTestCase):
    """
    Names of Autobahn's.
    """

    def test_used(self) -> None:
        """
        Connect uses only these undocumented names, and Autobahn has them.
        """
        source = Path(inspect.getfile(ours)).read_text()
        used = names_in(source) & autobahns_own() - {"_factory"}
        self.assertEqual(used, UNDOCUMENTED)

    def test_options(self) -> None:
        """
        Autobahn has these options; those that Connect does not set have a default that
        suits it.
        """
        server: Any = twisted_side.WebSocketServerProtocol
        self.assertEqual(set(server.CONFIG_ATTRS), OPTIONS)

    def test_nothing_remains(self) -> None:
        """
        An open connection consists of nothing of Autobahn's, so that no attribute of a
        later release can be missing.
        """
        connection = Edge().open().transport.protocol
        classes = type(connection).__mro__
        slots = [name for each in classes for name in getattr(each, "__slots__", ())]
        parts = [*classes, *(getattr(connection, name, None) for name in slots)]
        of = [getattr(one, "__module__", type(one).__module__) for one in parts]
        self.assertEqual([m for m in of if m.startswith("autobahn")], [])
        self.assertEqual(connection.__dict__, {})
