"""
The log of a daemon.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from google.protobuf.message import DecodeError
from twisted.logger import (
    LogEvent,
    Logger,
    LogLevel,
    LogPublisher,
    capturedLogs,
    formatEventAsClassicLogText,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.doubles import exposed
from wsmsg.monitoring.logs import Logs, as_json, as_text, twistd_logs
from wsmsg.monitoring.metrics import Metrics
from wsmsg.monitoring.stdlib_logs import ToTwisted
from wsmsg.rpc.rest_pb2 import OnlineStatusRequest
from wsmsg.settings.values import LogSettings


class LogsTests(TestCase):
    """
    L{Logs}.
    """

    def setUp(self) -> None:
        self.out = io.StringIO()
        self.logs = Logs(self.out, LogSettings(format="json"))
        self.log = Logger(namespace="wsmsg.trial", observer=self.logs)

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def test_json(self) -> None:
        """
        A line of JSON has the time, the level, the source, the text and the fields.
        """
        self.log.warn("{peer}: lost after {seconds:.1f} s", peer="a:1", seconds=1.25)
        (line,) = self.lines()
        self.assertRegex(str(line.pop("time")), r"^20\d\d-.*\.\d\d\d\+00:00$")
        self.assertEqual(
            line,
            {
                "level": "warn",
                "source": "wsmsg.trial",
                "text": "a:1: lost after 1.2 s",
                "peer": "a:1",
                "seconds": 1.25,
            },
        )

    def test_failure(self) -> None:
        """
        The line of a failure has its traceback, in the same object.
        """
        try:
            raise ZeroDivisionError("over nothing")
        except ZeroDivisionError:
            self.log.failure("it broke")
        (line,) = self.lines()
        self.assertEqual((line["level"], line["text"]), ("critical", "it broke"))
        self.assertIn("ZeroDivisionError: over nothing", str(line["traceback"]))

    def test_one_line_each(self) -> None:
        """
        A newline in a field cannot forge a line, neither in JSON nor in text.
        """
        self.log.info("{reason}", reason='x\n{"level": "info"}')
        self.assertEqual(len(self.lines()), 1)
        self.logs.apply_settings(LogSettings(format="text"))
        self.log.info("{reason}", reason="x\n2026-01-01T00:00:00+0000 [forged#info] y")
        (_, line) = self.out.getvalue().splitlines()
        self.assertIn("x\u240a2026-01-01T00:00:00+0000 [forged#info] y", line)

    def test_fields_of_line(self) -> None:
        """
        A field with the name of one of the line's own fields gets a prefix.
        """
        self.log.info("x", text="high", source="sea")
        (line,) = self.lines()
        self.assertEqual((line["text"], line["source"]), ("x", "wsmsg.trial"))
        self.assertEqual((line["field_text"], line["field_source"]), ("high", "sea"))

    def test_odd_values(self) -> None:
        """
        A field can have any value.
        """
        self.log.info("x", a={1: b"\xff"}, b={2}, c=object, d=None)
        (line,) = self.lines()
        self.assertEqual((line["b"], line["d"]), ([2], None))
        self.assertEqual(line["a"], {"1": "b'\\xff'"})

    def test_level(self) -> None:
        """
        Events below the level are not written, and the level can change at any time.
        """
        self.log.debug("before")
        self.logs.apply_settings(LogSettings(level="debug", format="json"))
        self.log.debug("after")
        self.logs.apply_settings(LogSettings(level="error", format="json"))
        self.log.warn("too low")
        self.log.error("high enough")
        self.assertEqual([x["text"] for x in self.lines()], ["after", "high enough"])

    def test_no_secrets(self) -> None:
        """
        Tokens and the contents of messages are not written, even if they are logged.
        """
        for form in (as_json, as_text):
            event: LogEvent = {
                "log_format": "{token} {content}",
                "log_time": 0.0,
                "token": "abc.def",
                "content": "dear Anna",
            }
            line = form(event)
            self.assertNotIn("abc", line)
            self.assertNotIn("Anna", line)
            self.assertIn("(not logged)", line)

    def test_bad_format(self) -> None:
        """
        An event that cannot be formatted is written all the same.
        """
        self.log.info("{missing.field}")
        self.assertEqual(len(self.lines()), 1)

    def test_text(self) -> None:
        """
        Text has the format of Twisted's classic log.
        """
        self.logs.apply_settings(LogSettings())
        self.log.info("ready")
        self.assertRegex(
            self.out.getvalue(), r"^\d{4}-\d\d-\d\dT\S+ \[wsmsg\.trial#info\] ready\n$"
        )


class QuickTests(TestCase):
    """
    Lines that are formatted without Twisted.
    """

    def test_as_twisted(self) -> None:
        """
        They are those of Twisted's classic format, with fields, attributes, calls,
        levels and times of all kinds.
        """
        plain = {"log_format": "a {b} {c!r:>5} {d.real}", "b": 1, "c": "x", "d": 2}
        for event in (
            plain,
            {**plain, "log_time": 1769860800.25, "log_namespace": "wsmsg.x"},
            {**plain, "log_time": 1769860800.99, "log_level": LogLevel.warn},
            {**plain, "log_time": 1769860801, "log_system": "-"},
            {"log_format": "{b()} {c.upper()}", "b": dict, "c": "x", "log_time": 1.5},
            {"log_format": "{{}} {b}", "b": "{c}", "log_time": 0.0},
            {"log_format": "", "log_time": 1.0},
            {"log_time": 1.0},
        ):
            wanted = formatEventAsClassicLogText(event) or ""
            self.assertEqual(as_text(event), wanted)


class TwistdTests(TestCase):
    """
    L{twistd_logs}: the log goes where twistd's options say.
    """

    def test_logfile(self) -> None:
        """
        The log goes to C{--logfile}; rotating it starts a new file.
        """
        path = self.mktemp()
        logs = twistd_logs({"logfile": path, "nodaemon": True}, LogSettings())
        log = Logger(observer=LogPublisher(logs))
        log.info("first")
        logs.rotate()
        log.info("second")
        self.assertIn("second", Path(path).read_text())
        self.assertNotIn("first", Path(path).read_text())
        self.assertIn("first", Path(f"{path}.1").read_text())

    def test_bad_logfile(self) -> None:
        """
        A file that cannot be written is one line on stderr, and status 1.
        """
        stderr = io.StringIO()
        self.patch(sys, "stderr", stderr)
        name = f"{self.mktemp()}/none/x.log"
        options = {"logfile": name, "nodaemon": True}
        refused = self.assertRaises(SystemExit, twistd_logs, options, LogSettings())
        self.assertEqual(refused.code, 1)
        self.assertEqual(
            stderr.getvalue(),
            f"wsmsg: cannot write the log {name}: No such file or directory\n",
        )

    def test_daemon_default(self) -> None:
        """
        A daemon without C{--logfile} logs to C{twistd.log}.
        """
        self.patch_folder()
        twistd_logs({"logfile": None, "nodaemon": False}, LogSettings())
        self.assertTrue(Path("twistd.log").exists())

    def test_daemon_to_stdout(self) -> None:
        """
        A daemon in the background, which has no stdout, cannot log to stdout.
        """
        self.patch(sys, "stderr", io.StringIO())
        refused = self.assertRaises(
            SystemExit, twistd_logs, {"logfile": "-"}, LogSettings()
        )
        self.assertEqual(refused.code, 2)

    def patch_folder(self) -> None:
        folder, before = self.mktemp(), os.getcwd()
        os.mkdir(folder)
        os.chdir(folder)
        self.addCleanup(os.chdir, before)


class StalledTests(TestCase):
    """
    A standard output that nobody reads.
    """

    def setUp(self) -> None:
        self.reading, self.writing = os.pipe()
        self.addCleanup(lambda: os.close(self.reading))
        self.stream = os.fdopen(self.writing, "w")
        self.patch(sys, "stdout", self.stream)
        self.logs = twistd_logs({"nodaemon": True}, LogSettings(format="json"))
        self.logs.start()
        self.log = Logger(namespace="wsmsg.trial", observer=self.logs)

    def read(self, until: Callable[[list[str]], object]) -> list[str]:
        """
        Read lines of the log until there are enough of them.
        """
        data, end_s = b"", time.monotonic() + 10
        while True:
            lines = data.decode().splitlines()
            if data.endswith(b"\n") and until(lines):
                return lines
            self.assertLess(time.monotonic(), end_s)
            data += os.read(self.reading, 65536)

    def test_stalled(self) -> None:
        """
        Logging goes on at once while nobody reads; what does not fit is dropped, and
        the log says how many lines are missing, at their place.
        """
        begun_s = time.monotonic()
        for number in range(30_000):
            self.log.info("{text}", number=number, text="x" * 100)
        self.assertLess(time.monotonic() - begun_s, 20)
        lines = self.read(lambda lines: "were dropped" in lines[-1])
        told = json.loads(lines[-1])
        numbers = [json.loads(line)["number"] for line in lines[:-1]]
        self.assertEqual(numbers, list(range(len(numbers))))
        self.assertEqual(told["dropped"], 30_000 - len(numbers))
        self.assertEqual(
            (told["level"], told["source"]), ("warn", "wsmsg.monitoring.logs")
        )
        metrics = Metrics()
        self.logs.register_metrics(metrics)
        page = exposed(metrics).decode()
        self.assertIn(f"wsmsg_log_dropped_total {told['dropped']:.1f}", page)
        self.log.info("after", number=1)
        (line,) = self.read(len)
        self.assertEqual(json.loads(line)["text"], "after")
        self.stream.close()

    def test_flush(self) -> None:
        """
        The end of the process waits for the last lines, but not long for a reader.
        """
        self.log.info("last")
        self.logs.flush()
        self.assertIn("last", os.read(self.reading, 65536).decode())
        for _ in range(1000):
            self.log.info("x" * 100)
        begun_s = time.monotonic()
        self.logs.flush()
        self.assertLess(time.monotonic() - begun_s, 5)
        self.read(lambda lines: len(lines) == 1000)
        self.stream.close()

    def test_gone(self) -> None:
        """
        A reader that has gone costs its lines, and nothing else.
        """
        os.close(self.reading)
        self.reading = os.open(os.devnull, os.O_RDONLY)
        self.log.info("lost")
        self.logs.flush()
        metrics = Metrics()
        self.logs.register_metrics(metrics)
        self.assertIn(b"wsmsg_log_dropped_total 1.0", exposed(metrics))
        self.stream.close()

    def test_file(self) -> None:
        """
        Standard output that is a file is written at once: it has no reader to wait for.
        """
        path = self.mktemp()
        with open(path, "w") as file:
            self.patch(sys, "stdout", file)
            logs = twistd_logs({"nodaemon": True}, LogSettings())
            logs.start()
            Logger(observer=logs).info("here")
            self.assertIn("here", Path(path).read_text())
        self.stream.close()


class StdlibTests(TestCase):
    """
    L{ToTwisted}.
    """

    def test_forwarded(self) -> None:
        """
        A record of a library is in Twisted's log, with its level, its name and its
        failure.
        """
        logger = logging.Logger("grpc.trial")
        logger.addHandler(ToTwisted())
        with capturedLogs() as events:
            try:
                raise ValueError("x{y}")
            except ValueError:
                logger.error("refused %s", "{a}", exc_info=True)
        (event,) = events
        self.assertEqual(event["log_level"].name, "error")
        self.assertEqual(event["log_namespace"], "grpc.trial")
        self.assertIn("refused {a}", as_text(event))
        self.assertIsInstance(event["log_failure"], Failure)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_error_of_peer(self) -> None:
        """
        Bytes of a peer that are not protobuf are a warning of one line, not a failure.
        """
        logger = logging.Logger("grpc.trial")
        logger.addHandler(ToTwisted())
        with capturedLogs() as events:
            try:
                OnlineStatusRequest.FromString(b"\xff")
            except DecodeError:
                logger.exception("raised by a method")
        (event,) = events
        self.assertEqual(event["log_level"].name, "warn")
        self.assertNotIn("Traceback", as_text(event))
        self.assertIn("OnlineStatusRequest", as_text(event))
