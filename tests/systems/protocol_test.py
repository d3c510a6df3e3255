"""Tests of fpliif_jax.systems.protocol: one spelling for people, one for files, one for the eye."""

from fractions import Fraction

import pytest

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.fields import config_fields
from fpliif_jax.systems.protocol import Protocol

SPELLINGS = [
    ("256", "256", "256", (256, 256)),
    ("192->256", "192to256", "192 → 256", (192, 256)),
    ("64→256", "64to256", "64 → 256", (64, 256)),
    ("48 → 64", "48to64", "48 → 64", (48, 64)),
    ("32to64", "32to64", "32 → 64", (32, 64)),
    ("256->256", "256", "256", (256, 256)),
]


@pytest.mark.parametrize(("text", "key", "title", "sizes"), SPELLINGS)
def test_every_spelling_is_the_same_protocol(
    text: str, key: str, title: str, sizes: tuple[int, int]
) -> None:
    protocol = Protocol.parse(text)
    assert (protocol.output_size, protocol.scored_at) == sizes
    assert (protocol.key, protocol.title, protocol.label_size) == (key, title, sizes[1])
    for spelling in (protocol.key, protocol.title, protocol.text):
        assert Protocol.parse(spelling) == Protocol.of_key(spelling) == protocol


@pytest.mark.parametrize(
    "text", ["", "big", "256->", "->256", "0", "-4", "256->0", "256,512", "1to2to3", "9" * 5_000]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a protocol is a size"):
        Protocol.parse(text)


@pytest.mark.parametrize("text", ["16385", "32->99999", "99999->32"])
def test_sides_larger_than_any_image_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="sides of 16384 at most"):
        Protocol.parse(text)
    assert Protocol.parse("16384").output_size == config_fields.FIELDS["data.image_size"].rule.high


def test_a_protocol_with_a_name_is_called_so() -> None:
    coarse = Protocol(32, 32, "coarse", truth_size=48)
    assert (coarse.key, coarse.title, coarse.text, coarse.label_size) == ("coarse",) * 3 + (48,)
    windows = Protocol(48, 48, "true_windows")
    assert (windows.key, windows.title) == ("true_windows", "true windows")


@pytest.mark.parametrize("name", ["true_windows", "image", "lambda=40", "1to2to3", "0", ""])
def test_every_text_is_the_key_of_a_protocol(name: str) -> None:
    protocol = Protocol.of_key(name)
    assert (protocol.key, protocol.text, protocol.name) == (name,) * 3
    assert protocol.title == name.replace("_", " ")
    assert protocol.scaled(Fraction(1, 4)) == protocol


def test_an_error_of_the_program_makes_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> Protocol:
        raise ValueError("a mistake")

    monkeypatch.setattr(Protocol, "parse", broken)
    with pytest.raises(ValueError, match="a mistake"):
        Protocol.of_key("192to256")


@pytest.mark.parametrize(
    ("text", "factor", "scaled"),
    [("192->256", Fraction(1, 4), "48->64"), ("96->256", Fraction(32, 256), "12->32"),
     ("100", Fraction(1, 3), "33"), ("512", Fraction(1), "512")],
)  # fmt: skip
def test_sizes_are_scaled_and_rounded_down(text: str, factor: Fraction, scaled: str) -> None:
    assert Protocol.parse(text).scaled(factor).text == scaled
