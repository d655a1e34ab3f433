"""
Names: ids of an application, for its users and groups, beside the numbers of wsmsg.

A name is taken byte for byte: names that differ in case are names of different users.
Refused is what people could not tell from another name, or from a number:
L{name_problem}.  The number of a user is its own name, so users with numbers and users
with names live side by side; the numbers from L{FIRST} to L{LAST} are given to names,
and no token can claim one of these.

The store maps each name to a number once (L{wsmsg.message.store.roles.INames}).  The
number follows from a hash of the name, so that an older copy of the store gives the
same name the same number again; the unlikely second name with the same hash gets
another number.

A group with a key, the application's own id, has a number that follows from it alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator
from hashlib import sha256

from wsmsg.errors import Internal
from wsmsg.model import INT64_MAX

#: The longest name, in bytes of UTF-8.
NAME_BYTES = 128
#: The numbers that are given to names.  JavaScript represents them exactly.
FIRST, LAST = 2**52, 2**53 - 1
#: The most names and users in one look-up.
MOST_NAMES = 1000

#: The numbers that are tried for a name.
_CANDIDATES = 8

# Control, format (such as bidirectional or zero-width), surrogate, private use, line
# and paragraph separators: https://www.unicode.org/reports/tr44/#General_Category_Values
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_NUMBER = re.compile(r"[+-]?\d+")


def number_in(text: str) -> int:
    """
    Return the number of a user or group that a text is, in decimal digits without
    leading zeros; 0: it is none.
    """
    if text.isascii() and text.isdecimal() and len(text) < 20 and text[0] != "0":
        number = int(text)
        return number if number <= INT64_MAX else 0
    return 0


def is_given(user: int) -> bool:
    """
    Return whether a number is one of those that are given to names.
    """
    return FIRST <= user <= LAST


def name_problem(name: str) -> str:
    """
    Return why a text cannot be a name; empty: it can.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it has a lone surrogate, which UTF-8 cannot encode"
    if not 0 < size <= NAME_BYTES:
        return f"it has {size} bytes, and must have 1 to {NAME_BYTES}"
    if name.isascii() and name.isprintable():
        unfit = ""
    else:
        unfit = next((c for c in name if _is_unfit(c)), "")
    if unfit:
        return f"it has the character U+{ord(unfit):04X}"
    if name[0] == " " or name[-1] == " ":
        return "it begins or ends with a space"
    if not unicodedata.is_normalized("NFC", name):
        return "it is not in Unicode's form NFC"
    if _NUMBER.fullmatch(name):
        return "it looks like a number, and is not one from 1 to 2^63-1"
    if name in (".", ".."):
        return "a URL cannot have it"
    return ""


def _is_unfit(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _REFUSED or (category == "Zs" and character != " ")


def candidates(name: str) -> Iterator[int]:
    """
    Return the numbers that a name may be given, the first choice first.
    """
    for attempt in range(_CANDIDATES):
        digest = sha256(b"user:%d:%s" % (attempt, name.encode())).digest()
        yield FIRST + int.from_bytes(digest[:8], "big") % (LAST - FIRST + 1)


def choose(name: str, taken: Container[int], in_use: Container[int]) -> int:
    """
    Return the number for a new name.

    @param taken: numbers that other names have.
    @param in_use: numbers that users without a name have in conversations; they are
        avoided if others are free.
    @raise Internal: other names have all candidates, which does not happen by chance.
    """
    free = [user for user in candidates(name) if user not in taken]
    if not free:
        raise Internal("other names have all numbers that the name could be given")
    return next((user for user in free if user not in in_use), free[0])


def unknown_of(names: Iterable[str]) -> str:
    """
    Return the reason for an error about names that no user has.
    """
    some = sorted(names)
    more = f" and {len(some) - 1} more" if len(some) > 1 else ""
    return f"no user has the name {some[0]!r}{more}"


def group_of_key(key: str) -> int:
    """
    Return the number of the group with a key.  Different keys have different numbers,
    as far as 63 bits of SHA-256 can tell them apart; a request that would create
    another group of the same number is refused.
    """
    digest = sha256(b"group:%s" % key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 1 or 1


def group_in_text(text: str) -> int:
    """
    Return the number of the group with this number or key.
    """
    return (number_in(text) if text else 0) or group_of_key(text)
