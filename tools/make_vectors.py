"""
Fills in the vectors: what a client must do, step by step, in C{protos/vectors}::

    python tools/make_vectors.py            write the effects into the files
    python tools/make_vectors.py --check    say what differs; exit status 1 if anything

Clients in several languages are held to these files.  The inputs in them are written by
hand; the effects are those of C{wsmsg.client}, and are read against
C{docs/reference/protocol.md} when they change.  C{protos/vectors/README.md} describes
the format.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import attrs
import msgspec

from wsmsg.client.state.checks import checked
from wsmsg.client.state.events import GroupChanged, MessageReceived, SendAccepted
from wsmsg.client.state.exchange import Exchange
from wsmsg.client.state.heartbeat import HeartbeatTimer
from wsmsg.client.state.inflow import Position
from wsmsg.client.state.positions import Saved
from wsmsg.client.state.queries import Answer
from wsmsg.client.state.reconnect import Ended, Never, Reconnect
from wsmsg.errors import BadFrame, WsmsgError
from wsmsg.protocol.frames import ClientFrame, Frame, Watch
from wsmsg.protocol.json import CODEC

VECTORS = Path(__file__).resolve().parent.parent / "protos" / "vectors"

#: A line of a file: the first of a scenario has its name, the others are its steps.
Line = dict[str, Any]

_EXACT = 2**53
_client: Callable[[Any], ClientFrame] = msgspec.json.Decoder(
    cast(Any, ClientFrame), strict=False
).decode


def without_zeros(value: Any) -> Any:
    """
    Return a value without fields that are zero, empty or false, and with integers that
    a browser would round as texts of digits.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) > _EXACT else value
    if isinstance(value, Mapping):
        small = {name: without_zeros(one) for name, one in value.items()}
        return {name: one for name, one in small.items() if one not in (0, "", [], {})}
    if isinstance(value, list | tuple):
        return [without_zeros(one) for one in value]
    return value


def _told(error: WsmsgError) -> Any:
    return without_zeros({"code": error.code, "retry_after_ms": error.retry_after_ms})


def _frame(frame: Frame) -> Line:
    told = msgspec.to_builtins(frame)
    return {"type": told["type"], **_untyped(without_zeros(told))}


def _untyped(value: Any) -> Any:
    """
    Return a value without the types of the frames in it, which the place of each says.
    """
    if isinstance(value, dict):
        return {name: _untyped(one) for name, one in value.items() if name != "type"}
    return list(map(_untyped, value)) if isinstance(value, list) else value


def _event(event: Any) -> Any:
    line: Line = {"event": type(event).__name__}
    for name in attrs.fields_dict(type(event)):
        value = getattr(event, name)
        if isinstance(value, WsmsgError):
            value = _told(value)
        elif isinstance(value, SendAccepted):
            value = attrs.asdict(value)
        line[name] = value
    if isinstance(event, MessageReceived):
        line["recalled"] = event.recalled
    if isinstance(event, GroupChanged):
        line["group"] = event.group
    return without_zeros({n: v for n, v in line.items() if v is not None})


def _client_frame(line: Line) -> Any:
    return _client(json.dumps(line).encode())


class ExchangePlayer:
    """
    Plays steps to an L{Exchange}.

    @ivar effects: of the step that is played, besides what it returns.
    """

    def __init__(self, scenario: Line) -> None:
        self._options = {"device": "d", **scenario.get("options", {})}
        self._effects: Line = {}
        self._exchange = self._begin(Saved())

    def _begin(self, saved: Saved) -> Exchange:
        return Exchange(
            saved=saved,
            on_settled=self._settled,
            on_answer=self._answered,
            **self._options,
        )

    def _settled(self, client_id: str, outcome: SendAccepted | WsmsgError) -> None:
        if isinstance(outcome, WsmsgError):
            told: Line = {"client_id": client_id, "error": _told(outcome)}
        else:
            told = {"client_id": client_id, "accepted": attrs.asdict(outcome)}
        self._effects.setdefault("settled", []).append(without_zeros(told))

    def _answered(self, request_id: str, answer: Answer) -> None:
        if isinstance(answer, WsmsgError):
            told: Line = {"error": _told(answer)}
        else:
            told = _frame(answer)
        self._effects.setdefault("answers", []).append({"id": request_id, **told})

    def play(self, step: Line) -> Line:
        """
        Return the effects of a step.
        """
        self._effects = {}
        exchange, now = self._exchange, step["at"]
        try:
            self._input(step, now)
            exchange = self._exchange
        except WsmsgError as error:
            self._effects["raised"] = _told(error)
        if "saved" in step:
            self._effects["saved"] = self._saved_now()
        events = []
        for _ in range(step.get("take", 100_000)):
            event = exchange.events.take()
            if event is None:
                break
            events.append(_event(event))
            exchange.took(event)
        out = [_frame(frame) for frame in exchange.due(now)]
        told: Line = {**self._effects, "events": events, "frames": out}
        told = {name: one for name, one in told.items() if one not in ([], {})}
        next_due = exchange.next_due(now)
        if next_due is not None:
            told["next"] = round(next_due, 6)
        if exchange.caught_up:
            told["caught_up"] = True
        return told

    def _input(self, step: Line, now: float) -> None:
        exchange = self._exchange
        match step:
            case {"receive": frame}:
                data = json.dumps(frame).encode()
                exchange.receive(CODEC.decode_server(data), now)
            case {"send": frame}:
                exchange.send(checked(_client_frame(frame)))
            case {"withdraw": client_id}:
                exchange.outbound.withdraw(client_id)
            case {"ask": frame}:
                exchange.ask(_client_frame(frame), now)
            case {"forget": request_id}:
                exchange.forget(request_id)
            case {"mark_read": [conversation, seq, message_id]}:
                exchange.mark_read(conversation, seq, int(message_id))
            case {"typing": conversation}:
                exchange.typing(conversation)
            case {"watch": users}:
                exchange.watch(Watch(tuple(map(int, users))))
            case {"lost": _}:
                exchange.lost()
            case {"hello": _}:
                hello = _frame(exchange.hello())
                del hello["client"]
                self._effects["hello"] = hello
            case {"last_words": _}:
                said = [_frame(frame) for frame in exchange.last_words()]
                self._effects["last_words"] = said
            case {"restart": _}:
                self._exchange = self._begin(self._saved())
            case _:
                pass  # The time passes.

    def _saved(self) -> Saved:
        exchange = self._exchange
        return Saved(
            exchange.user,
            exchange.position,
            exchange.history.epoch,
            exchange.inbound.positions(),
            tuple(exchange.outbound),
            witness=exchange.history.witness,
        )

    def _saved_now(self) -> Line:
        saved = self._saved()
        fields = attrs.asdict(saved, recurse=False)
        fields["positions"] = {n: _position(p) for n, p in saved.positions.items()}
        fields["unsent"] = [_frame(frame) for frame in saved.unsent]
        return dict(without_zeros(fields))


def _position(position: Position) -> Line:
    return dict(without_zeros(attrs.asdict(position)))


class ReconnectPlayer:
    """
    Plays the ends of connections to a L{Reconnect}, whose random part is a half.
    """

    def __init__(self, scenario: Line) -> None:
        self._reconnect = Reconnect(
            scenario["url"], uniform=lambda low, high: low + (high - low) / 2
        )

    def play(self, step: Line) -> Line:
        match step:
            case {"told_to_move": [at, alternatives]}:
                self._reconnect.told_to_move(at, tuple(alternatives))
                return {"move_at": self._reconnect.move_at}
            case {"welcomed": _}:
                self._reconnect.welcomed()
                return {}
            case {"ended": how}:
                after = self._reconnect.ended(Ended(reason="r", **how), step["at"])
                if isinstance(after, Never):
                    return {"never": after.error.code}
                return {"url": after.url, "delay_s": after.delay_s}
        raise ValueError(f"no such step: {step}")


class HeartbeatPlayer:
    """
    Plays times to a L{HeartbeatTimer}.
    """

    def __init__(self, scenario: Line) -> None:
        self._timer = HeartbeatTimer(scenario["interval_s"], 0.0)

    def play(self, step: Line) -> Line:
        now = step["at"]
        if "received" in step:
            self._timer.received(now)
        dead, ask = self._timer.dead(now), self._timer.ask(now)
        return {"dead": dead, "ping": ask, "next": self._timer.next_due}


class FramePlayer:
    """
    Decodes texts as frames of the server.
    """

    def __init__(self, scenario: Line) -> None:
        pass

    def play(self, step: Line) -> Line:
        try:
            frame = CODEC.decode_server(step["text"].encode())
        except BadFrame:
            return {"frame": None}
        return {"frame": _frame(frame)}


class RequestPlayer:
    """
    Checks what a program asks for.
    """

    def __init__(self, scenario: Line) -> None:
        pass

    def play(self, step: Line) -> Line:
        try:
            checked(_client_frame(step["check"]))
        except WsmsgError as error:
            return {"code": error.code}
        except msgspec.ValidationError:
            return {"code": "bad_request"}
        return {}


_PLAYERS: dict[str, Callable[[Line], Any]] = {
    "reconnect": ReconnectPlayer,
    "heartbeat": HeartbeatPlayer,
    "frames": FramePlayer,
    "requests": RequestPlayer,
}


def filled_in(name: str, lines: Iterable[Line]) -> Iterator[Line]:
    """
    Return the lines of a file with the effects of its steps.

    @param name: of the file, without its suffix; it selects the part of the client.
    """
    make = _PLAYERS.get(name, ExchangePlayer)
    player: Any = None
    for line in lines:
        if "scenario" in line:
            player = make(line)
            yield line
        else:
            step = {key: value for key, value in line.items() if key != "then"}
            yield {**step, "then": player.play(step)}


def read(path: Path) -> list[Line]:
    """
    Return the lines of a file.
    """
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def written(lines: Iterable[Line]) -> str:
    """
    Return the text of a file.
    """
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def main(arguments: list[str]) -> int:
    # What the client logs about errors of the server is no news here.
    logging.disable()
    stale = []
    for path in sorted(VECTORS.glob("*.jsonl")):
        text = written(filled_in(path.stem, read(path)))
        if text != path.read_text("utf-8"):
            stale.append(path.name)
            if "--check" not in arguments:
                path.write_text(text, "utf-8")
    for name in stale:
        print(f"{name}: {'differs' if '--check' in arguments else 'written'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
