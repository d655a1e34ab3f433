"""
Tests of the two wheels, in environments that have them installed (L{tests.wheels}).
C{tox -e package} installs them with what the registry has.
"""

from __future__ import annotations

import configparser
import re
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.laws import COMMON, LIBRARIES
from tests.syntax import ROOT
from tests.wheels import CLIENT, Environment, environment, wheels
from wsmsg import __version__
from wsmsg.settings.urls.extras import EXTRAS

#: Libraries that other libraries always bring.
COME_ALONG = {"cryptography", "txaio", "typing_extensions"}

#: The programs and libraries of the daemons, none of which the client may need.
OF_THE_DAEMONS = (
    *("autobahn", "automat", "confluent_kafka", "grpc", "pydantic", "pymongo"),
    *("twisted", "txmongo", "txredisapi", "zope"),
)

#: Most bytes that the client may take on the disk, with its dependencies.
CLIENT_BYTES = 20 * 2**20


def setup_cfg() -> configparser.ConfigParser:
    """
    Return setup.cfg.
    """
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def server() -> Environment:
    """
    Return an environment with both wheels, and no extras.
    """
    return environment("server", wheels().client, wheels().server)


def client() -> Environment:
    """
    Return an environment with the client's wheel alone.
    """
    return environment("client", wheels().client)


def files_in(wheel: Path) -> set[str]:
    """
    Return the files that a wheel installs, without its metadata.
    """
    with zipfile.ZipFile(wheel) as archive:
        return {n for n in archive.namelist() if ".dist-info/" not in n}


class RequirementTests(SynchronousTestCase):
    """
    The declared dependencies.
    """

    def test_libraries(self) -> None:
        """
        Every library that the modules import is named in setup.cfg, as a requirement or
        in an extra.
        """
        extras = setup_cfg()["options.extras_require"]
        lines = setup_cfg()["options"]["install_requires"].split("\n")
        for extra in (*EXTRAS, "fast"):
            lines += extras[extra].split("\n")
        named = {re.split(r"[\s\[><=;]", line.strip())[0].lower() for line in lines}
        owners = packages_distributions()
        missing = {
            library
            for library in {*LIBRARIES, *COMMON} - COME_ALONG
            if library.partition(".")[0] not in sys.stdlib_module_names
            and not {
                name.lower().replace("_", "-") for name in owners[library]
            }.intersection({n.replace("_", "-") for n in named})
        }
        self.assertEqual(missing, set())

    def test_same_version(self) -> None:
        """
        The server requires the client of its own version, in which the protocol is.
        """
        required = setup_cfg()["options"]["install_requires"].split("\n")
        self.assertIn(f"wsmsg-client == {__version__}", required)

    def test_same_bounds(self) -> None:
        """
        Both wheels require the same versions of a library that both require.
        """
        project = tomllib.loads((ROOT / CLIENT / "pyproject.toml").read_text())
        required = setup_cfg()["options"]["install_requires"].split("\n")
        self.assertEqual({*project["project"]["dependencies"]} - {*required}, set())


class WheelTests(SynchronousTestCase):
    """
    The wheels and what they install.
    """

    def test_contents(self) -> None:
        """
        The wheels have every module, every data file and the plugin, each in one of
        them, and none of the tests.
        """
        ours, theirs = files_in(wheels().server), files_in(wheels().client)
        self.assertEqual(ours & theirs, set())
        want = {
            str(path.relative_to(ROOT))
            for package in ("wsmsg", "wsmsg_client")
            for path in (ROOT / package).rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        want.add("twisted/plugins/wsmsg_plugins.py")
        self.assertEqual(want ^ (ours | theirs), set())

    def test_packages_whole(self) -> None:
        """
        A package is in one wheel, with all its modules.
        """
        ours, theirs = files_in(wheels().server), files_in(wheels().client)
        folders = [{Path(n).parent for n in names} for names in (ours, theirs)]
        self.assertEqual(set.intersection(*folders), set())

    def test_installed_is_used(self) -> None:
        """
        The other tests of this class import the installed packages, not the tree.
        """
        for module in ("wsmsg", "wsmsg.connect", "wsmsg_client"):
            where = server().python(f"import {module}; print({module}.__file__)")
            self.assertIn(str(server().site), where)

    def test_requirements_met(self) -> None:
        """
        Both environments have all that the wheels require, and the server's has no
        library of an extra.
        """
        for made in (server(), client()):
            self.assertIn("No broken requirements found", made.pip("check"))
        code = "import importlib.util as u; print([n for n in {} if u.find_spec(n)])"
        names = {library for group in EXTRAS.values() for library in group}
        libraries = sorted({name.partition(".")[0] for name in names})
        self.assertEqual(server().python(code.format(libraries)).strip(), "[]")

    def test_twistd_lists_both(self) -> None:
        """
        C{twistd --help} lists C{connect} and C{message}.
        """
        listed = server().run("twistd", "--help")
        self.assertRegex(listed, r"(?m)^ +connect +The edge: ")
        self.assertRegex(listed, r"(?m)^ +message +The core: ")

    def test_twistd_knows_their_options(self) -> None:
        """
        C{twistd connect --help} and C{twistd message --help} list their options.
        """
        for name in ("connect", "message"):
            self.assertIn("--config", server().run("twistd", name, "--help"))

    def test_command(self) -> None:
        """
        C{wsmsg --help} lists its commands.
        """
        told = server().run("wsmsg", "--help")
        for command in ("chat", "demo", "token", "status", "doctor", "bench"):
            self.assertIn(command, told)


class ExtraTests(SynchronousTestCase):
    """
    The server, installed without extras.
    """

    def test_settings(self) -> None:
        """
        Settings that name Kafka, MongoDB, Redis or an endpoint of OpenTelemetry are
        refused, each with its key and the command that installs the extra: by
        C{wsmsg check-config}, by the doctor, and by the daemon at its start.
        """
        file = wheels().folder / "wsmsg.toml"
        file.write_text(
            '[message]\njournal = "kafka://127.0.0.1:9092/topic"\n'
            'store = "mongodb://127.0.0.1/db"\n'
            'presence = "redis://127.0.0.1/0"\n'
            'registry = "none"\n'
            'traces.endpoint = "http://127.0.0.1:4318/v1/traces"\n'
        )
        told = [
            server().run("wsmsg", "check-config", str(file), status=2),
            server().run("wsmsg", "doctor", "--config", str(file), status=1),
            server().run("twistd", "-n", "message", "--config", str(file), status=2),
        ]
        for text in told:
            plain = " ".join(text.split())
            for key, extra in (
                ("journal", "kafka"),
                ("store", "mongo"),
                ("presence", "redis"),
                ("traces.endpoint", "otel"),
            ):
                remedy = f"needs the extra {extra}: pip install 'wsmsg[{extra}]'"
                self.assertIn(f"{key}: {remedy}", plain)


class ClientWheelTests(SynchronousTestCase):
    """
    The client, installed alone.
    """

    def test_modules(self) -> None:
        """
        C{import wsmsg_client} loads the installed client and nothing of the daemons.
        """
        code = (
            "import sys, wsmsg_client; print(*{m.split('.')[0] for m in sys.modules})"
        )
        loaded = client().python(code).split()
        self.assertIn("wsmsg_client", loaded)
        self.assertEqual([m for m in loaded if m in OF_THE_DAEMONS], [])

    def test_size(self) -> None:
        """
        The client takes at most 20 MB with all that it needs.
        """
        files = [p for p in client().site.rglob("*") if p.is_file()]
        size = sum(path.stat().st_size for path in files)
        names = sorted(p.name for p in client().site.glob("*.dist-info"))
        print(f"\nwsmsg-client: {size / 2**20:.1f} MB in {len(names)} distributions")
        self.assertLess(size, CLIENT_BYTES, names)

    def test_every_module(self) -> None:
        """
        Every module in the client's wheel can be imported where only the client is.
        """
        modules = sorted(
            name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for name in files_in(wheels().client)
            if name.endswith(".py")
        )
        self.assertGreater(len(modules), 40)
        client().python(f"import {', '.join(modules)}")


class UpgradeTests(SynchronousTestCase):
    """
    Two wheels whose files are in one folder.
    """

    def test_installed_again(self) -> None:
        """
        Both are whole after either is installed again, in any order, as an upgrade
        does; either can be removed without harm to the files of the other.
        """
        made = environment("upgrade", wheels().client)
        ours, theirs = files_in(wheels().server), files_in(wheels().client)
        orders = ((wheels().server,), (wheels().client,), tuple(wheels()[1:]))
        for order in orders:
            made.install(*order)
            missing = [n for n in ours | theirs if not (made.site / n).exists()]
            self.assertEqual(missing, [])
        made.pip("uninstall", "--quiet", "--yes", "wsmsg")
        self.assertEqual([n for n in theirs if not (made.site / n).exists()], [])
        self.assertEqual([n for n in ours if (made.site / n).exists()], [])
        made.install(wheels().server)
        made.pip("uninstall", "--quiet", "--yes", "wsmsg-client")
        self.assertEqual([n for n in ours if not (made.site / n).exists()], [])
        self.assertEqual([n for n in theirs if (made.site / n).exists()], [])
