"""What a result means, in plain words. Knows nothing of Streamlit."""

from robustiqa_core.attacks import make_attack
from robustiqa_core.evaluation.report import AttackReport
from robustiqa_core.scorer import ScoreRange
from ui.attacks.texts import attack_words

NO_CHANGE = 1e-3
"""Change of the score below which an attack counts as without effect: the last digit that is shown."""

# Rules of thumb for a photo looked at in its own size: uniform noise of 4/255 has 36 dB at the worst, 8/255 has 30 dB.
# On a smooth photo the same noise is easier to see, which SSIM reflects.
_LOOKS_SAME = 36.0
_LOOKS_SAME_SSIM = 0.95
_LOOKS_ALMOST_SAME = 30.0
_LOOK = "Drag the divider below and look for the difference yourself."


def appearance(psnr: float | None, ssim: float) -> str:
    """Return how different the adversarial photo looks, judged by its PSNR in dB (None: equal photos) and its SSIM.

    Example:
        >>> appearance(41.0, 0.98), appearance(25.0, 0.7)
        ('The photo looks the same', 'The photo is visibly changed')
    """
    if psnr is None:
        return "The photo is unchanged"
    if psnr >= _LOOKS_SAME and ssim >= _LOOKS_SAME_SSIM:
        return "The photo looks the same"
    return "The photo looks almost the same" if psnr >= _LOOKS_ALMOST_SAME else "The photo is visibly changed"


def changed_name(report: AttackReport) -> str:
    """Return the name of the changed photo, for labels: noise makes no adversarial photo."""
    return "With noise" if report.attack == "noise" else "Adversarial"


def headline(report: AttackReport) -> str:
    """Return the result in one sentence, with the scores before and after and the attack.

    The score after is that of the PNG file, so that the sentence stays true for the download.
    """
    before, after = f"{report.clean_score:.3f}", f"{report.rounded_score:.3f}"
    attack = attack_words(make_attack(report.attack, report.settings))
    if abs(report.gain) < NO_CHANGE:
        cause = "Random noise" if report.attack == "noise" else "The attack"
        return f"{cause} had no effect: the score stayed at {before} ({attack})."
    if report.attack == "noise":
        return f"Random noise of this size moved the score from {before} to {after} ({attack})."
    joint = "but" if report.psnr is None or report.psnr >= _LOOKS_ALMOST_SAME else "and"
    verb = "rose" if report.gain > 0 else "fell"
    return f"{appearance(report.psnr, report.ssim)}, {joint} its score {verb} from {before} to {after} ({attack})."


def explanation(report: AttackReport, band: ScoreRange) -> str:
    """Return one or two sentences that put the change into proportion.

    Args:
        report: figures of the attack.
        band: the model's scores on ordinary photos.
    """
    size = f"{abs(report.gain) / band.width:.0%} of its usual range, the range of the scores it gave in training"
    if report.attack == "noise":
        return (
            f"The change is {size}. Noise is blind to the model: it is the control that an attack of the same "
            "strength must beat."
        )
    wanted = str(report.settings.get("direction", "up"))
    if abs(report.gain) < NO_CHANGE:
        return (
            "Try more steps or more strength. If nothing helps, the model withstands this attack on this "
            "photo, unless it gives every photo the same score."
        )
    target = report.settings.get("target")
    if target is not None:
        left = abs(report.rounded_score - target) / band.width
        return f"The target score is {target:.3f}; the result is {left:.1%} of the usual range away. {_LOOK}"
    if wanted in ("up", "down") and (report.gain > 0) != (wanted == "up"):
        return (
            f"That is the wrong direction: the attack was to push the score {wanted}, "
            "but rounding to 8 bits undid its gain."
        )
    if report.rounded_score > band.high:
        return "No training photo of this model scored so high. " + _LOOK
    if report.rounded_score < band.low:
        return "No training photo of this model scored so low. " + _LOOK
    return f"The change is {size}. {_LOOK}"
