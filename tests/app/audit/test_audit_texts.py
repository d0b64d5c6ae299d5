"""What an audit says: the doubts first, with what they cost."""

from robustiqa_core.auditing import Finding, Verdict
from ui.audit.texts import conclusion, summary


def found(name: str, verdict: Verdict, cost: tuple[float, float] | None = None) -> Finding:
    return Finding(name, "Why?", verdict, (), "Because.", "Do this." if verdict == "doubt" else "", cost)


def test_the_headline_begins_with_the_doubts_and_says_what_they_cost() -> None:
    findings = [
        *[found(name, "pass") for name in ("gradient", "repeat", "canary")],
        found("order", "doubt", (22.7, 26.3)),
        found("worst case", "doubt", (22.7, 24.1)),
        found("transfer", "not run"),
    ]
    assert summary(findings) == "In doubt: 2 of 6 checks (a gain of 22.7 % to 26.3 % of the range); 1 not run."
    told = conclusion(findings)
    assert told.startswith("Some attacks stop early on this model: its figures may be too good.")
    assert "order, 22.7 % to 26.3 %; worst case, 22.7 % to 24.1 %" in told
    assert "mislead" not in told


def test_a_doubt_without_a_price_and_an_audit_without_a_doubt_say_so() -> None:
    assert summary([found("repeat", "doubt"), found("batch", "pass")]) == "In doubt: 1 of 2 checks."
    assert summary([found("repeat", "pass"), found("batch", "pass")]) == "No doubt: 2 of 2 checks pass."
    assert "costs" not in conclusion([found("repeat", "doubt")])
