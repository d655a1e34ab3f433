"""
The package of the TypeScript client, as people install it.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.integration.cases import IntegrationTestCase, with_daemons
from tools.typescript import PACKAGE, RUNTIMES

_CHAT = """
import { Client } from "@wsmsg/client";
import { inBrowser } from "@wsmsg/client/browser";
import { protobuf } from "@wsmsg/client/protobuf";
import { history } from "@wsmsg/client/requests";

const [url, anna, ben, to] = process.argv.slice(-4);
const first = new Client(url, () => anna, inBrowser());
const second = new Client(url, () => ben, { codec: protobuf });
first.start();
second.start();
await first.send({ to, content: "Good morning" });
for await (const event of second) {
  if (event.type !== "messageReceived") continue;
  const [read] = await history(second, event.conversation);
  console.log(read.sender, event.content);
  break;
}
await Promise.all([first.close(), second.close()]);
"""

_TYPED = """
import { Client, WsmsgError, type Event, type Id } from "@wsmsg/client";
import { inBrowser } from "@wsmsg/client/browser";
import { protobuf } from "@wsmsg/client/protobuf";
import { members, type GroupState } from "@wsmsg/client/requests";

const options = { ...inBrowser("anna"), codec: protobuf };
const client = new Client("ws://127.0.0.1:1/", async () => "t", options);
export const crew = (group: Id): Promise<GroupState> => members(client, group, 10);
// @ts-expect-error: this is for the package itself.
void client.submit;
export const texts = async (): Promise<string[]> => {
  const found: string[] = [];
  for await (const event of client) {
    const typed: Event = event;
    if (typed.type === "messageReceived") found.push(typed.content);
  }
  return found;
};
export const send = async (to: Id | bigint): Promise<number> => {
  try {
    return (await client.send({ to, content: "x" })).timeMs;
  } catch (error) {
    return error instanceof WsmsgError ? error.retryAfterMs : 0;
  }
};
// @ts-expect-error: a number may have been rounded.
void client.send({ to: 7, content: "x" });
"""

#: Settings of TypeScript that resolve modules in different ways.
_RESOLUTIONS: list[dict[str, Any]] = [
    {"module": "node16", "moduleResolution": "node16"},
    {"module": "nodenext", "moduleResolution": "nodenext"},
    {"module": "preserve", "moduleResolution": "bundler"},
]


class _Project:
    """
    An empty project in which the packed package is installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        packed = self._run("npm", "pack", "--pack-destination", str(folder), at=PACKAGE)
        self.archive = folder / packed.split()[-1]
        (folder / "package.json").write_text('{"type": "module", "private": true}')
        self._run("npm", "install", "--offline", "--no-audit", str(self.archive))

    def files(self) -> list[str]:
        """
        Return the files of the installed package.
        """
        root = self.folder / "node_modules" / "@wsmsg" / "client"
        found = (path for path in root.rglob("*") if path.is_file())
        return sorted(path.relative_to(root).as_posix() for path in found)

    def run(self, *command: str) -> str:
        """
        Return the output of a program in the project.
        """
        return self._run(*command)

    def _run(self, *command: str, at: Path | None = None) -> str:
        done = subprocess.run(
            command,
            check=False,
            cwd=at or self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout


@cache
def _project() -> _Project:
    """
    Return the project that all tests of this run share.
    """
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _Project(Path(folder))


class PackageTests(IntegrationTestCase):
    """
    The packed package, installed in an empty project.
    """

    def test_contents(self) -> None:
        """
        The package has modules with their types, a licence and a page, and no tests.
        """
        files = _project().files()
        code = [name for name in files if name.startswith("dist/")]
        self.assertEqual(
            sorted(set(files) - set(code)), ["LICENSE", "README.md", "package.json"]
        )
        modules = {name.removesuffix(".js") for name in code if name.endswith(".js")}
        types = {name.removesuffix(".d.ts") for name in code if name.endswith(".d.ts")}
        manifest = json.loads((PACKAGE / "package.json").read_text())
        entries = {
            entry["default"].removeprefix("./").removesuffix(".js")
            for entry in manifest["exports"].values()
            if isinstance(entry, dict)
        }
        self.assertEqual({n for n in modules if "/shared-" not in n}, entries)
        self.assertLessEqual(entries, types)
        sources = {path.stem for path in (PACKAGE / "src").rglob("*.ts")}
        self.assertEqual({Path(name).name for name in types}, sources)

    def test_types(self) -> None:
        """
        A TypeScript project finds all entry points and their types, however it
        resolves modules, without the types of browsers and without skipping checks.
        """
        types = PACKAGE / "node_modules" / "@types"
        for resolution in _RESOLUTIONS:
            options = {
                **resolution,
                "target": "es2022",
                "lib": ["es2022"],
                "typeRoots": [str(types)],
                "types": ["node"],
                "strict": True,
                "noEmit": True,
            }
            settings = {"compilerOptions": options, "files": ["typed.ts"]}
            folder = _project().folder
            (folder / "typed.ts").write_text(_TYPED)
            (folder / "tsconfig.json").write_text(json.dumps(settings))
            compiler = PACKAGE / "node_modules" / "typescript" / "bin" / "tsc"
            _project().run("node", str(compiler), "-p", "tsconfig.json")

    def test_version(self) -> None:
        """
        The client tells servers the version that the package has.
        """
        manifest = json.loads((PACKAGE / "package.json").read_text())
        source = (PACKAGE / "src" / "version.ts").read_text()
        self.assertEqual(re.findall(r'VERSION = "(.*)"', source), [manifest["version"]])

    @with_daemons
    async def test_node(self) -> None:
        """
        Two clients of the installed package chat in Node.
        """
        await self._chat("node", "--experimental-websocket", "--no-warnings")

    @with_daemons
    async def test_bun(self) -> None:
        """
        Two clients of the installed package chat in Bun.
        """
        await self._chat("bun")

    @with_daemons
    async def test_deno(self) -> None:
        """
        Two clients of the installed package chat in Deno.
        """
        await self._chat("deno", "run", "--allow-net", "--no-prompt")

    async def _chat(self, program: str, *arguments: str) -> None:
        installed = RUNTIMES / "node_modules" / ".bin" / program
        runtime = [str(installed) if installed.exists() else program, *arguments]
        installation, one, two = self.installation, self.user(), self.user()
        project = await asyncio.to_thread(_project)
        (project.folder / "chat.js").write_text(_CHAT)
        tokens = (installation.token(one), installation.token(two))
        said = await asyncio.to_thread(
            project.run, *runtime, "chat.js", installation.url, *tokens, str(two)
        )
        self.assertEqual(said.strip(), f"{one} Good morning")
