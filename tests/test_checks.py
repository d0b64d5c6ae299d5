import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robustiqa_core.checks import check_choice, check_count, check_fraction, check_images, check_positive
from robustiqa_core.device import autocast, choose_device, describe_device
from robustiqa_core.errors import ConfigurationError, InputError, RobustIQAError
from robustiqa_core.scorer import ScoreRange


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_fraction_is_accepted_exactly_in_its_interval(value: float) -> None:
    if 0 < value <= 1:
        assert check_fraction("eps", value) == value
    else:
        with pytest.raises(ConfigurationError, match="eps is a fraction"):
            check_fraction("eps", value)


def test_zero_is_a_fraction_only_where_it_may_be() -> None:
    assert check_fraction("share", 0.0, zero=True) == 0.0


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_what_must_be_positive_is_not_zero_negative_or_infinite(value: float) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        check_positive("rate", value)


@pytest.mark.parametrize("value", [0, 11, True, 2.0, "3"])
def test_a_count_is_a_whole_number_in_its_interval(value: int) -> None:
    with pytest.raises(ConfigurationError, match="from 1 to 10"):
        check_count("steps", value, high=10)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="one of linf, l2, got 'l1'"):
        check_choice("norm", "l1", ("linf", "l2"))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 8, 8), "batch axis"),
        (torch.rand(1, 1, 8, 8), "RGB"),
        (torch.rand(0, 3, 8, 8), "shape"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "divide 8-bit values by 255"),
        (torch.full((1, 3, 8, 8), 1.5), "values from 1.5 to 1.5"),
        (torch.full((1, 3, 8, 8), math.nan), "nan"),
        (torch.full((1, 3, 8, 8), -0.01), "-0.01"),
        ([0.0], "got list"),
    ],
)
def test_a_batch_of_photos_is_checked_with_a_way_out(images: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_images(images)


def test_a_good_batch_comes_back_itself() -> None:
    images = torch.rand(1, 3, 8, 8)
    assert check_images(images) is images


def test_all_errors_have_one_root() -> None:
    assert issubclass(InputError, RobustIQAError)
    assert issubclass(ConfigurationError, ValueError)


@pytest.mark.parametrize("low_high", [(1.0, 1.0), (1.0, 0.0), (math.nan, 1.0), (0.0, math.inf)])
def test_an_empty_score_range_is_refused(low_high: tuple[float, float]) -> None:
    with pytest.raises(ConfigurationError, match="low < high"):
        ScoreRange(*low_high)


def test_scaling_puts_the_range_on_0_to_1() -> None:
    scaled = ScoreRange(2.0, 4.0).scale(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert scaled.tolist() == [-0.5, 0.0, 0.5, 1.0]


@pytest.mark.parametrize("name", ["tpu", "cpu:1", "cuda:x", "mps:0"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA GPU")
def test_a_gpu_that_is_not_there_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match="use --device cpu"):
        choose_device("cuda")


def test_auto_finds_a_device_with_a_name() -> None:
    device = choose_device("auto")
    assert describe_device(device)


def test_autocast_changes_nothing_in_float32_and_the_type_in_bfloat16() -> None:
    matrix = torch.eye(4)
    device = torch.device("cpu")
    with autocast(device, "float32"):
        assert (matrix @ matrix).dtype == torch.float32
    with autocast(device, "bfloat16"):
        assert (matrix @ matrix).dtype == torch.bfloat16
