"""
Makes C{wsmsg/rpc} from C{protos/}::

    python tools/make_rpc.py            write it
    python tools/make_rpc.py --check    say what differs; exit status 1 if anything does
"""

from __future__ import annotations

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
RPC = Path("wsmsg") / "rpc"


def generate(into: Path) -> None:
    """
    Write the modules of all protos below a folder.

    @raise RuntimeError: protoc refuses them, and has said why.
    """
    protos = sorted((ROOT / "protos" / RPC).glob("*.proto"))
    arguments = [
        "protoc",
        f"-I{ROOT / 'protos'}",
        f"-I{files('grpc_tools') / '_proto'}",
    ]
    arguments += [f"--{kind}_out={into}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main([*arguments, *map(str, protos)]) != 0:
        raise RuntimeError("protoc failed")
    for proto in protos:
        if "\nservice " not in proto.read_text():
            (into / RPC / f"{proto.stem}_pb2_grpc.py").unlink()


def generated(folder: Path) -> dict[str, bytes]:
    """
    Return the generated files in a folder, by file name.
    """
    return {path.name: path.read_bytes() for path in folder.glob("*_pb2*.py*")}


def wanted() -> dict[str, bytes]:
    """
    Return the files that the protos make, by file name.
    """
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        return generated(Path(folder) / RPC)


def differences() -> list[str]:
    """
    The files in the tree that are not what the protos make.
    """
    want, have = wanted(), generated(ROOT / RPC)
    return sorted(n for n in {*want, *have} if want.get(n) != have.get(n))


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        stale = differences()
        for name in stale:
            print(f"{RPC / name}: is not what protos/ makes; run make protos")
        return 1 if stale else 0
    want = wanted()
    for name in differences():
        (ROOT / RPC / name).unlink(missing_ok=True)
        if name in want:
            (ROOT / RPC / name).write_bytes(want[name])
        print(f"{RPC / name}: {'made' if name in want else 'removed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
