"""What all scorers behind a defence have in common."""

from torch import nn

from robustiqa_core.scorer import Scorer, ScoreRange


class Wrapped(nn.Module):
    """A scorer inside another one; a subclass adds `forward`, and says so where its gradient is not the score's own."""

    makes_gradient_up: bool = False
    """Whether what is added round the scorer gives attacks a stand-in for its gradient."""

    def __init__(self, scorer: Scorer) -> None:
        """Keep the scorer, which is neither copied nor changed."""
        super().__init__()
        self.scorer = scorer
        # Set here, not with train() or eval(): these would change the mode of the scorer's own parts.
        self.training = isinstance(scorer, nn.Module) and scorer.training

    @property
    def gradient_is_stand_in(self) -> bool:
        """Whether the gradient is a stand-in, here or in the scorer inside."""
        return self.makes_gradient_up or bool(getattr(self.scorer, "gradient_is_stand_in", False))

    @property
    def score_range(self) -> ScoreRange:
        """The undefended model's: what a defence costs in score shows against it."""
        return self.scorer.score_range
