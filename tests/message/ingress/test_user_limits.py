"""
Row 11: sends a second and bytes a day of users, over all their devices and Connects.
"""

from __future__ import annotations

from tests.message.ingress.user_limit_case import UserLimitCase
from wsmsg.errors import WsmsgError
from wsmsg.message.limits.meters import OVERHEAD_BYTES, UserMeters
from wsmsg.message.limits.rates import ConnectRates
from wsmsg.message.limits.settings import UserLimits
from wsmsg.message.limits.usage import SAVE_S
from wsmsg.settings.values import MessageSettings, UserLimitSettings

_DAY_S = 86_400


class SendRateTests(UserLimitCase):
    """
    Sends a second, over all Connects.
    """

    def test_over_all_connects(self) -> None:
        """
        The sends of a user by several Connects share one rate; those over it are
        refused with a time to wait, and accepted after it; others are not affected.
        """
        self.begin(sends_per_s=10, sends_burst=3)
        for n in range(5):
            self.send(f"c{n}", conversation=f"u:1:{n + 2}", connect=f"connect-{n % 2}")
        self.assertEqual(self.refused(), {"c3": "rate_limited", "c4": "rate_limited"})
        error = self.answers["c3"]
        assert isinstance(error, WsmsgError)
        self.assertIn("limits.sends_per_s", error.reason)
        self.send("d", sender=2)
        self.pass_time(error.retry_after_ms / 1000)
        for n in (3, 4):
            self.send(f"c{n}", conversation=f"u:1:{n + 2}")
        self.assertEqual(self.refused(), {})

    def test_order(self) -> None:
        """
        A send behind one that was over the rate does not overtake it.
        """
        self.begin(sends_per_s=10, sends_burst=2)
        for n in range(3):
            self.send(f"c{n}")
        self.pass_time(0.1)
        self.send("c3")
        self.assertEqual(self.refused(), {"c2": "rate_limited", "c3": "unavailable"})
        self.pass_time(0.5)
        self.send("c2")
        self.send("c3")
        self.assertEqual(self.refused(), {})
        sent = [m.client_id for some, _ in self.journal.appends for m in some]
        self.assertEqual(sent, ["c0", "c1", "c2", "c3"])

    def test_repeats(self) -> None:
        """
        A repeat of an accepted message is answered, and counts for nothing.
        """
        self.begin(sends_per_s=1, sends_burst=1)
        self.send("c1")
        for _ in range(3):
            self.send("c1", repeat=True)
        self.assertEqual(self.refused(), {})

    def test_services(self) -> None:
        """
        Sends of a service on behalf of a user count for no limit of the user.
        """
        self.begin(sends_per_s=1, sends_burst=1, stored_bytes_per_day=200)
        for n in range(5):
            self.send(f"c{n}", by_user=False)
        self.send("c5")
        self.assertEqual(self.refused(), {})

    def test_off(self) -> None:
        """
        With limits of 0 nothing is refused or remembered.
        """
        for n in range(50):
            self.send(f"c{n}")
        self.assertEqual(self.refused(), {})
        self.assertEqual(self.limits.meters.meters, {})

    def test_settings(self) -> None:
        """
        A reload changes the limits of users who have sent already.
        """
        self.begin(sends_per_s=1, sends_burst=1)
        self.send("c1")
        self.send("c2", conversation="u:1:3")
        self.assertEqual(set(self.refused()), {"c2"})
        limits = UserLimitSettings(sends_per_s=0)
        self.limits.apply_settings(MessageSettings(limits=limits))
        self.send("c3", conversation="u:1:4")
        self.assertEqual(set(self.refused()), {"c2"})

    def test_rates_of_connects(self) -> None:
        """
        Without a rate of its own, Message allows a user the highest rate of the
        Connects, and twice the burst; the last one stays when all streams are lost.
        """
        rates, meters = self.limits.rates, self.limits.meters
        self.assertFalse(meters.on)
        rates.note("a", 10, 2)
        rates.note("b", 0, 0)  # of an older version
        self.assertEqual((meters.rate, meters.burst), (10, 4))
        rates.note("c", 50, 100)
        self.assertEqual((meters.rate, meters.burst), (50, 200))
        rates.forget("c")
        self.assertEqual((meters.rate, meters.burst), (10, 4))
        rates.forget("b")
        rates.forget("a")
        self.assertEqual((meters.rate, meters.burst), (10, 4))
        for n in range(6):
            self.send(f"c{n}", conversation=f"u:1:{n + 2}")
        self.assertEqual(set(self.refused()), {"c4", "c5"})


class MeterTableTests(UserLimitCase):
    """
    The memory of users.
    """

    def table(self, most: int) -> UserMeters:
        """
        Return meters with a bound that a test can reach.
        """
        settings = UserLimitSettings(sends_per_s=1, sends_burst=2)
        limits = UserLimits(settings, lambda: 0.0)
        return UserMeters(limits, self.clock.seconds, ConnectRates(), most)

    def test_bounded(self) -> None:
        """
        Users whose rates are refilled are forgotten, if there are more than the bound.
        """
        meters = self.table(3)
        busy = meters.begin(1, 0.0)
        self.assertEqual(busy.count(1, 0.0, meters), "")
        for user in range(2, 9):
            meters.begin(user, 0.0)
        self.assertEqual(len(meters.meters), 3)
        self.assertIs(meters.meters[1], busy)

    def test_all_busy(self) -> None:
        """
        The bound holds where nobody's rate is refilled.
        """
        meters = self.table(3)
        for user in range(1, 99):
            meters.begin(user, 0.0).count(1, 0.0, meters)
        self.assertEqual(len(meters.meters), 3)


class StoredBytesTests(UserLimitCase):
    """
    Bytes stored a day.
    """

    def test_a_day(self) -> None:
        """
        A user who has sent the bytes of a day is refused for good until the next day
        begins, with the limit in the reason; texts count with their bytes of UTF-8.
        """
        self.begin(stored_bytes_per_day=2 * (OVERHEAD_BYTES + 200))
        self.send("c1", content="é" * 100)
        self.send("c2", content="x" * 200)
        self.send("c3", content="")
        self.send("c4", sender=2, content="")
        self.assertEqual(self.refused(), {"c3": "limit_reached"})
        error = self.answers["c3"]
        assert isinstance(error, WsmsgError)
        self.assertIn("limits.stored_bytes_per_day", error.reason)
        self.assertEqual((error.retry, error.retry_after_ms), (False, 0))
        self.pass_time(_DAY_S)
        self.send("c5")
        self.assertEqual(set(self.refused()), {"c3"})

    def test_restart(self) -> None:
        """
        A restart of Message does not reset the bytes of the day.
        """
        limits = {"stored_bytes_per_day": 3 * (OVERHEAD_BYTES + 2)}
        self.begin(**limits)
        for n in range(3):
            self.send(f"c{n}")
        self.successResultOf(self.limits.stop())
        self.begin(**limits)
        self.send("d1")  # before Message has asked the store
        self.pass_time(SAVE_S)
        self.send("d2")
        self.assertEqual(self.refused(), {"d2": "limit_reached"})

    def test_other_messages(self) -> None:
        """
        The bytes that another Message has counted count here as well.
        """
        limits = {"stored_bytes_per_day": 4 * (OVERHEAD_BYTES + 2)}
        self.begin(**limits)
        other = self.ingress
        self.send("c1")
        mine = self.limits
        self.begin(**limits)
        for n in range(3):
            self.send(f"d{n}")
        self.pass_time(SAVE_S)
        self.pass_time(SAVE_S)
        self.send("d3")
        self.assertEqual(self.refused(), {"d3": "limit_reached"})
        self.assertIsNot(other, self.ingress)
        self.successResultOf(mine.stop())

    def test_batches(self) -> None:
        """
        Messages of a few seconds cost one batch in the store, however many they are.
        """
        self.begin(stored_bytes_per_day=10**9)
        for n in range(200):
            self.send(f"c{n}", sender=n % 20 + 1, conversation=f"u:{n % 20 + 1}:99")
        self.assertEqual(self.store.usage.calls, 0)
        self.pass_time(SAVE_S)
        self.assertEqual(self.store.usage.calls, 1)
        self.pass_time(SAVE_S)
        self.assertEqual(self.store.usage.calls, 1)

    def test_store_away(self) -> None:
        """
        While the store is away, messages are accepted and counted, and saved when it is
        back.
        """
        self.begin(stored_bytes_per_day=10**9)
        self.store.dependency.failed("away", 1.0)
        self.send("c1")
        self.pass_time(3 * SAVE_S)
        self.assertEqual(self.store.usage.calls, 0)
        self.store.dependency.succeeded()
        self.pass_time(SAVE_S)
        (amount,) = self.store.usage.amounts.values()
        self.assertEqual(amount, OVERHEAD_BYTES + 2)

    def test_twice_in_a_frame(self) -> None:
        """
        A message that comes twice at once is refused twice, and counts for the rate.
        """
        self.begin(stored_bytes_per_day=10, sends_per_s=1, sends_burst=3)
        twice = [self.request("c1"), self.request("c1")]
        self.ingress.accept(twice, self.replied)
        self.assertEqual(self.refused(), {"c1": "limit_reached"})
        self.assertEqual((self.replies, self.journal.appends), (2, []))
        self.send("c2")
        self.send("c3", conversation="u:1:3")
        self.assertEqual(self.refused()["c3"], "rate_limited")

    def test_repeat_of_a_stored_message(self) -> None:
        """
        A repeat of a message that was stored long ago is answered as accepted, though
        the user has sent all bytes of the day.
        """
        self.send("c1")
        self.store_appended()
        self.begin(stored_bytes_per_day=10)
        self.send("c1", repeat=True)
        self.assertEqual(self.refused(), {})
        self.send("c2")
        self.assertEqual(self.refused(), {"c2": "limit_reached"})
        self.assertEqual(self.ingress.in_flight, 0)
