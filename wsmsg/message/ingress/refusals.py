"""
TemporaryRefusals for now, which keep the order of each sender by fences
(L{wsmsg.flow.send_fence}).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.flow.send_fence import BEHIND, SendFences
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.model import MessageIdentity

RETRY_AFTER_MS = 500

_Key = tuple[str, int]


class TemporaryRefusals:
    """
    Refuses requests that their senders may repeat.

    @param unanswered: returns the identities of the requests that have no answer, in
        the order in which they came.
    @param seconds: returns monotonic seconds.
    @ivar fences: by conversation and sender.
    @ivar noted: by these, the client ids that had no answer when they were noted.
    """

    def __init__(
        self,
        unanswered: Callable[[], Iterable[MessageIdentity]],
        seconds: Callable[[], float],
    ) -> None:
        self.fences: SendFences[_Key] = SendFences()
        self._unanswered = unanswered
        self._seconds = seconds
        self.noted: Mapping[_Key, Sequence[str]] | None = None

    def forget_noted(self) -> None:
        """
        Forget which requests had no answer, as others come.
        """
        self.noted = None

    def note_unanswered(self) -> Mapping[_Key, Sequence[str]]:
        """
        Note which requests have no answer, before some of them are refused.
        """
        noted = defaultdict[_Key, list[str]](list)
        for identity in self._unanswered():
            noted[identity[:2]].append(identity.client_id)
        self.noted = noted
        return noted

    def fence(
        self, request: SendRequest, later: Mapping[_Key, Collection[str]]
    ) -> WsmsgError | None:
        """
        Return the refusal of a request that is behind one which was refused, if it is.

        @param later: by conversation and sender, the client ids that go into the
            journal later than this request, so that none may be before it.
        """
        key = (request.conversation, request.sender)
        held = later.get(key, ())
        hint_ms = self.fences.hint_ms(key, request.client_id, self._seconds(), held)
        return Unavailable(BEHIND, hint_ms) if hint_ms else None

    def refuse(self, request: SendRequest, error: WsmsgError) -> WsmsgError:
        """
        Return the error for a request, and raise its fence if it may be repeated.
        """
        if error.retry:
            error.retry_after(RETRY_AFTER_MS)
            client_id, key = request.client_id, (request.conversation, request.sender)
            now_s, hint_ms = self._seconds(), error.retry_after_ms
            self.fences.refuse(key, client_id, now_s, hint_ms, self._unanswered_of)
        return error

    def answered(self, request: SendRequest) -> None:
        """
        Note that a request has its final answer.
        """
        key = (request.conversation, request.sender)
        self.fences.forget(key, request.client_id)

    def _unanswered_of(self, key: _Key) -> Sequence[str]:
        # All keys at once: in an overload, many fences are raised.
        unanswered = self.noted or self.note_unanswered()
        return unanswered.get(key, ())
