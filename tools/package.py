"""
The packages of a release, in C{dist/}, each built, checked and listed::

    python -m tools.package [FOLDER]

That is an sdist and a wheel of the server and of the Python client, a tarball of the
TypeScript client, and beside each a bill of materials (CycloneDX).  The wheels are made
of the sdists, and the sdists are installed in an environment of their own, whose
contents are the bill of materials.  It needs the registries of pip and npm; without
Node, there is no TypeScript client.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools import typescript
from wsmsg import __version__

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
CLIENT = ROOT / "clients" / "python"

#: The distributions, by name: the folder of each, and the extras that it is installed
#: with.
PYTHON = {"wsmsg_client": (CLIENT, ""), "wsmsg": (ROOT, "[all]")}


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """
    Run a command, and return its output.

    @raise SystemExit: it failed; the message is its output.
    """
    # Python and pip must see neither this tree nor the environment of this process.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(into: Path) -> list[Path]:
    """
    Build the Python packages.

    @return: the sdists and the wheels.
    """
    made = []
    for name, (folder, _) in PYTHON.items():
        print(f"== {name} {__version__}", flush=True)
        # Without arguments, build makes the wheel of the sdist.
        run(sys.executable, "-m", "build", "--outdir", into, folder)
        made += [
            into / f"{name}-{__version__}.tar.gz",
            into / f"{name}-{__version__}-py3-none-any.whl",
        ]
    return made


def install(sdists: Mapping[str, Path], folder: Path) -> Path:
    """
    Make an environment with packages from their sdists, and try them there.

    @param sdists: by name; all that depend on each other.
    @return: its interpreter.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    named = [f"{sdist}{PYTHON[name][1]}" for name, sdist in sdists.items()]
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", *named, cwd=folder)
    run(*pip, "check", cwd=folder)
    run(python, "-c", "import wsmsg_client", cwd=folder)
    if "wsmsg" in sdists:
        daemons = run(folder / "bin" / "twistd", "--help", cwd=folder)
        for daemon in ("connect", "message"):
            if f"\n    {daemon} " not in daemons:
                raise SystemExit(f"twistd does not list {daemon}:\n{daemons}")
        told = run(folder / "bin" / "wsmsg", "--version", cwd=folder)
        if __version__ not in told:
            raise SystemExit(f"wsmsg --version is {told}")
    # What runs the environment is no part of the product.
    run(*pip, "uninstall", "--quiet", "--yes", "setuptools", "pip", cwd=folder)
    return python


def bill_of(name: str, environment: Any) -> Any:
    """
    Return the bill of materials of a package, whose environment has nothing else.

    @param environment: the bill of the environment.
    """
    components = []
    for component in environment["components"]:
        # Where on this machine it was installed from.
        references = component.get("externalReferences", [])
        kept = [r for r in references if not r["url"].startswith("file:")]
        component = {**component, "externalReferences": kept}
        if component["name"] == name:
            main = {**component, "type": "application"}
        else:
            components.append(component)
    metadata = {**environment["metadata"], "component": main}
    return {**environment, "metadata": metadata, "components": components}


def write_bill(name: str, python: Path, into: Path) -> None:
    """
    Write the bill of materials of an environment.
    """
    cyclonedx = (SCRIPTS / "cyclonedx-py", "environment", "--output-reproducible")
    bill = json.loads(run(*cyclonedx, python))
    path = into / f"{name}-{__version__}.cdx.json"
    made = bill_of(name.replace("_", "-"), bill)
    text = json.dumps(made, indent=2) + "\n"
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise SystemExit(f"{path.name}: {problem}")
    path.write_text(text, encoding="utf-8")
    print(f"{path.name}: {len(made['components'])} components")


def package_typescript(into: Path) -> None:
    """
    Pack the TypeScript client, and write its bill of materials.
    """
    missing = typescript.missing(browser=False)
    if missing:
        print(f"-- the TypeScript client is left out: {missing}")
        return
    print(f"== @wsmsg/client {__version__}", flush=True)
    if typescript.main([]):
        raise SystemExit("the TypeScript client was not built")
    packed = run("npm", "pack", "--pack-destination", into, cwd=typescript.PACKAGE)
    sbom = ("npm", "sbom", "--sbom-format=cyclonedx", "--omit=dev")
    bill = json.loads(run(*sbom, cwd=typescript.PACKAGE))
    # npm takes the name of the folder.
    bill["metadata"]["component"] |= {"group": "@wsmsg", "name": "client"}
    path = into / f"{packed.split()[-1].removesuffix('.tgz')}.npm.cdx.json"
    path.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    into = Path(arguments[0] if arguments else ROOT / "dist").absolute()
    into.mkdir(parents=True, exist_ok=True)
    made = build(into)
    print(run(SCRIPTS / "twine", "--no-color", "check", "--strict", *made), end="")
    sdists: dict[str, Path] = {}
    for name in PYTHON:
        sdists[name] = into / f"{name}-{__version__}.tar.gz"
        with tempfile.TemporaryDirectory() as folder:
            write_bill(name, install(sdists, Path(folder)), into)
    package_typescript(into)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
