"""
The last step of sends into the journal, in batches.

A batch is appended, and its identities are looked up in the store at the same time.  If
the journal is reached over a network, each such step costs the same for one message as
for many.  So two steps begin at least C{spacing_s} of the journal apart: the first
message is appended at once, and those that arrive within that time are appended
together.

If the journal refuses gathered messages for good, the fault of one of them is shared by
the others.  All are refused as unavailable then, and for a while each message is
appended alone: when they are repeated, only the bad one is refused for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.dependency.wait import unless_lost
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.message.journal.interface import IJournal
from wsmsg.message.log.backlog import StartupBacklog
from wsmsg.message.log.interface import Appended, IAppends, LogTimings
from wsmsg.message.store.interface import IMessages
from wsmsg.message.traces.interface import IMessageTraces
from wsmsg.model import Message, MessageIdentity

_RETRY_AFTER_MS = 500
#: Time for which messages are appended one by one after a shared fault of some of them.
_APART_S = 10.0


#: Messages, what fires when they are durable, and when they were added.
_Added = tuple[Sequence[Message], Deferred[Appended], float]


@implementer(IAppends)
class Appends:
    """
    Appends to the journal, in the order in which L{add} was called.

    @param timings: counts the durations of the appends that succeeded.
    @param traces: makes the spans of the batches; L{None}: there are none.
    """

    decides = False
    _log = Logger()

    def __init__(
        self,
        journal: IJournal,
        store: IMessages,
        clock: IReactorTime,
        timings: LogTimings | None = None,
        traces: IMessageTraces | None = None,
    ) -> None:
        self._traces = traces
        self._timings = timings or LogTimings()
        self.may_be_unstored = StartupBacklog(journal, clock).may_be_unstored
        self._journal = journal
        self._store = store
        self.clock = clock
        self._spacing_s: float = journal.spacing_s
        self._next_s = 0.0
        self._apart_until_s: float | None = None
        self._due: IDelayedCall | None = None
        self._gathered: list[_Added] = []

    @property
    def content_bytes(self) -> int:
        return self._journal.content_bytes

    @property
    def apart(self) -> bool:
        if self._apart_until_s is None:
            return False
        if self.clock.seconds() >= self._apart_until_s:
            self._apart_until_s = None
        return self._apart_until_s is not None

    def add(self, messages: Sequence[Message]) -> Deferred[Appended]:
        done: Deferred[Appended] = Deferred()
        self._gathered.append((messages, done, self.clock.seconds()))
        if self._due is None:
            wait_s = self._next_s - self.clock.seconds() if self._spacing_s else 0.0
            if wait_s > 0:
                delay_s = min(wait_s, self._spacing_s)
                self._due = self.clock.callLater(delay_s, self._go)
            else:
                self._go()
        return done

    def _go(self) -> None:
        self._due = None
        self._next_s = self.clock.seconds() + self._spacing_s
        gathered, self._gathered = self._gathered, []
        if self.apart:
            for each in gathered:
                self._step([each])
        else:
            self._step(gathered)

    def _step(self, gathered: Sequence[_Added]) -> None:
        messages = [m for some, _, _ in gathered for m in some]
        durable = self._journal.append(messages)
        found: Deferred[dict[MessageIdentity, Message]] | None = None
        if self._store.dependency.up:
            found = self._store.find([m.identity for m in messages])
        finished = Deferred.fromCoroutine(
            self._finish(gathered, len(messages), durable, found)
        )
        finished.addErrback(
            lambda failure: self._log.failure(
                "answering {n} appended records", failure, n=len(messages)
            )
        )

    async def _finish(
        self,
        waiting: Sequence[_Added],
        n: int,
        durable: Deferred[None],
        found: Deferred[dict[MessageIdentity, Message]] | None,
    ) -> None:
        problem: WsmsgError | None = None
        began_s, traces = self.clock.seconds(), self._traces
        start_ns = 0 if traces is None else traces.now_ns()
        try:
            await durable
            self._note_durable(began_s, waiting)
            if traces is not None:
                traces.appended([messages for messages, _, _ in waiting], start_ns)
        except WsmsgError as e:
            problem = self._shared(e) if n > 1 else e
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("appending records")
            problem = Unavailable("the journal failed", _RETRY_AFTER_MS).may_be_done()
        stored: Mapping[MessageIdentity, Message] = {}
        if found is not None and problem is not None:
            # Refused at once: what is admitted until then would overtake.
            found.addErrback(lambda failure: None)
        elif found is not None:
            try:
                if not found.called:
                    found = unless_lost(self._store.dependency, found)
                stored = await found
            except WsmsgError:
                pass  # delivery finds repeats, and the dependency has logged the reason
            except Exception:  # noqa: BLE001 - a guard
                self._log.failure("looking up identities")
        for _, done, _ in waiting:
            done.callback(Appended(stored, problem))

    def _note_durable(self, began_s: float, added: Iterable[_Added]) -> None:
        now_s, timings = self.clock.seconds(), self._timings
        timings.append.observe(now_s - began_s)
        for messages, _, added_s in added:
            timings.durable.observe(now_s - added_s, len(messages))

    def _shared(self, problem: WsmsgError) -> WsmsgError:
        """
        Return the problem of several messages that was found in one of them.
        """
        if problem.retry:
            return problem
        self._log.warn(
            "the journal refused messages that were appended together; for {seconds} s"
            " each is appended alone: {reason}",
            seconds=_APART_S,
            reason=problem.reason,
        )
        self._apart_until_s = self.clock.seconds() + _APART_S
        why = "the journal refused a message that was appended with this one"
        return Unavailable(why, _RETRY_AFTER_MS).may_be_done()
