"""
Tests of sessions of users with names: logins, and requests with names in them.
"""

from __future__ import annotations

from tests.connect.names.doubles import ANNA, BERTA, CARL, NamedNode, heard
from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import FakeNode
from wsmsg.connect.upstream.interface import (
    BlocksView,
    InvitationsView,
    InvitationView,
    PageView,
)
from wsmsg.errors import Close
from wsmsg.events.block import BLOCK, BlockChange, decode_block, encode_block
from wsmsg.events.group_change import decode_change
from wsmsg.model import Message, conversation_of
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Hello, Send, Watch


class LoginTests(SessionTestCase):
    """
    The subject of a token is mapped to a number at login.
    """

    def setUp(self) -> None:
        self.node = NamedNode()

    def test_welcome(self) -> None:
        """
        A welcome has the number of the user, and the name beside it.
        """
        client = self.node.client(codec=self.node.codec)
        client.say(Hello("token-anna", "phone"))
        self.assertEqual(heard(client), [])
        self.node.turn()
        ((welcome, names),) = heard(client)
        assert isinstance(welcome, frames.Welcome)
        self.assertEqual((welcome.user, names), (ANNA, {ANNA: "anna"}))
        self.assertEqual(self.node.store.asked, [(["anna"], [], True)])

    def test_case(self) -> None:
        """
        Names that differ in case only are different users.
        """
        users = {
            self.node.enter(name).session.user for name in ("anna", "Anna", "ANNA")
        }
        self.assertEqual(len(users), 3)

    def test_known(self) -> None:
        """
        A login of a user who is known asks nothing, and works while Message is away.
        """
        self.node.enter("anna")
        self.node.store.at_once = False
        client = self.node.client(codec=self.node.codec)
        client.say(Hello("token-anna", "tablet"))
        self.assertEqual(client.session.user, ANNA)
        self.assertEqual(len(self.node.store.asked), 1)

    def test_away(self) -> None:
        """
        While Message is away, a login with an unknown name is told C{unavailable}, and
        to come again.
        """
        self.node.store.at_once = False
        client = self.node.client(codec=self.node.codec)
        client.say(Hello("token-anna", "phone"))
        self.node.turn()
        self.node.store.fail()
        error = self.assert_error(client, "unavailable")
        self.assertEqual(error.retry_after_ms, 700)
        self.assertIs(client.peer.code, Close.UNAVAILABLE)

    def test_waits(self) -> None:
        """
        Frames that come while the name is looked up are carried out after the welcome,
        and a client that leaves meanwhile is forgotten.
        """
        self.node.store.at_once = False
        client, other = (self.node.client(codec=self.node.codec) for _ in range(2))
        client.say(Hello("token-anna", "phone"), frames.Ping("1"))
        other.say(Hello("token-berta", "phone"))
        other.hang_up()
        self.node.turn()
        self.node.store.answer()
        welcome, pong = heard(client)
        self.assertIsInstance(welcome[0], frames.Welcome)
        self.assertEqual(pong[0], frames.Pong("1"))
        self.assertEqual(self.node.registry.users(), [ANNA])

    def test_revoked(self) -> None:
        """
        A token that is revoked by the user's number does not log in.
        """
        self.node.registry.revoke([(ANNA, 10**15)])
        client = self.node.client(codec=self.node.codec)
        client.say(Hello("token-anna/1700000060/1700000000", "phone"))
        self.node.turn()
        self.assert_error(client, "unauthenticated")
        self.assertIs(client.peer.code, Close.UNAUTHENTICATED)

    def test_refresh(self) -> None:
        """
        A session takes a new token of the same name, and of no other.
        """
        client = self.node.enter("anna")
        client.say(frames.Refresh("token-Anna/1700009999", "r1"))
        self.assert_error(client, "unauthenticated", "r1")
        client.say(frames.Refresh("token-1001/1700009999", "r2"))
        self.assert_error(client, "unauthenticated", "r2")
        client.say(frames.Refresh("token-anna/1700009999", "r3"))
        self.assertEqual(client.heard(), [frames.Refreshed("r3", 1700009999000)])
        assert client.session.identity is not None
        self.assertEqual(client.session.identity.user, ANNA)

    def test_off(self) -> None:
        """
        Without C{users.names}, a request with a name says so, and the session goes on.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(Send("c1", to_name="anna", content="x"))
        self.assert_rejected(client, "unsupported")
        client.say(Watch(names=("anna",)))
        self.assert_error(client, "unsupported")
        client.say(frames.Names("n1", ("anna",)))
        self.assert_error(client, "unsupported", "n1")
        client.say(frames.CreateGroup("c2", "Crew", member_names=("anna",)))
        self.assert_rejected(client, "unsupported")
        client.say(frames.Block("c3", on=True, user_name="anna"))
        self.assert_rejected(client, "unsupported")
        client.say(frames.Invite("c4", group=5, user_name="anna"))
        self.assert_rejected(client, "unsupported")
        self.assertEqual(node.upstream.sends, [])


class RequestTests(SessionTestCase):
    """
    Users may have names in requests.
    """

    def setUp(self) -> None:
        self.node = NamedNode("berta", "carl")
        self.client = self.node.enter("anna")
        self.upstream = self.node.upstream

    def sent(self) -> list[tuple[str, str]]:
        """
        Return the client ids and conversations of the sends at the upstream.
        """
        return [(new.client_id, new.conversation) for new, _ in self.upstream.sends]

    def test_send(self) -> None:
        """
        A message to a name reaches the user, and its answer has the conversation.
        """
        self.client.say(Send("c1", to_name="berta", content="hi"))
        self.node.turn()
        name = conversation_of(ANNA, BERTA)
        self.assertEqual(self.sent(), [("c1", name)])
        self.upstream.accept()
        accepted = frames.Accepted("c1", 5, name)
        ((frame, names),) = heard(self.client)
        self.assertEqual((frame, names), (accepted, {ANNA: "anna", BERTA: "berta"}))

    def test_nobody_has_the_name(self) -> None:
        """
        A message to a name that nobody has is rejected for good, and nothing is
        created.
        """
        self.client.say(Send("c1", to_name="Berta", content="hi"))
        self.node.turn()
        rejected = self.assert_rejected(self.client, "not_found")
        self.assertIn("'Berta'", rejected.reason)
        self.assertEqual(rejected.retry_after_ms, 0)
        self.assertNotIn("Berta", self.node.store.names)
        self.assertEqual(self.client.session.unanswered, 0)

    def test_order(self) -> None:
        """
        While a name is looked up, nothing of the same client overtakes, and nobody else
        waits.
        """
        other = self.node.enter("1001")
        self.node.store.at_once = False
        self.client.say(
            Send("c1", to_name="berta", content="1"),
            Send("c2", to=BERTA, content="2"),
            Send("c3", to_name="carl", content="3"),
            frames.Ping("p"),
        )
        self.assertFalse(self.client.peer.reading)
        other.say(Send("c9", to=7, content="9"))
        self.assertEqual([new.client_id for new, _ in self.upstream.sends], ["c9"])
        self.node.turn()
        self.node.store.answer()
        self.node.turn()
        self.node.store.answer()
        self.assertEqual([one for one, _ in self.sent()], ["c9", "c1", "c2", "c3"])
        self.assertIn((frames.Pong("p"), {}), heard(self.client))
        self.assertTrue(self.client.peer.reading)

    def test_away(self) -> None:
        """
        While Message is away, a message to an unknown name is C{unavailable}; those
        behind it are refused until it comes again, so that none overtakes.
        """
        self.node.store.at_once = False
        self.client.say(Send("c1", to_name="berta", content="1"))
        self.node.turn()
        self.node.store.fail()
        rejected = self.assert_rejected(self.client, "unavailable")
        self.assertEqual(rejected.retry_after_ms, 700)
        self.node.store.at_once = True
        self.client.say(Send("c2", to_name="berta", content="2"))
        self.node.turn()
        self.assert_rejected(self.client, "unavailable")
        self.client.say(Send("c1", to_name="berta", content="1", repeat=True))
        self.client.say(Send("c2", to_name="berta", content="2", repeat=True))
        self.client.say(Send("c3", to_name="berta", content="3"))
        self.assertEqual([one for one, _ in self.sent()], ["c1", "c2", "c3"])
        self.assertEqual(len(self.upstream.fences), 0)

    def test_watch(self) -> None:
        """
        Watched users may be named by number and by name.
        """
        self.client.say(Watch(users=(7,), names=("berta", "1001")))
        self.node.turn()
        self.assertEqual(self.upstream.named("watch"), [([7, 1001, BERTA],)])
        self.client.say(Watch(names=("berta", "nobody", "none")))
        self.node.turn()
        error = [f for f, _ in heard(self.client) if isinstance(f, frames.Error)]
        self.assertIn("'nobody' and 1 more", error[0].reason)

    def test_groups(self) -> None:
        """
        Groups are created and changed with names; one that nobody has is named.
        """
        made = frames.CreateGroup("g1", "Crew", (7,), member_names=("berta",))
        self.client.say(made)
        self.node.turn()
        new, _ = self.upstream.sends[0]
        self.assertEqual(set(decode_change(new.content).add), {ANNA, 7, BERTA})
        self.client.say(frames.ChangeGroup("g2", 5, remove_names=("carl",)))
        self.client.say(frames.ChangeGroup("g3", 5, add_names=("dora",)))
        self.node.turn()
        self.node.turn()
        new, _ = self.upstream.sends[1]
        self.assertEqual(decode_change(new.content).remove, (CARL,))
        self.assert_rejected(self.client, "not_found")

    def test_block(self) -> None:
        """
        A user is blocked by name; one whom nobody knows, and the user's own name, are
        refused.
        """
        self.client.say(frames.Block("b1", on=True, user_name="berta"))
        self.node.turn()
        ((new, _),) = self.upstream.sends
        self.assertEqual(new.conversation, conversation_of(ANNA, ANNA))
        self.assertEqual(decode_block(new.content), BlockChange(BERTA, 0, True))
        self.client.say(frames.Block("b2", on=True, user_name="nobody"))
        self.node.turn()
        self.assert_rejected(self.client, "not_found")
        self.client.say(frames.Block("b3", on=True, user_name="anna"))
        self.assert_rejected(self.client, "bad_request")
        self.assertEqual(len(self.upstream.sends), 1)

    def test_invite(self) -> None:
        """
        A user is invited by name, and nothing to the same name overtakes.
        """
        self.node.store.at_once = False
        self.client.say(frames.Invite("i1", group=5, user_name="berta"))
        self.node.turn()
        self.node.store.fail()
        self.assert_rejected(self.client, "unavailable")
        self.node.store.at_once = True
        self.client.say(Send("c2", to_name="berta", content="2"))
        self.node.turn()
        self.assert_rejected(self.client, "unavailable")
        again = frames.Invite("i1", group=5, user_name="berta", repeat=True)
        self.client.say(again)
        self.client.say(Send("c2", to_name="berta", content="2", repeat=True))
        name = conversation_of(ANNA, BERTA)
        self.assertEqual(self.sent(), [("i1", name), ("c2", name)])
        self.assertEqual(len(self.upstream.fences), 0)

    def test_invited(self) -> None:
        """
        The answer to an invitation by name has the conversation with the user, and that
        to one by number has none.
        """
        self.client.say(frames.Invite("i1", group=5, user_name="berta"))
        self.node.turn()
        self.upstream.accept()
        name = conversation_of(ANNA, BERTA)
        ((frame, names),) = heard(self.client)
        self.assertEqual(frame, frames.Accepted("i1", 5, name))
        self.assertEqual(names, {ANNA: "anna", BERTA: "berta"})
        self.client.say(frames.Invite("i2", BERTA, 5))
        self.upstream.accept()
        ((frame, _),) = heard(self.client)
        self.assertEqual(frame, frames.Accepted("i2", 5))

    def test_listed(self) -> None:
        """
        Lists of blocks and invitations, and the event of a block, wait for the names of
        the users in them.
        """
        self.client.say(frames.Blocks("q1"))
        blocks = BlocksView([("g:5", 6), (f"u:{BERTA}", 7)], False)
        self.upstream.asked.pop().callback(blocks)
        self.assertEqual(heard(self.client), [])
        self.node.turn()
        ((blocked, names),) = heard(self.client)
        assert isinstance(blocked, frames.Blocked)
        users = [entry.user for entry in blocked.blocks]
        self.assertEqual((users, names), ([0, BERTA], {BERTA: "berta"}))
        self.client.say(frames.Invitations("q2"))
        view = InvitationView("g:5", CARL, "Crew", 6, 7)
        self.upstream.asked.pop().callback(InvitationsView([view], ""))
        self.node.turn()
        ((invited, names),) = heard(self.client)
        self.assertIsInstance(invited, frames.Invited)
        self.assertEqual(names, {CARL: "carl"})

    def test_block_event(self) -> None:
        """
        The event of a block, on another device, has the name of the blocked user.
        """
        own = conversation_of(ANNA, ANNA)
        content = encode_block(BERTA, 0, True)
        message = Message(own, ANNA, "b1", 1, content, BLOCK, 7, 1)
        self.node.edge.push(message, [ANNA])
        self.assertEqual(heard(self.client), [])
        self.node.turn()
        ((frame, names),) = heard(self.client)
        self.assertIsInstance(frame, frames.Deliver)
        self.assertEqual(names, {ANNA: "anna", BERTA: "berta"})

    def test_names(self) -> None:
        """
        A client asks for numbers of names and names of numbers.
        """
        self.client.say(frames.Names("n1", ("berta", "nobody", "7"), (CARL, 9)))
        self.node.turn()
        ((answer, names),) = heard(self.client)
        assert isinstance(answer, frames.Named)
        self.assertEqual(set(answer.users), {BERTA, CARL, 7})
        self.assertEqual(answer.unknown, ("nobody",))
        self.assertEqual(names, {BERTA: "berta", CARL: "carl"})

    def test_page(self) -> None:
        """
        A page waits for the names of all users whom it mentions, those of a group's
        change too.
        """
        self.client.say(frames.Sync("s1", "g:5"))
        change = f'{{"created":true,"name":"Crew","add":[{CARL}]}}'
        first = Message("g:5", BERTA, "c", 1, change, 1001, 7, 1)
        self.upstream.asked.pop().callback(PageView([first], 1, False, "e"))
        self.assertEqual(heard(self.client), [])
        self.node.turn()
        ((page, names),) = heard(self.client)
        self.assertIsInstance(page, frames.Page)
        self.assertEqual(names, {BERTA: "berta", CARL: "carl"})

    def test_drain(self) -> None:
        """
        A node that stops finishes a send whose name is being looked up.
        """
        self.node.store.at_once = False
        self.client.say(Send("c1", to_name="berta", content="1"))
        self.client.session.goaway("stopping", 100, ())
        self.node.turn()
        self.node.store.answer()
        self.upstream.accept()
        answers = [type(f) for f, _ in heard(self.client)]
        self.assertEqual(answers, [frames.Goaway, frames.Accepted])
        self.assertIs(self.client.peer.code, Close.DRAIN)
