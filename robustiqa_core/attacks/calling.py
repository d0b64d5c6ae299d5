"""The base that makes every attack a function of a model and a photo."""

from typing import cast

from robustiqa_core.attacks.records import AttackResult
from robustiqa_core.attacks.run import Attack, complete
from robustiqa_core.checks import Configuration
from robustiqa_core.device import device_of
from robustiqa_core.errors import InputError
from robustiqa_core.images.photo_input import PhotoLike, as_images
from robustiqa_core.scorer import Scorer


class CallableAttack(Configuration):
    """Base of all attacks; the dataclass that inherits from it is the configuration.

    Example:
        >>> import torch
        >>> from robustiqa_core.attacks import PGD
        >>> photo = torch.full((1, 3, 16, 16), 0.5)
        >>> PGD(eps=0.1)(lambda images: images.mean((1, 2, 3)), photo)
        AttackResult(1 image: score 0.5000 -> 0.6000, gain +0.1000, linf 25.5/255, PSNR 20.0 dB, SSIM 0.9836)
        >>> PGD(iterations=20)
        Traceback (most recent call last):
        ...
        robustiqa_core.errors.UnknownSettingError: PGD takes eps, norm, direction, target, step_size, steps, \
random_start, seed, got iterations; did you mean steps?
    """

    __slots__ = ()

    def __call__(self, model: Scorer, photo: PhotoLike) -> AttackResult:
        """Attack a photo, or a batch of photos of one size, to the end; arguments are not modified.

        Args:
            model: a Scorer, such as `robustiqa_core.load` returns.
            photo: a tensor (N, 3, H, W), float, RGB in [0, 1], or what `as_images` makes one of. It is attacked where
                the model is, whatever device it is on.

        Raises:
            InputError: not a photo, not a model, or a model in training mode or without gradient.
            NumericalError: a score or gradient was not finite.
        """
        if not callable(model):
            raise InputError(f"expected a model that returns scores, got {type(model).__name__}; use what load returns")
        images, device = as_images(photo), device_of(model)
        return complete(cast(Attack, self), model, images if device is None else images.to(device))
