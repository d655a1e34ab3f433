"""
The parts of a Message that accept messages, put together.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from wsmsg.message.backends import store_backend
from wsmsg.message.cluster.interface import IMessageIds
from wsmsg.message.consent.contacts import Contacts
from wsmsg.message.consent.hook import ConsentHook
from wsmsg.message.ingress.appends import Appends
from wsmsg.message.ingress.gate import IntakeGate
from wsmsg.message.ingress.group_rules import GroupRules
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.journal.interface import IJournal
from wsmsg.message.limits.parts import LimitParts
from wsmsg.message.store.interface import IMessageStore
from wsmsg.settings.values import MessageSettings


def make_ingress(
    settings: MessageSettings,
    journal: IJournal,
    store: IMessageStore,
    reactor: IReactorTime,
    *,
    ids: IMessageIds,
    now_ms: Callable[[], int],
    gate: IntakeGate,
    limits: LimitParts,
) -> Ingress:
    """
    Make the ingress with its rules.

    @param now_ms: returns unix milliseconds.
    @param limits: those of users.
    """
    rules = GroupRules(
        store,
        now_ms,
        group_members=settings.group_members,
        recall_s=settings.recall_s,
        consent=settings.consent,
        shared=store_backend(settings).SHARED,
        seconds=reactor.seconds,
    )
    return Ingress(
        Appends(journal, store, reactor),
        store,
        ids,
        now_ms,
        rules=rules,
        limit=settings.appends_in_flight,
        content_bytes=settings.content_bytes,
        gate=gate,
        seconds=reactor.seconds,
        meters=limits.meters,
        quotas=limits.quotas,
        contacts=Contacts(
            store, settings.consent, ConsentHook(reactor), reactor.seconds
        ),
    )
