"""
Tests that the bytes of the contract have the meaning in the tables, for the messages
made from the tables and for our generated code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance.contract import (
    MESSAGES,
    METHODS,
    POOL,
    fields_of,
    message_class,
    method,
    rows,
    strange,
)
from tests.conformance.recording import RECORDED
from tests.conformance.sequences import ACCEPTED, REFUSED
from wsmsg.rpc import rest_pb2


def _ours(name: str) -> Any:
    return getattr(rest_pb2, name)


def make_reading_tests(make: Callable[[str], Any]) -> type[SynchronousTestCase]:
    """
    Make tests of decoding and encoding for one implementation of the messages.

    @param make: returns the class of a message of the contract.
    """

    class ReadingTests(SynchronousTestCase):
        def test_recorded(self) -> None:
            """
            Recorded bytes are decoded to their meaning, and encoded to the same bytes.
            """
            for recorded in RECORDED:
                message = make(recorded.kind).FromString(recorded.data)
                self.assertEqual(fields_of(message), recorded.fields, recorded.meaning)
                again = message.SerializeToString(deterministic=True)
                self.assertEqual(again, recorded.data, recorded.meaning)

        def test_accepted(self) -> None:
            """
            Bytes made from the tables are decoded to the fields from which they were
            made.
            """
            self.assertGreater(len(ACCEPTED), 200)
            for sequence in ACCEPTED:
                message = make(sequence.kind).FromString(sequence.data)
                fields = fields_of(message)
                known = self.known(sequence.kind, fields)
                self.assertEqual(known, sequence.fields, sequence.title)

        def test_encoded(self) -> None:
            """
            The same fields are encoded to the same bytes, where the encoding is unique.
            """
            count = 0
            for sequence in ACCEPTED:
                if sequence.canonical and not sequence.unknown:
                    message = make(sequence.kind)(**sequence.fields)
                    again = message.SerializeToString(deterministic=True)
                    self.assertEqual(again, sequence.data, sequence.title)
                    count += 1
            self.assertGreater(count, 150)

        def test_refused(self) -> None:
            """
            Bytes that are not a message are refused with an error.
            """
            self.assertGreater(len(REFUSED), 10)
            taken = []
            for sequence in REFUSED:
                try:
                    make(sequence.kind).FromString(sequence.data)
                except DecodeError:
                    continue
                taken.append(sequence.title)
            self.assertEqual(taken, [])

        def known(self, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
            """
            Return the fields that the contract has.
            """
            return fields

    return ReadingTests


class ContractBytesTests(make_reading_tests(message_class)):  # type: ignore[misc]
    """
    The messages made from the tables.
    """

    def test_unknown(self) -> None:
        """
        Fields that the contract does not have are reported, and kept.
        """
        for sequence in ACCEPTED:
            message = message_class(sequence.kind).FromString(sequence.data)
            self.assertEqual(strange(message), sequence.unknown, sequence.title)

    def test_strange_in_a_list(self) -> None:
        """
        An unknown field is found in the messages of a list as well.
        """
        data = bytes.fromhex("0a03 10e907  0a05 10e907 4801")
        answer = message_class("GetHistoryResponse").FromString(data)
        self.assertEqual(strange(answer), [9])

    def test_every_field(self) -> None:
        """
        Each field of each message of the contract is set in some sequence.
        """
        seen: set[tuple[str, str]] = set()
        for sequence in ACCEPTED:
            message = message_class(sequence.kind).FromString(sequence.data)
            seen |= _fields_in(message)
        for recorded in RECORDED:
            seen |= _fields_in(message_class(recorded.kind).FromString(recorded.data))
        wanted = {(name, row.name) for name in MESSAGES for row in rows(name)[1]}
        self.assertEqual(wanted - seen, set())


class OurBytesTests(make_reading_tests(_ours)):  # type: ignore[misc]
    """
    Our generated code, from C{protos/}.
    """

    def known(self, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        """
        Return the fields without those that only wsmsg has; only C{subscribe} has a
        sequence with some.
        """
        subscribe = fields.get("subscribe")
        if subscribe:
            names = {row.name for row in rows("SubscribeRequest")[1]}
            return {"subscribe": {k: v for k, v in subscribe.items() if k in names}}
        return fields


class OurDescriptorTests(SynchronousTestCase):
    """
    Our definition contains the contract, unchanged.
    """

    def test_fields(self) -> None:
        """
        Each legacy field has its number, name, type and oneof in ours.
        """
        for name in MESSAGES:
            theirs = POOL.FindMessageTypeByName(f"rest.{name}")
            ours = rest_pb2.DESCRIPTOR.message_types_by_name[name]
            for field in theirs.fields:
                same = ours.fields_by_number[field.number]
                self.assertEqual(_described(same), _described(field), name)

    def test_additions(self) -> None:
        """
        A field that we added has a number that no legacy peer uses: 10 or more, or 2 or
        more in C{SubscribeRequest}.
        """
        for name in MESSAGES:
            legacy = {row.number for row in rows(name)[1]}
            ours = rest_pb2.DESCRIPTOR.message_types_by_name[name].fields
            added = {field.number for field in ours} - legacy
            least = 2 if name == "SubscribeRequest" else 10
            self.assertEqual({n for n in added if n < least}, set(), name)

    def test_methods(self) -> None:
        """
        Each method has the legacy path, messages and directions.
        """
        for (service, name), (request, response) in METHODS.items():
            ours = rest_pb2.DESCRIPTOR.services_by_name[service].methods_by_name[name]
            path = f"/{ours.containing_service.full_name}/{ours.name}"
            self.assertEqual(path, method(service, name))
            said = "stream " * ours.client_streaming + ours.input_type.name
            heard = "stream " * ours.server_streaming + ours.output_type.name
            self.assertEqual((said, heard), (request, response))


def _described(field: Any) -> tuple[Any, ...]:
    inner = field.message_type.full_name if field.message_type else ""
    one_of = field.containing_oneof.name if field.containing_oneof else ""
    return field.number, field.name, field.type, field.is_repeated, inner, one_of


def _fields_in(message: Any) -> set[tuple[str, str]]:
    found = set()
    for field, value in message.ListFields():
        found.add((message.DESCRIPTOR.name, field.name))
        if field.message_type and not field.message_type.GetOptions().map_entry:
            for inner in value if field.is_repeated else [value]:
                found |= _fields_in(inner)
    return found
