"""
The rates of users that Connect tells the Messages.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import World


class UserRateTests(SynchronousTestCase):
    """
    Row 11: Message knows the rate of sends that Connect allows a user.
    """

    def test_rate_of_sends(self) -> None:
        """
        Each stream begins with the rate of sends of a user; when that changes, the
        stream is opened anew.
        """
        world = World()
        world.start("a:1")
        hello = world.message().stream.hello
        self.assertEqual((hello.sends_per_s, hello.sends_burst), (100, 200))
        rates = {"sends_per_s": 10**12, "sends_burst": 300}
        limits = world.settings.limits.model_copy(update=rates)
        world.upstream.apply_settings(
            world.settings.model_copy(update={"limits": limits})
        )
        world.run(1.5)
        self.assertEqual(world.message().attempts, 2)
        hello = world.message().stream.hello
        self.assertEqual((hello.sends_per_s, hello.sends_burst), (2**31, 300))
