from __future__ import annotations

import pytest

from owcl.errors import BadInput
from storage.names import checked_name, key_of

HOSTILE = [
    "'; DROP TABLE classes; --",
    'Robert"); DELETE FROM faces',
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x")',
    "../../etc/passwd",
    "%s %d {0} :name ?",
    "👩‍🔬 лицо 顔",
    "NULL",
    "\\x00",
    "17",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_printable_text_is_a_name(name: str) -> None:
    assert checked_name(f"  {name}\u00a0") == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "it is empty"),
        (" \u3000 ", "it is empty"),
        ("\u200d", "it is empty"),
        ("a\nb", r"control character '\\n'"),
        ("\x1b[31mred", "control character"),
        ("a\x00b", "control character"),
        ("gpj.\u202eexe", "control character"),
        ("\udc80", "control character"),
        ("x" * 201, "it has 201 characters. At most 200"),
        ("NEW-12", "reserved"),
    ],
)
def test_what_cannot_be_printed_or_told_apart_is_refused(name: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        checked_name(name)


def test_a_class_may_take_its_own_default_name_back() -> None:
    assert checked_name("new-12", 12) == "new-12"


@pytest.mark.parametrize(("one", "other"), [("Straße", "STRASSE"), ("é", "e\u0301"), (" a", "A ")])
def test_names_that_people_take_for_the_same_share_a_key(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)
