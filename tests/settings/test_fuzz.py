"""
Settings of any content lead to values or to mistakes, and to nothing else.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.settings.files import Folder
from wsmsg.settings.keys import keys_of
from wsmsg.settings.mistakes import SettingsMistakes
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings

TYPES: tuple[type[Common], ...] = (ConnectSettings, MessageSettings)
KEYS = sorted({key for settings_type in TYPES for key in keys_of(settings_type)})

plain = st.text(
    st.characters(min_codepoint=32, max_codepoint=1000, exclude_characters="'\x7f"),
    max_size=20,
).map("'{}'".format)
values = st.recursive(
    st.one_of(
        plain,
        st.integers(-(2**70), 2**70).map(str),
        st.sampled_from(["inf", "nan", "1e400", "true", "1979-05-27", "0x7f", "07"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda x: f"[{', '.join(x)}]"),
        inner.map("{{a = {}}}".format),
    ),
    max_leaves=5,
)
lines = st.builds("{} = {}".format, st.sampled_from(KEYS), values)
tables = st.builds(
    "[{}]\n{}\n".format,
    st.sampled_from(["connect", "message", "common", "odd"]),
    st.lists(lines, max_size=4, unique_by=lambda x: x.split()[0]).map("\n".join),
)


class FuzzTests(Folder):
    """
    No settings file leads to a traceback.
    """

    def load(self, data: bytes, environ: dict[str, str] | None = None) -> str:
        """
        The mistakes in these settings as one text, empty if there are none.
        """
        path = self.folder / "any.toml"
        path.write_bytes(data)
        told = ""
        for settings_type in TYPES:
            try:
                load_settings(settings_type, Sources(file=path, environ=environ or {}))
            except SettingsMistakes as e:
                told += str(e)
        return told

    @settings(max_examples=100, deadline=None)
    @given(st.lists(tables, max_size=3).map("".join))
    def test_values(self, text: str) -> None:
        """
        Any value for any key is accepted, or refused with the file's name.
        """
        told = self.load(text.encode())
        if told:
            self.assertIn("any.toml", told)

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=80))
    def test_noise(self, data: bytes) -> None:
        """
        Any bytes are valid TOML, or a mistake.
        """
        self.load(data)

    @settings(max_examples=100, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(KEYS),
            st.text(st.characters(exclude_characters="\0"), max_size=20),
            max_size=4,
        )
    )
    def test_environment(self, given_: dict[str, str]) -> None:
        """
        Any text in the environment is accepted, or refused with the variable's name.
        """
        environ = {
            f"WSMSG_CONNECT__{key.replace('.', '__').upper()}": value
            for key, value in given_.items()
        }
        told = self.load(b"", environ)
        if told:
            self.assertIn("WSMSG_CONNECT__", told)

    def test_deep(self) -> None:
        """
        Very deep nesting is a mistake of one line.
        """
        for data in (
            b"a = " + b"[" * 50_000,
            b"connect = " + b"{a = " * 3_000,
            b"[connect]\n" + b"a." * 500 + b"b = 1",
        ):
            told = self.load(data)
            self.assertIn("any.toml", told)

    def test_long_number(self) -> None:
        """
        A number of thousands of digits is a mistake.
        """
        self.assertIn("not TOML", self.load(b"[connect]\nstop_s = " + b"9" * 5_000))
