"""Figures say what they are asked to, however long the stream."""

from __future__ import annotations

import re

import pytest

from owcl.evaluation import figures


def texts(svg: str) -> list[str]:
    return [text.strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def numbers(svg: str) -> list[str]:
    return [text for text in texts(svg) if re.fullmatch(r"-?\d+(\.\d+)?", text)]


def test_classes_and_experiences_are_counted_in_whole_numbers() -> None:
    for drawn in (figures.counting([(1, 1, 1)]), figures.accuracy_over_time({"known": [90.0]})):
        assert not [text for text in numbers(drawn) if "." in text]
        assert {"0", "1"} & set(numbers(drawn))


@pytest.mark.parametrize("length", [3, 50])
def test_experiences_are_numbered_as_far_as_there_is_room(length: int) -> None:
    curve = figures.accuracy_over_time({"known": [90.0] * length})
    counted = figures.counting([(0, 0, 0)] * length)
    met = figures.arrivals({"1 real": [20] * length})
    for drawn in (curve, counted, met):
        ticks = {int(text) for text in numbers(drawn)} - {20, 40, 60, 80, 100}
        assert len(ticks) <= 17
        assert max(ticks) >= length - 10
        assert {1, 2} <= ticks or length == 50


def test_bubbles_carry_numbers_only_where_these_can_be_read() -> None:
    assert texts(figures.arrivals({"1 real": [7777] * 3})).count("7777") == 3
    assert "7777" not in texts(figures.arrivals({"1 real": [7777] * 50}))
