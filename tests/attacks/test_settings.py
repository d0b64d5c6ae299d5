"""Settings as people write them: on the command line, in addresses, in the names of attacks."""

import dataclasses

import pytest
from attack_scorers import configurations, label
from hypothesis import given
from hypothesis import strategies as st

from robustiqa_core.attacks import ATTACKS, SETTINGS, Attack, parse_attack, parse_setting, spell_attack, spell_setting
from robustiqa_core.errors import ConfigurationError

FIELDS = [(name, field.name) for name, kind in ATTACKS.items() for field in dataclasses.fields(kind)]
"""Every field of every attack."""


@pytest.mark.parametrize(("attack", "field"), FIELDS)
def test_every_field_of_every_attack_is_a_known_setting(attack: str, field: str) -> None:
    assert field in SETTINGS


def test_every_known_setting_is_a_field_of_some_attack() -> None:
    assert set(SETTINGS) == {field for _, field in FIELDS}


@pytest.mark.parametrize(("attack", "field"), FIELDS)
def test_every_default_is_within_what_the_setting_calls_sensible(attack: str, field: str) -> None:
    setting, default = SETTINGS[field], getattr(ATTACKS[attack](), field)
    if default is None or setting.kind == "name":
        return
    if setting.kind == "choice":
        assert default in setting.choices
    else:
        assert setting.low <= default <= setting.high


@st.composite
def settings_with_values(draw: st.DrawFn) -> tuple[str, object]:
    """Return a setting and a value of its kind."""
    name = draw(st.sampled_from(sorted(SETTINGS)))
    setting = SETTINGS[name]
    match setting.kind:
        case "fraction":
            value = draw(st.floats(0.0, 1.0) | st.integers(0, 255 * 4).map(lambda quarter: quarter / 4 / 255))
        case "number":
            value = draw(st.floats(allow_nan=False))
        case "count":
            value = draw(st.integers())
        case "flag":
            value = draw(st.booleans())
        case "choice":
            value = draw(st.sampled_from(setting.choices))
        case "name":
            value = draw(st.text())
    return name, value


@given(case=settings_with_values())
def test_a_setting_is_read_as_it_was_written(case: tuple[str, object]) -> None:
    name, value = case
    again = parse_setting(name, spell_setting(name, value))
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("attack", configurations(), ids=label)
def test_an_attack_is_read_as_it_was_written(attack: Attack) -> None:
    assert parse_attack(spell_attack(attack)) == attack


@pytest.mark.parametrize("name", ATTACKS)
def test_the_name_alone_is_the_attack_with_its_defaults(name: str) -> None:
    assert parse_attack(name) == ATTACKS[name]()
    assert parse_attack(spell_attack(ATTACKS[name]())) == ATTACKS[name]()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pdg", f"attack must be one of {', '.join(ATTACKS)}, got 'pdg'"),
        ("", "attack must be one of"),
        ("noise:steps=3", "a setting of noise must be one of eps, norm, seed, got 'steps'"),
        ("pgd:steps", "steps in 'pgd:steps' must be a whole number such as 10, got ''"),
        ("pgd:steps=2.5", "steps in 'pgd:steps=2.5' must be a whole number such as 10, got '2.5'"),
        ("pgd:eps=4/0", "eps in 'pgd:eps=4/0' must be a fraction such as 4/255 or 0.0157, got '4/0'"),
        ("pgd:eps=8", "eps is a fraction of the .* did you mean 8/255"),
        ("pgd:random_start=maybe", "must be yes or no, got 'maybe'"),
        ("pgd:target=high,direction=towards", "must be a number such as 0.5, got 'high'"),
        ("pgd:norm=l1", "norm in 'pgd:norm=l1' must be one of linf, l2, got 'l1'"),
        ("pgd:direction=towards", "target"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_attack(text)


@given(text=st.text(max_size=30), name=st.sampled_from(sorted(ATTACKS)))
def test_no_text_breaks_the_reader(name: str, text: str) -> None:
    try:
        attack = parse_attack(f"{name}:{text}")
    except ConfigurationError:
        return
    assert isinstance(attack, ATTACKS[name])


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_setting_says_what_it_is(name: str) -> None:
    setting = SETTINGS[name]
    assert setting.label
    assert setting.help.endswith(".")
    assert setting.low < setting.high
    assert bool(setting.choices) == (setting.kind == "choice")
