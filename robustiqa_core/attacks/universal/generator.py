"""The trainable source of a universal perturbation: its values themselves, or a generator network."""

import torch
from torch import Tensor, nn

CHANNELS = 64
"""Of the noise and of the layers of the network."""

DILATIONS = (1, 2, 4, 1)
"""Of the layers of the network; together each value sees 17 pixels of noise."""


class Values(nn.Module):
    """The values of the perturbation, free within the ball."""

    def __init__(self, side: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.values = nn.Parameter(torch.zeros(1, 3, side, side))

    def forward(self) -> Tensor:
        """Return the perturbation (1, 3, side, side) in [-eps, eps]."""
        # Not clipped here: the gradient of a clipped value is 0, and one at the border would never leave it.
        return self.eps * self.values

    @torch.no_grad()
    def confine(self) -> None:
        """Bring the values back into the ball after a step."""
        self.values.clamp_(-1.0, 1.0)


class Generator(nn.Module):
    """A small convolutional network that makes the perturbation from noise, the same noise every time.

    Circular padding leaves no seam where the pattern repeats. The normalisations prevent collapse to a uniform colour,
    where every tanh saturates and the gradient vanishes.
    """

    noise: Tensor

    def __init__(self, side: int, eps: float, draws: torch.Generator) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("noise", torch.rand((1, CHANNELS, side, side), generator=draws))
        # Made on the meta device, since a layer draws its first weights from the global random numbers.
        with torch.device("meta"):
            layers: list[nn.Module] = []
            for number, dilation in enumerate(DILATIONS, start=1):
                given = 3 if number == len(DILATIONS) else CHANNELS
                layers += [
                    nn.Conv2d(
                        CHANNELS, given, 3, padding=dilation, dilation=dilation, padding_mode="circular", bias=False
                    ),
                    nn.InstanceNorm2d(given),
                    nn.LeakyReLU(0.2),
                ]
        self.layers = nn.Sequential(*layers[:-1]).to_empty(device="cpu")
        for weight in self.layers.parameters():
            nn.init.kaiming_normal_(weight, a=0.2, generator=draws)

    def forward(self) -> Tensor:
        """Return the perturbation (1, 3, side, side) in [-eps, eps]."""
        shaped: Tensor = self.layers(self.noise)
        return self.eps * shaped.tanh()

    def confine(self) -> None:
        """Do nothing: every weight gives a perturbation in the ball."""
