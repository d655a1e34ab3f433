"""
Small test doubles that tests of several packages share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from zope.interface import implementer

from wsmsg.dependency.state import Dependency
from wsmsg.dependency.worker import IWorker
from wsmsg.monitoring.metrics import Metrics

T = TypeVar("T")


@implementer(IWorker)
class MemoryWorker:
    """
    A worker without a thread, which does one piece of work when the test calls it.

    @ivar waiting: the pieces of work that it has not done.
    @ivar quitting: whether it was told to quit.
    """

    def __init__(self) -> None:
        self.waiting: deque[
            tuple[Callable[..., Any], tuple[Any, ...], Deferred[Any]]
        ] = deque()
        self.quitting = False

    def do(self, f: Callable[..., T], *args: Any) -> Deferred[T]:
        if self.quitting:
            raise RuntimeError("the worker was told to quit")
        done: Deferred[T] = Deferred()
        self.waiting.append((f, args, done))
        return done

    def quit(self) -> Deferred[None]:
        self.quitting = True
        return succeed(None)

    def step(self) -> None:
        """
        Do the next piece of work.
        """
        f, args, done = self.waiting.popleft()
        maybeDeferred(f, *args).chainDeferred(done)

    def work(self) -> None:
        """
        Do all work, and what it leads to.
        """
        while self.waiting:
            self.step()


class Kept(Protocol):
    """
    A backend with a dependency.
    """

    dependency: Dependency

    def start(self) -> None: ...


def up(backend: Kept) -> Deferred[None]:
    """
    Start a backend.

    @return: a Deferred that fires when it is up.
    """
    opened: Deferred[None] = Deferred()

    def changed(dependency: Dependency) -> None:
        if dependency.up and not opened.called:
            opened.callback(None)

    backend.dependency.on_change(changed)
    backend.start()
    return opened


def exposed(metrics: Metrics, accept: str = "") -> bytes:
    """
    Return the page that a scraper gets.
    """
    return b"".join(metrics.page(accept).pieces)
