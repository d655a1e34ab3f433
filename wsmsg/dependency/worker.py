"""
One thread for one thing that blocks, asked for whole pieces of work.

A hop between a thread and the reactor costs as much as forty messages, so what is
asked for is a batch, and what was finished before the reactor turns crosses back in
one hop.
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
    What is asked of a reactor: its clock, and to be called from threads.
    """


class IWorker(Interface):
    """
    Does one piece of work after the other, in the order in which they were asked
    for.
    """

    def do(f: Callable[..., T], *args: Any) -> Deferred[T]:
        """
        Call C{f(*args)} when all that was asked for before is done.

        @return: a Deferred that fires with what it returned or raised.
        """

    def quit() -> Deferred[None]:
        """
        Do what was asked for, and nothing after that.

        @return: a Deferred that fires when nothing of the worker is left.
        """


@implementer(IWorker)
class Worker:
    """
    A thread of its own, which lives from the first piece of work to L{quit}.

    @param name: of the thread, for debuggers and C{ps}.
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
            raise RuntimeError(f"worker {self._name} was told to quit")
        if self._thread is None:
            # A daemon: a disk that hangs must not keep the process from ending.
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
            # Cleared before the reactor looks into the deque, so none is left there.
            if not self._crossing:
                self._crossing = True
                self._reactor.callFromThread(self._arrive)
            # What a slow next piece of work would keep alive.
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
