"""
The hook of the operator: a service that says whom a user may begin to reach, or whose
presence a user may see::

    POST consent.hook_url  {"user": 1001, "others": [1002, 1003]}
    200                    {"allowed": [1002]}
    POST consent.hook_url  {"user": 1001, "others": [1002], "about": "presence"}
    200                    {"allowed": []}

Ids above 2^53 are strings of digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.dependency.response import ResponseBody
from wsmsg.events.numbers import json_number
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.monitoring.metrics import Metrics
from wsmsg.monitoring.repeats import Repeats
from wsmsg.settings.values import ConsentSettings
from wsmsg.text.counted import plural

#: The most bytes of an answer.
MOST_BYTES: Final = 64 * 1024
#: The most calls that wait or are being made; a further one fails.
MOST_CALLS: Final = 1000

#: What may be asked: whom a user may begin to reach, or may see.
Question = Literal["contact", "presence"]

# The lines of the log about failures, in a minute.
_LINES = 3


class HookFailed(Exception):
    """
    The hook gave no valid answer in time; the text is one line.
    """


class _Answer(msgspec.Struct, frozen=True):
    allowed: tuple[int, ...] = ()


_decoder = msgspec.json.Decoder(_Answer, strict=False)


class ConsentHook:
    """
    Calls of the hook, a bounded number at a time.

    @param clock: the reactor.
    @ivar asked: the number of calls.
    @ivar failed: the number of calls without a valid answer.
    @ivar seconds: the times that the calls took.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.asked = self.failed = 0
        self.seconds = Histogram()
        self._clock = clock
        self._lines = Repeats(clock, self._log_sum, first=_LINES, lines=_LINES)
        self._agent: Any = None
        self._calls = 0
        self._room = DeferredSemaphore(32)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the number of calls, that of failures, and the times that they took.
        """
        for name, text, read in (
            ("calls", "Calls of the consent hook", lambda: self.asked),
            (
                "failures",
                "Calls of the consent hook without a valid answer in time",
                lambda: self.failed,
            ),
        ):
            metrics.counter(f"wsmsg_message_consent_hook_{name}", text, read)
        metrics.histogram(
            "wsmsg_message_consent_hook_seconds",
            "Times that calls of the consent hook took, failed ones too, in seconds",
            self.seconds,
        )

    def stop(self) -> None:
        """
        Write the lines of the log that wait.
        """
        self._lines.stop()

    async def allowed(
        self,
        settings: ConsentSettings,
        user: int,
        others: Sequence[int],
        *,
        question: Question = "contact",
    ) -> frozenset[int]:
        """
        Return those of the others whom a user may begin to reach, or may see.

        @raise HookFailed: the hook does not say.
        """
        self.asked += 1
        if self._calls >= MOST_CALLS:
            self.failed += 1
            raise HookFailed(f"{MOST_CALLS} calls wait")
        self._calls += 1
        begun_s = self._clock.seconds()
        try:
            asking: Deferred[frozenset[int]] = self._room.run(
                lambda: Deferred.fromCoroutine(
                    self._ask(settings, user, others, question)
                )
            )
            return await asking.addTimeout(settings.hook_timeout_s, self._clock)
        except Exception as e:
            self.failed += 1
            reason = f"{type(e).__name__}: {e}"[:160]
            if self._lines.allow("hook"):
                self._log.warn(
                    "the consent hook does not answer: {reason}", reason=reason
                )
            raise HookFailed(reason) from e
        finally:
            self._calls -= 1
            self.seconds.observe(self._clock.seconds() - begun_s)

    def _log_sum(self, cause: object, lines: int, seconds: float) -> None:
        self._log.warn(
            "the consent hook did not answer {n} further {noun} in {seconds} s",
            n=lines,
            noun=plural(lines, "call"),
            seconds=seconds,
        )

    async def _ask(
        self,
        settings: ConsentSettings,
        user: int,
        others: Sequence[int],
        question: Question,
    ) -> frozenset[int]:
        # Imported only where there is a hook: it takes a tenth of a second.
        from twisted.web.client import Agent
        from twisted.web.http_headers import Headers

        if self._agent is None:
            self._agent = Agent(self._clock)
        headers = Headers({"Content-Type": ["application/json"]})
        secret = settings.hook_secret.get_secret_value()
        if secret:
            headers.addRawHeader("Authorization", f"Bearer {secret}")
        document = {
            "user": json_number(user),
            "others": [json_number(other) for other in others],
        }
        if question != "contact":
            document["about"] = question
        response = await self._agent.request(
            b"POST",
            settings.hook_url.encode("ascii"),
            headers,
            _Producer(msgspec.json.encode(document)),
        )
        body = ResponseBody(MOST_BYTES, HookFailed)
        if response.code != 200:
            body.refuse(f"answered {response.code}")
        response.deliverBody(body)
        text = await body.ended
        return frozenset(_decoder.decode(text).allowed).intersection(others)


class _Producer:
    """
    The body of a request.
    """

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...
