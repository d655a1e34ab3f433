"""
Programs for an environment that has only the client.
"""

import re

from tests.syntax import ROOT

#: Talks to itself as two users, and prints what each of them got.
CHAT = """
import asyncio, sys
from wsmsg_client import Client, MessageReceived

URL, *TOKENS = sys.argv[1:]

async def first(client):
    async for event in client.events():
        if isinstance(event, MessageReceived):
            return event

async def main():
    async with Client(URL, TOKENS[0]) as one, Client(URL, TOKENS[1]) as two:
        accepted = await one.send(two.user, "Good morning")
        got = await first(two)
        await two.send(got.sender, got.content + " to you")
        while (answer := await first(one)).sender == one.user:
            pass
        print(got.content, "|", answer.content)

asyncio.run(main())
"""

#: Answers each message, and is gone after the first answer if it is told so.
ANSWERS = """
import asyncio, os, sys
from wsmsg_client import Client, MessageReceived

async def main():
    async with Client.from_env() as client:
        async for event in client.events():
            if isinstance(event, MessageReceived) and not event.mine:
                await client.reply(event, "pong")
                print(event.content, flush=True)
                if sys.argv[1:]:
                    os._exit(9)

asyncio.run(main())
"""

#: The programs of the page for the registry, each in a block.
README = (ROOT / "clients" / "python" / "README.md").read_text()
PROGRAMS: list[str] = re.findall(r"(?s)```python\n(.*?)```", README)

#: The first of them.
ECHO = next(program for program in PROGRAMS if "Client.from_env()" in program)

#: Prints the CPU seconds that the import takes, in a process of its own.
IMPORT = """
import time
began = time.process_time()
import wsmsg_client
print(time.process_time() - began)
"""
