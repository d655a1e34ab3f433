"""
The parts of a Message that accept and deliver messages, put together; those that
answer queries.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime

from wsmsg.dependency.retry import Backoff
from wsmsg.flow.life_ring import LifeRing
from wsmsg.message.backends import store_backend
from wsmsg.message.cluster.interface import IMessageIds
from wsmsg.message.consent.contacts import Contacts
from wsmsg.message.consent.hook import ConsentHook
from wsmsg.message.consent.sight import Sight
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.delivery.old_journal import OldJournal
from wsmsg.message.delivery.reader import JournalReader
from wsmsg.message.delivery.store_log import StoreLog
from wsmsg.message.ingress.gate import IntakeGate
from wsmsg.message.ingress.group_rules import GroupRules
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import IIngress
from wsmsg.message.journal.interface import IJournal, JournalEntry
from wsmsg.message.journal.record import decode
from wsmsg.message.life.lives import Lives
from wsmsg.message.life.others import OtherMessages
from wsmsg.message.limits.interface import ConnectRates
from wsmsg.message.limits.parts import LimitParts
from wsmsg.message.links.cursors import CursorWriter
from wsmsg.message.links.interface import ILinks, IRoutes
from wsmsg.message.links.links import Links
from wsmsg.message.links.recipients import MemberCache, ToldCursors
from wsmsg.message.links.stream import StreamContext
from wsmsg.message.links.typing import TypingSignals
from wsmsg.message.log.interface import IAppends, IMessageLog
from wsmsg.message.log.journaled import JournaledLog
from wsmsg.message.presence.interface import IPresence
from wsmsg.message.queries.consent import ConsentReader
from wsmsg.message.queries.history import HistoryWatch
from wsmsg.message.queries.interface import Marking
from wsmsg.message.queries.queries import Queries
from wsmsg.message.store.interface import IMessageStore
from wsmsg.message.traces.interface import IMessageTraces
from wsmsg.message.traces.stages import MessageTraces
from wsmsg.model import Message
from wsmsg.peers.parts import PeerParts
from wsmsg.settings.listeners import status_page
from wsmsg.settings.urls.backends import kafka_url
from wsmsg.settings.values import MessageSettings
from wsmsg.stream.ask import ask_message
from wsmsg.stream.clocks import ClockOffsets
from wsmsg.stream.server import on_loop
from wsmsg.tracing.export import SpanExport


def make_links(
    settings: MessageSettings, presence: IPresence, reactor: IReactorTime
) -> Links:
    """
    Make the links.
    """
    return Links(
        presence,
        reactor,
        grace_s=settings.link_grace_s,
        limit_records=settings.link_records,
        limit_bytes=settings.link_bytes,
        told=ToldCursors(settings.heads_cached // 2),
        ack_s=settings.link_ack_s,
        life=LifeRing(settings.life.records),
    )


def make_numbering(
    settings: MessageSettings,
    store: IMessageStore,
    links: Links,
    now_ms: Callable[[], int],
    spans: SpanExport | None,
) -> Numbering:
    """
    Make what numbers messages, and traces them.

    @param spans: exports the spans; L{None}: nothing does, and nothing is traced.
    """
    traces, journal = None, {}
    if settings.journal.startswith("kafka:"):
        topic = kafka_url(settings.journal).topic
        journal = {"system": "kafka", "destination_name": topic}
    if spans is not None:
        traces = MessageTraces(spans.add, links.lives.ring, journal=journal)
    return Numbering(
        store,
        now_ms,
        heads_cached=settings.heads_cached,
        members_cached=settings.members_cached,
        applied=links.users.applied,
        traces=traces,
    )


def make_log(
    settings: MessageSettings,
    journal: IJournal | None,
    store: IMessageStore,
    reactor: IReactorTime,
    *,
    numbering: Numbering,
    links: ILinks,
    backoff: Backoff,
    on_stored: Callable[[Sequence[Message]], object],
    on_read: Callable[[Sequence[JournalEntry]], object],
    close: Callable[[str], object],
    remove_old: Callable[[], object],
) -> IMessageLog:
    """
    Make the log: over the journal, or the store alone where both are embedded.

    @param journal: of the log, or of an earlier version; L{None}: neither.
    @param backoff: as for L{JournalReader}, as are C{on_stored} and C{on_read}.
    @param close: as for L{OldJournal}, as is C{remove_old}.
    """
    old = None
    if journal is not None:
        reader = JournalReader(
            journal,
            numbering,
            links,
            reactor,
            store=store.dependency,
            backoff=backoff,
            batch=settings.read_batch,
            limit_unsettled=settings.unsettled_records,
            stalled_s=settings.stalled_s,
            on_stored=on_stored,
            on_read=on_read,
        )
        if not settings.store_is_log:
            return JournaledLog(journal, store, reactor, reader, numbering.traces)
        old = OldJournal(journal, reader, close=close, remove=remove_old)
    return StoreLog(
        store,
        numbering,
        links,
        reactor,
        batch=settings.read_batch,
        stalled_s=settings.stalled_s,
        on_stored=on_stored,
        old=old,
    )


def make_ingress(
    settings: MessageSettings,
    log: IAppends,
    store: IMessageStore,
    reactor: IReactorTime,
    *,
    ids: IMessageIds,
    now_ms: Callable[[], int],
    gate: IntakeGate,
    limits: LimitParts,
    hook: ConsentHook,
    traces: IMessageTraces | None,
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
        log,
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
        contacts=Contacts(store, settings.consent, hook, reactor.seconds),
        traces=traces,
    )


def make_queries(
    settings: MessageSettings,
    store: IMessageStore,
    presence: IPresence,
    routes: IRoutes,
    reactor: IReactorTime,
    *,
    now_ms: Callable[[], int],
    mark: Marking,
    may_be_unstored: Callable[[str, int], Awaitable[bool]],
    cursors_stored: Callable[[int], Awaitable[None]],
    hook: ConsentHook,
) -> Queries:
    """
    Make the queries.

    @param now_ms: returns unix milliseconds.
    """
    shared = store_backend(settings).SHARED
    return Queries(
        store,
        presence,
        routes,
        page=settings.page,
        mark=mark,
        history=HistoryWatch(store, reactor.seconds, shared=shared),
        names=store.names if settings.users.names else None,
        may_be_unstored=may_be_unstored,
        cursors_stored=cursors_stored,
        consent=ConsentReader(store.consent, now_ms, settings.consent),
        sight=Sight(store, settings.consent, hook, reactor.seconds),
    )


def make_cursors(
    settings: MessageSettings, store: IMessageStore, links: Links, reactor: IReactorTime
) -> CursorWriter:
    """
    Make the writer of cursors.  Where other Messages read the store too, each cursor is
    stored before it is told.
    """
    shared = store_backend(settings).SHARED
    told = None if shared else links.told
    return CursorWriter(store, links.receipt, reactor, told=told)


def make_lives(
    store: IMessageStore,
    log: IMessageLog,
    core: StreamContext,
    peers: PeerParts,
    reactor: IReactorTime,
) -> Lives:
    """
    Make what answers questions about messages.
    """
    links, open_channel = core.links, peers.dialling.open
    reach = links.reach
    others = OtherMessages(
        lambda: [a for a in reach.listed if a != reach.address],
        lambda address, request, timeout_s: on_loop(
            ask_message(open_channel, address, request, timeout_s)
        ),
    )
    return Lives(core.node, store, log, links.lives, others, reactor, decode=decode)


def make_stream_context(
    node: str,
    settings: MessageSettings,
    store: IMessageStore,
    reactor: IReactorTime,
    *,
    links: Links,
    ingress: IIngress,
    members: MemberCache,
    revoked: Callable[[], Mapping[int, int] | None],
    rates: ConnectRates,
) -> StreamContext:
    """
    Make what all streams of a Message share.

    @param node: the name of this Message.
    @param revoked: as for L{StreamContext}, as is C{rates}.
    """
    return StreamContext(
        node=node,
        incarnation=uuid.uuid4().hex,
        links=links,
        ingress=ingress,
        cursors=make_cursors(settings, store, links, reactor),
        typing=TypingSignals(store, members, links, reactor, contacts=ingress.contacts),
        keepalive_s=settings.keepalive_s,
        content_bytes=settings.content_bytes,
        status_page=status_page(settings),
        clocks=ClockOffsets(reactor.seconds, time.time),
        revoked=revoked,
        rates=rates,
    )
