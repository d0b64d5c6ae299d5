"""From an attack's tensors to the figures that the app, the command line and the tables show."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from robustiqa_core.attacks import ATTACKS, Attack, AttackResult
from robustiqa_core.attacks.settings import spell_setting
from robustiqa_core.checks import check_count
from robustiqa_core.files import as_word
from robustiqa_core.metrics.fidelity import l2, linf, psnr, ssim


@dataclass(frozen=True, slots=True)
class AttackReport:
    """All figures of one attacked photo.

    Args:
        model: architecture.
        variant: `baseline` or a hardened version.
        image: name of the photo.
        image_sha256: of the pixels that were attacked.
        width: of the attacked photo in pixels.
        height: of the attacked photo in pixels.
        attack: key in `ATTACKS`.
        settings: the attack's configuration, by name; `eps` and `step_size` as fractions of [0, 1].
        device: where it ran, such as `cpu`.
        threads: threads of PyTorch on the CPU. Another number adds in another order, and over many steps that moves
            the result by a percent or so; OMP_NUM_THREADS sets it.
        clean_score: of the photo.
        adversarial_score: of the adversarial image as computed.
        rounded_score: of the adversarial image after rounding to 8 bits: what the PNG file scores.
        linf: largest change of a value, as a fraction of [0, 1].
        l2: Euclidean norm of the perturbation over all values in [0, 1].
        rounded_linf: the same after rounding to 8 bits.
        rounded_l2: the same after rounding to 8 bits.
        psnr: of the rounded image against the photo in dB; None where they are equal (infinite).
        ssim: of the rounded image against the photo, at most 1.
        gradient_calls: gradients computed.
        queries: evaluations without gradient.
        seconds: wall time of the attack, for its whole batch.
        command: the command that gives the same numbers.
    """

    model: str
    variant: str
    image: str
    image_sha256: str
    width: int
    height: int
    attack: str
    settings: Mapping[str, Any]
    device: str
    threads: int
    clean_score: float
    adversarial_score: float
    rounded_score: float
    linf: float
    l2: float
    rounded_linf: float
    rounded_l2: float
    psnr: float | None
    ssim: float
    gradient_calls: int
    queries: int
    seconds: float
    command: str

    @property
    def gain(self) -> float:
        """Change of the score by the adversarial image as a PNG stores it, in the model's unit; signed."""
        return self.rounded_score - self.clean_score

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return asdict(self)


def unchanged_note(report: AttackReport) -> str | None:
    """Return a sentence for an attack that found nothing better than the photo itself; None where it changed something.

    Not of the noise null, whose result is not chosen.
    """
    if report.linf > 0:
        return None
    return (
        f"{report.attack} found nothing better than the photo itself, which is its result, unchanged: the figures say "
        "nothing of the model's robustness; try more steps or another attack"
    )


def attack_name(attack: Attack) -> str:
    """Return the key of an attack's kind in `ATTACKS`."""
    return next(name for name, kind in ATTACKS.items() if type(attack) is kind)


def attack_command(
    attack: Attack, *, image: str, model: str, variant: str, max_side: int | None = None, device: str = "cpu"
) -> str:
    """Return the command line that runs the same attack on the same photo.

    Args:
        attack: the configuration.
        image: path or name of the photo.
        model: architecture.
        variant: `baseline` or a hardened version.
        max_side: to how many pixels the longer side was reduced, where that was asked for.
        device: where it ran.
    """
    words = ["robustiqa", "attack", as_word(image), "--model", model, "--variant", variant, *attack_words(attack)]
    if max_side is not None:
        words += ["--max-side", str(max_side)]
    return shlex.join([*words, "--device", device, "--out", ".", "--json"])


def attack_words(attack: Attack) -> list[str]:
    """Return the words of a command line that describe an attack, with each of its settings."""
    words = ["--attack", attack_name(attack)]
    for field in fields(attack):
        value = getattr(attack, field.name)
        option = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif value is not None:
            words += _option(option, spell_setting(field.name, value))
    return words


def _option(option: str, value: str) -> list[str]:
    """Return an option and its value; as one word where the value, such as -1e-05, could be taken for an option."""
    return [f"{option}={value}"] if value.startswith("-") else [option, value]


def attack_report(
    result: AttackResult,
    attack: Attack,
    *,
    model: str,
    variant: str,
    image: str,
    image_sha256: str,
    command: str,
    index: int = 0,
) -> AttackReport:
    """Return the figures of image `index` of an attacked batch.

    Args:
        result: what `attacks.run` ended with.
        attack: its configuration.
        model: architecture.
        variant: `baseline` or a hardened version.
        image: name of the photo.
        image_sha256: of its pixels.
        command: from `attack_command`.
        index: place in the batch.
    """
    check_count("index", index, low=0, high=len(result.images) - 1)
    pick = slice(index, index + 1)
    clean, adversarial, rounded = result.images[pick], result.adversarial[pick], result.rounded[pick]
    decibel = _number(psnr(clean, rounded))
    return AttackReport(
        model=model,
        variant=variant,
        image=image,
        image_sha256=image_sha256,
        width=clean.shape[3],
        height=clean.shape[2],
        attack=attack_name(attack),
        settings=asdict(attack),
        device=str(clean.device),
        threads=torch.get_num_threads(),
        clean_score=_number(result.clean_scores[pick]),
        adversarial_score=_number(result.adversarial_scores[pick]),
        rounded_score=_number(result.rounded_scores[pick]),
        linf=_number(linf(clean, adversarial)),
        l2=_number(l2(clean, adversarial)),
        rounded_linf=_number(linf(clean, rounded)),
        rounded_l2=_number(l2(clean, rounded)),
        psnr=None if decibel == float("inf") else decibel,
        ssim=_number(ssim(clean, rounded)),
        gradient_calls=result.gradient_calls,
        queries=result.queries,
        seconds=round(result.seconds, 4),
        command=command,
    )


def _number(value: Tensor) -> float:
    return float(value.item())
