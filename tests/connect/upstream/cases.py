"""
The case that tests of an upstream with several Messages share.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import MemoryStream, World

BOTH = ("a:1", "b:1")


class ManyTestCase(SynchronousTestCase):
    """
    One Connect with two Messages.
    """

    def both(self) -> World:
        world = World(",".join(BOTH))
        for name in BOTH:
            world.message(name).refuses = ""
        world.upstream.startService()
        world.clock.advance(0)
        return world

    def streams(self, world: World) -> tuple[MemoryStream, MemoryStream]:
        """
        Take all frames of both streams.

        @return: the stream of the primary, and the other one.
        """
        a, b = (world.message(name).stream for name in BOTH)
        primary = [stream.apply().primary for stream in (a, b)]
        self.assertEqual(sorted(primary), [False, True])
        return (a, b) if primary[0] else (b, a)

    def name(self, world: World, stream: MemoryStream) -> str:
        return next(n for n in BOTH if world.message(n).stream is stream)

    def found(self, world: World, *addresses: str) -> None:
        assert world.discovery.changed is not None
        world.discovery.changed(frozenset(addresses))
