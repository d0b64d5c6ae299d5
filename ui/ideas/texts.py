"""The words of the page of ideas: what to look at, and the questions with their answers. Knows nothing of Streamlit."""

from dataclasses import dataclass

LIPSCHITZ = """
A model turns an input into an output. Its **Lipschitz constant** is the steepest slope that it has anywhere. If the
input moves by at most *eps*, the output moves by at most the constant times *eps*: the curve never leaves the green
cone. A model with a small constant cannot be moved far by a small change, whatever the attack.
"""

ORTHOGONAL = """
A layer of a network multiplies by a matrix. An **orthogonal** matrix Q only turns or mirrors: every length stays as it
was, so a change leaves the layer exactly as small as it came in. You see it from QᵀQ, which is 1 on the diagonal and 0
elsewhere. A general matrix G stretches some directions, and an attack finds them.
"""

CAYLEY = """
How does one train a matrix that must stay orthogonal? One trains any *skew* matrix A, whose mirror image is −A, and
makes Q from it by the **Cayley transform**: Q = (I + A)⁻¹ (I − A). Whatever A is, Q is orthogonal. Move the angle and
look at the numbers.
"""

REGRESSION = """
An attack on a classifier has to cross a boundary: cat or dog. A quality model gives a **number**, and there is no
boundary to cross. Every step counts, up or down. This simple model adds up all pixels, each with a weight. The best
attack moves each pixel by *eps* in the direction of its weight, and the score moves by *eps* times the sum of the
weights' sizes. Each pixel adds little, but there are many.
"""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that shows whether an idea was understood.

    Args:
        text: the question.
        choices: possible answers.
        right: the one that is right.
        because: why, in a sentence or two.
    """

    text: str
    choices: tuple[str, ...]
    right: str
    because: str

    def reply(self, choice: str) -> str:
        """Return what to say to somebody who chose an answer."""
        return ("**Right.** " if choice == self.right else f"**Not quite: {self.right}.** ") + self.because


QUESTIONS: dict[str, Question] = {
    "lipschitz": Question(
        "A model has the Lipschitz constant 3. An attack moves its input by 0.1, and the score moves by only 0.05. "
        "Is the constant wrong?",
        ("Yes, the score had to move by 0.3", "No, 0.3 is only the most that could happen", "There is no way to tell"),
        "No, 0.3 is only the most that could happen",
        "The constant is a promise, not a forecast: never more than 3 × 0.1 = 0.3. Where the curve is flat, or the "
        "attack is weak, less happens. Only a score that moves by more than 0.3 would prove the constant wrong.",
    ),
    "orthogonal": Question(
        "A change of length 0.1 goes through ten orthogonal layers, one after the other. How long is it then?",
        ("Shorter than 0.1", "0.1", "Longer than 0.1"),
        "0.1",
        "Each layer keeps the length, so ten of them do. An orthogonal layer does not remove a change, it "
        "only keeps it from growing. Ten layers that stretch by 1.5 would make 0.1 × 1.5¹⁰ = 5.8 of it.",
    ),
    "regression": Question(
        "A photo's score is 0.50, and an attack brings it to 0.47. Did the attack succeed?",
        (
            "No, it did not cross 0.5 by enough",
            "Every change counts; what matters is how far it moved",
            "Only if people see the change",
        ),
        "Every change counts; what matters is how far it moved",
        "A score has no boundary to cross. So one does not count successes, as for classifiers, but measures how far "
        "the scores move, as a share of the model's scale, and compares with random noise of the same size.",
    ),
}
