"""
The lives of messages over HTTP.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from tests.message.http.cases import ApiCase
from wsmsg.flow.life_ring import LifeFact, Stage
from wsmsg.message.http.life import _view
from wsmsg.message.life.interface import MessageLife, NodeMemory
from wsmsg.message.life.stages import Evidence, Remembered, notes_of, stages_of


class LifeTests(ApiCase):
    """
    C{GET messages/.../life} and C{GET life}.
    """

    def stored(self) -> Any:
        """
        Store a message from 1 to 2, and return its id.
        """
        return self.send("hello secret")[1]["message_id"]

    def test_ways(self) -> None:
        """
        A message is found by its id, by its place, and by its sender and client id; its
        content is in no answer.
        """
        message_id = self.stored()
        status, life = self.ask("GET", f"messages/{message_id}/life")
        self.assertEqual(status, 200)
        self.assertEqual(life["message"]["from"], 1)
        self.assertEqual([s["stage"] for s in life["stages"]], ["accepted", "stored"])
        for query in (
            f"message_id={message_id}",
            "conversation=u:1:2&seq=1",
            "from=1&client_id=hello secret",
            "from=1&client_id=hello secret&conversation=u:1:2",
        ):
            self.assertEqual(
                self.ask("GET", "life", None, **dict(parse_qsl(query))),
                (200, life),
                query,
            )
        del life["message"]["client_id"]
        self.assertNotIn("secret", json.dumps(life))

    def test_bad(self) -> None:
        """
        An odd question is refused with the reason.
        """
        for query, reason in (
            ("", "a message is named by"),
            ("message_id=x", "message_id must be an integer"),
            ("message_id=0", "message_id must be an integer"),
            ("seq=1", "a message is named by"),
            ("conversation=u:1:2", "a message is named by"),
            ("conversation=nonsense&seq=1", "is not a conversation"),
            ("conversation=u:1:2&seq=-1", "seq must be an integer"),
            ("from=1", "a message is named by"),
            ("from=x&client_id=c", "from must be an integer"),
            ("message_id=1&seq=1", "a message is named by"),
        ):
            status, problem = self.ask("GET", "life", None, **dict(parse_qsl(query)))
            self.assertEqual(status, 400, query)
            self.assertIn(reason, problem["detail"])

    def test_never_was(self) -> None:
        """
        A message that never was is not found, with the nodes that were asked.
        """
        status, problem = self.ask("GET", "messages/7/life")
        self.assertEqual((status, problem["code"]), (404, "not_found"))
        self.assertIn("there is no message 7", problem["detail"])
        self.assertIn("one (", problem["detail"])

    def test_odd_facts(self) -> None:
        """
        A stage that only a newer node knows is left out, and a time that cannot be is
        not shown.
        """
        facts = [
            LifeFact(99, 1, 1, 1, 1, "x"),
            LifeFact(Stage.RECEIVED, 2**62, 1, 1, 0, "phone"),
            LifeFact(Stage.ANSWERED, -5, 1, 1, 0, "forbidden"),
        ]
        memory = NodeMemory("n", "connect", 2**62)
        evidence = Evidence(None, [Remembered(memory, facts)])
        stages = stages_of(evidence)
        notes = list(notes_of(evidence, stages))
        view = _view(MessageLife(None, stages, notes, [memory], {}, 2**62, 0))
        self.assertEqual([s.stage for s in view.stages], ["received", "answered"])
        self.assertEqual({s.time for s in view.stages}, {None})
        self.assertIsNone(view.forgotten_before)
