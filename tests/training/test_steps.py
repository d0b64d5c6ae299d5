"""What every training promises, on a network of milliseconds."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_task import Diary, tiny_network, tiny_task
from torch import nn

from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.training.loop import TrainingSettings
from robustiqa_core.training.state import LoopSettings, read_progress
from robustiqa_core.training.steps import TrainingRecord, take_steps

# Four steps an epoch.
SETTINGS = LoopSettings(epochs=3, batch_size=4, warmup=2)


def new_network() -> nn.Module:
    return tiny_network(normalised=True, dropout=0.5)


def run(
    network: nn.Module,
    folder: Path,
    settings: LoopSettings = SETTINGS,
    *,
    figures: tuple[float, ...] = (),
    stop: int = 0,
    stop_after: int | None = None,
) -> list[TrainingRecord]:
    """Train, and be killed after step `stop`."""
    records = []
    task = tiny_task(network, figures=figures)
    for record in take_steps(task, settings, run_dir=folder, stop_after=stop_after, workers=0, save_seconds=0):
        records.append(replace(record, seconds=0.0))
        if record.step == stop:
            break
    return records


def assert_equal(network: nn.Module, other: nn.Module) -> None:
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize("stops", [(1,), (4,), (5,), (2, 6, 7, 11), (12,)])
def test_a_training_killed_at_any_step_resumes_to_the_same_bits(stops: tuple[int, ...], tmp_path: Path) -> None:
    unbroken, resumed = new_network(), new_network()
    expected = run(unbroken, tmp_path / "unbroken")
    for stop in stops:
        # The step at which it was killed has not been saved, and is taken again.
        records = run(resumed, tmp_path / "killed", stop=stop)
        assert records == expected[stop - len(records) : stop]
        resumed = new_network()
    assert run(resumed, tmp_path / "killed") == expected[stops[-1] - 1 :]
    assert_equal(resumed, unbroken)


def test_a_finished_training_takes_no_more_steps(tmp_path: Path) -> None:
    first, second = new_network(), new_network()
    assert [record.step for record in run(first, tmp_path)] == list(range(1, 13))
    assert run(second, tmp_path) == []
    assert_equal(first, second)


def test_a_training_that_is_stopped_early_goes_on_later(tmp_path: Path) -> None:
    unbroken, resumed = new_network(), new_network()
    expected = run(unbroken, tmp_path / "unbroken")
    assert run(new_network(), tmp_path / "run", stop_after=1) == expected[:4]
    assert run(resumed, tmp_path / "run") == expected[4:]
    assert_equal(unbroken, resumed)
    for faulty in (0, 4):
        with pytest.raises(ConfigurationError, match="stop_after"):
            run(new_network(), tmp_path / "run", stop_after=faulty)


def test_steps_need_an_epoch(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="epochs"):
        run(new_network(), tmp_path, replace(SETTINGS, epochs=0))


def test_another_seed_drops_and_ends_differently(tmp_path: Path) -> None:
    first, second = new_network(), new_network()
    losses = [
        [record.loss for record in run(network, tmp_path / str(seed), replace(SETTINGS, seed=seed))]
        for seed, network in enumerate((first, second))
    ]
    assert losses[0] != losses[1]


def test_the_epoch_with_the_best_figure_is_kept(tmp_path: Path) -> None:
    best, two_epochs = new_network(), new_network()
    run(best, tmp_path / "best", figures=(0.1, 0.9, 0.3))
    records = run(two_epochs, tmp_path / "two", figures=(0.1, 0.9, 0.3), stop_after=2)
    assert [record.figure for record in records if record.figure is not None] == [0.1, 0.9]
    assert_equal(best, two_epochs)
    progress = read_progress(tmp_path / "best")
    assert (progress.epoch, progress.best_epoch, progress.best_figure) == (3, 2, 0.9)


def test_training_ends_when_the_figure_has_not_risen_for_so_many_epochs(tmp_path: Path) -> None:
    settings, figures = replace(SETTINGS, epochs=6, patience=2), (0.1, 0.5, 0.4, 0.5, 0.9, 0.9)
    network = new_network()
    records = run(network, tmp_path, settings, figures=figures)
    assert [record.figure for record in records if record.figure is not None] == [0.1, 0.5, 0.4, 0.5]
    assert records[-1].step == 16
    progress = read_progress(tmp_path)
    assert (progress.epoch, progress.best_epoch) == (4, 2)
    again = new_network()
    assert run(again, tmp_path, settings, figures=figures) == []
    assert_equal(network, again)


def test_patience_is_not_begun_anew_by_an_interruption(tmp_path: Path) -> None:
    settings, figures = replace(SETTINGS, epochs=6, patience=2), (0.1, 0.5, 0.4, 0.5, 0.9, 0.9)
    unbroken, resumed = new_network(), new_network()
    expected = run(unbroken, tmp_path / "unbroken", settings, figures=figures)
    run(new_network(), tmp_path / "killed", settings, figures=figures, stop=13)
    assert run(resumed, tmp_path / "killed", settings, figures=figures) == expected[12:]
    assert_equal(unbroken, resumed)


def test_patience_does_not_count_the_epochs_in_which_only_new_layers_learn(tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=6, batch_size=4, head_epochs=3, patience=1)
    records = run(new_network(), tmp_path, settings, figures=(0.9, 0.5, 0.4, 0.3, 0.2, 0.1))
    assert records[-1].epoch == 4


def test_every_step_prepares_the_network_for_its_epoch(tmp_path: Path) -> None:
    diary = Diary()
    list(take_steps(tiny_task(new_network(), diary=diary), SETTINGS, run_dir=tmp_path, workers=0))
    assert diary.epochs == [0] * 4 + [1] * 4 + [2] * 4
    assert len(diary.figures) == 3


def test_a_state_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(new_network(), tmp_path, stop=2)
    with pytest.raises(InputError, match="other settings"):
        run(new_network(), tmp_path, replace(SETTINGS, epochs=4))


def test_fewer_photos_than_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one batch of 17"):
        run(new_network(), tmp_path, replace(SETTINGS, batch_size=17))


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path: Path) -> None:
    network = new_network()
    task = tiny_task(network, lambda predictions, targets: (predictions / 0.0).sum())
    with pytest.raises(NumericalError, match="step 1"):
        next(take_steps(task, SETTINGS, run_dir=tmp_path, workers=0))


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": -1},
        {"batch_size": 1},
        {"patience": -1},
        {"seed": -1},
        {"precision": "float16"},
        {"weight_decay": 2.0},
    ],
)
def test_nonsense_settings_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        LoopSettings(**change)  # type: ignore[arg-type]
