"""
Makes the modules C{*_pb2} from C{protos/}, each in the folder of the same name::

    python tools/make_rpc.py            write them
    python tools/make_rpc.py --check    say what differs; exit status 1 if anything does
"""

from __future__ import annotations

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"


def generate(into: Path) -> None:
    """
    Write the modules of all protos below a folder.

    @raise RuntimeError: protoc refuses them, and has said why.
    """
    protos = sorted((PROTOS / "wsmsg").rglob("*.proto"))
    arguments = ["protoc", f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}"]
    arguments += [f"--{kind}_out={into}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main([*arguments, *map(str, protos)]) != 0:
        raise RuntimeError("protoc failed")
    for proto in protos:
        if "\nservice " not in proto.read_text():
            module = into / proto.relative_to(PROTOS)
            module.with_name(f"{proto.stem}_pb2_grpc.py").unlink()


def generated(root: Path) -> dict[Path, bytes]:
    """
    Return the generated files below a folder, by path.
    """
    return {
        path.relative_to(root): path.read_bytes()
        for path in (root / "wsmsg").rglob("*_pb2*.py*")
        if path.suffix != ".pyc"
    }


def wanted() -> dict[Path, bytes]:
    """
    Return the files that the protos make, by path.
    """
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        return generated(Path(folder))


def differences() -> list[Path]:
    """
    The files in the tree that are not what the protos make.
    """
    want, have = wanted(), generated(ROOT)
    return sorted(n for n in {*want, *have} if want.get(n) != have.get(n))


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        stale = differences()
        for path in stale:
            print(f"{path}: is not what protos/ makes; run make protos")
        return 1 if stale else 0
    want = wanted()
    for path in differences():
        (ROOT / path).unlink(missing_ok=True)
        if path in want:
            (ROOT / path).write_bytes(want[path])
        print(f"{path}: {'made' if path in want else 'removed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
