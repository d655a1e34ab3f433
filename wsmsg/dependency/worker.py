"""
A thread for one thing whose calls block.

A hop between a thread and the reactor costs as much as forty messages.  So callers ask
for work in batches, and all results that are ready before the reactor's next turn cross
back in one hop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from wsmsg.dependency.stop import forked

T = TypeVar("T")

_Job = tuple[Callable[..., Any], tuple[Any, ...], "Deferred[Any]"]


class TimeAndThreads(IReactorTime, IReactorFromThreads):
    """
    The parts of a reactor that a worker needs: its clock, and calls from threads.
    """


class IWorker(Interface):
    """
    Runs calls one after the other, in the order of L{do}.
    """

    def do(f: Callable[..., T], *args: Any) -> Deferred[T]:
        """
        Call C{f(*args)} after all earlier calls.

        @return: a Deferred that fires with the result or the failure.
        """

    def quit() -> Deferred[None]:
        """
        Finish the calls that were asked for, and accept no more.

        @return: a Deferred that fires when nothing of the worker is left.
        """


@implementer(IWorker)
class Worker:
    """
    A thread that lives from the first call to L{quit}.

    @param name: the name of the thread, for debuggers and C{ps}.
    """

    def __init__(self, name: str, reactor: IReactorFromThreads) -> None:
        self._name = name
        self._reactor = reactor
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._finished: deque[tuple[Deferred[Any], Any]] = deque()
        self._crossing = False
        self._thread: Thread | None = None
        self._over: Deferred[None] | None = None

    def do(self, f: Callable[..., T], *args: Any) -> Deferred[T]:
        if self._over is not None:
            raise RuntimeError(f"worker {self._name} has quit")
        if self._thread is None:
            # A daemon thread: a disk that hangs must not keep the process alive.
            self._thread = Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        done: Deferred[T] = Deferred()
        self._jobs.put((f, args, done))
        return done

    def quit(self) -> Deferred[None]:
        if self._over is None:
            self._over = Deferred() if self._thread else succeed(None)
            self._jobs.put(None)
        return forked(self._over)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            f, args, done = job
            result: object
            try:
                result = f(*args)
            except BaseException:  # noqa: BLE001 - the top of a thread
                result = Failure()
            self._finished.append((done, result))
            # _arrive clears the flag before it reads the deque, so no result stays.
            if not self._crossing:
                self._crossing = True
                self._reactor.callFromThread(self._arrive)
            # A slow next call would keep these alive.
            del job, f, args, done, result
        self._reactor.callFromThread(self._ended)

    def _arrive(self) -> None:
        self._crossing = False
        while self._finished:
            done, result = self._finished.popleft()
            done.callback(result)

    def _ended(self) -> None:
        assert self._thread is not None and self._over is not None
        self._thread.join()
        self._over.callback(None)
