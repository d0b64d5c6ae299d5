"""The attack lab's settings, by its controls and by its address: which there are, and that they reach the attack."""

import pytest
from job_pages import TIMEOUT
from lab_pages import FIRST, PAGE, SECOND, command, finish, headline, outcome
from streamlit.testing.v1 import AppTest

from robustiqa_core.attacks import ATTACKS, PGD
from ui.attacks.texts import TEXTS
from ui.lab import session
from ui.shell import cache, state


def test_changed_controls_do_not_run_by_themselves_and_the_page_says_that_they_differ(lab: AppTest) -> None:
    finish(lab)
    before = headline(lab)
    lab.select_slider(key=state.PRESET).set_value(8.0).run()
    assert headline(lab) == before
    assert "The controls have changed since this run" in lab.info[0].value
    lab.button(key=state.RUN).click()
    finish(lab)
    assert not lab.info
    assert outcome(lab).report.settings["eps"] == 8 / 255


@pytest.mark.thorough
def test_fine_settings_reach_the_attack(lab: AppTest) -> None:
    finish(lab)
    lab.number_input(key=state.EPS_LEVELS).set_value(3.0)
    lab.number_input(key=state.STEP_LEVELS).set_value(1.0)
    lab.number_input(key=state.SEED).set_value(7)
    lab.selectbox(key=state.NORM).set_value("l2")
    lab.checkbox(key=state.RANDOM_START).uncheck()
    lab.select_slider(key=state.STEPS).set_value(5)
    lab.button(key=state.RUN).click()
    finish(lab)
    assert outcome(lab).report.settings == {
        "eps": 3 / 255,
        "step_size": 1 / 255,
        "steps": 5,
        "norm": "l2",
        "direction": "up",
        "target": None,
        "random_start": False,
        "seed": 7,
    }
    assert lab.select_slider(key=state.PRESET).value == 3.0, "the strength has one value, wherever it is set"


@pytest.mark.thorough
@pytest.mark.parametrize("attack", ["fgsm", "noise"])
def test_each_attack_can_be_chosen_and_has_only_its_own_settings(lab: AppTest, attack: str) -> None:
    finish(lab)
    lab.select_slider(key=state.STEPS).set_value(5)
    lab.selectbox(key=state.ATTACK).set_value(attack).run()
    assert "Steps" not in [slider.label for slider in lab.select_slider]
    assert ("The score" in [choice.label for choice in lab.segmented_control]) == (attack == "fgsm")
    assert ("Seed" in [number.label for number in lab.number_input]) == (attack == "noise")
    lab.button(key=state.RUN).click()
    finish(lab)
    assert outcome(lab).report.attack == attack
    assert f"--attack {attack}" in command(lab)


@pytest.mark.thorough
def test_another_attack_keeps_the_strength_and_the_direction_and_brings_its_own_number_of_steps(lab: AppTest) -> None:
    finish(lab)
    lab.select_slider(key=state.STEPS).set_value(5)
    lab.select_slider(key=state.PRESET).set_value(8.0)
    lab.segmented_control(key=state.DIRECTION).set_value("down").run()
    lab.selectbox(key=state.ATTACK).set_value("noise").run()
    lab.selectbox(key=state.ATTACK).set_value("pgd").run()
    assert lab.select_slider(key=state.STEPS).value == PGD().steps
    assert lab.select_slider(key=state.PRESET).value == 8.0
    assert lab.segmented_control(key=state.DIRECTION).value == "down"


@pytest.mark.thorough
def test_a_target_score_is_asked_for_only_where_it_counts_and_is_reached(lab: AppTest) -> None:
    finish(lab)
    assert "Target score" not in [number.label for number in lab.number_input]
    lab.segmented_control(key=state.DIRECTION).set_value("towards").run()
    lab.number_input(key=state.TARGET).set_value(0.6)
    lab.button(key=state.RUN).click()
    finish(lab)
    report = outcome(lab).report
    assert report.settings["target"] == 0.6
    assert report.adversarial_score == pytest.approx(0.6, abs=0.02)
    assert "target score is 0.600" in lab.markdown[1].value


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_has_words_and_widgets_that_make_it(lab: AppTest, name: str) -> None:
    assert name in TEXTS
    finish(lab)
    lab.selectbox(key=state.ATTACK).set_value(name).run()
    assert not lab.exception
    assert not lab.error


@pytest.mark.thorough
def test_the_address_names_the_view_and_opens_it_again_with_the_same_numbers(lab: AppTest) -> None:
    finish(lab)
    lab.button(key="next_0").click()
    finish(lab)
    lab.select_slider(key=state.PRESET).set_value(2.0)
    lab.segmented_control(key=state.DIRECTION).set_value("down")
    lab.button(key=state.RUN).click()
    finish(lab)
    address = dict(lab.query_params)
    assert (address["photo"], address["eps"], address["direction"]) == (SECOND.name, "2/255", "down")

    elsewhere = AppTest.from_file(PAGE, default_timeout=TIMEOUT)
    for key, value in address.items():
        elsewhere.query_params[key] = value
    finish(elsewhere)
    assert headline(elsewhere) == headline(lab)
    assert outcome(elsewhere).adversarial_png == outcome(lab).adversarial_png


@pytest.mark.thorough
@pytest.mark.parametrize(
    "address",
    [
        {"attack": "pgd", "eps": "8"},
        {"attack": "pgd", "eps": "0.001/255"},
        {"attack": "pgd", "steps": "many"},
        {"attack": "pgd", "steps": "100000"},
        {"attack": "pgd", "seed": str(2**60)},
        {"attack": "pgd", "norm": "l7"},
        {"attack": "<b>magic</b>"},
    ],
    ids=lambda address: ",".join(f"{key}={value}" for key, value in address.items()),
)
def test_an_address_that_makes_no_sense_ends_in_the_default_view_and_a_sentence(
    lab: AppTest, address: dict[str, str]
) -> None:
    for key, value in address.items():
        lab.query_params[key] = value
    lab.run()
    assert not lab.exception
    assert lab.error[0].value.startswith("The address is not valid")
    finish_default = lab.session_state[session.JOBS].active
    assert cache.jobs().wait(finish_default, timeout=TIMEOUT).state == "done"
    lab.run()
    assert outcome(lab).report.settings["eps"] == 4 / 255


@pytest.mark.thorough
def test_unknown_photos_and_models_in_an_address_give_the_defaults(lab: AppTest) -> None:
    lab.query_params["photo"] = "../../etc/passwd"
    lab.query_params["model"] = "nothing"
    finish(lab)
    assert outcome(lab).recipe.photo.name == FIRST.name
