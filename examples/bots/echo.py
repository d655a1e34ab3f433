import asyncio

from wsmsg_client import Client, MessageReceived


async def main():
    async with Client.from_env() as client:
        async for event in client.events():
            if isinstance(event, MessageReceived) and not event.mine:
                await client.reply(event, event.content)


if __name__ == "__main__":
    asyncio.run(main())
