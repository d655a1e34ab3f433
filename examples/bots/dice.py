import asyncio
import random

from wsmsg_client import Client, MessageReceived


async def main():
    async with Client.from_env() as client:
        async for event in client.events():
            match event:
                case MessageReceived(mine=False, content="/roll"):
                    await client.reply(event, f"{random.randint(1, 6)}")


if __name__ == "__main__":
    asyncio.run(main())
