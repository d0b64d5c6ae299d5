"""What an audit found: the sentence, the checks with their figures, what to take away."""

import json
from collections.abc import Sequence

import streamlit as st

from robustiqa_core.attacks import spell_attack
from robustiqa_core.auditing import CHECKS, Figure, Finding
from ui.audit.controls import AuditRequest, estimate_seconds
from ui.audit.job import AuditOutcome, findings_csv
from ui.audit.recipe import AuditRecipe
from ui.audit.texts import VERDICTS, conclusion, figure_text, groups, summary
from ui.jobs import page_job
from ui.jobs.estimate import spoken
from ui.shell import cache, controls
from ui.shell.markdown import plain
from ui.shell.sharing import KEPT_AN_HOUR, draw_share


def draw_outcome(outcome: AuditOutcome) -> None:
    """Draw everything about a finished audit."""
    findings = outcome.report.findings
    st.header(summary(findings), anchor=False)
    st.markdown(conclusion(findings))
    _asked(outcome)
    doubts = [finding for finding in findings if finding.verdict == "doubt"]
    if doubts:
        st.subheader("In doubt", anchor=False)
        for finding in doubts:
            _finding(finding)
    rest = [finding for finding in findings if finding.verdict != "doubt"]
    _groups(rest, only=[finding.name for finding in rest], at_work=None)
    _take_away(outcome)


def address(outcome: AuditOutcome) -> dict[str, str]:
    """Return the query parameters that open what is on the page."""
    recipe = outcome.recipe
    key = kept_as(recipe)
    return {**recipe.address(), **({} if key is None else {page_job.RESULT: key})}


def kept_as(recipe: AuditRecipe) -> str | None:
    """Return the key under which an audit is kept for everybody; None where its photos are a visitor's own."""
    return recipe.key([cache.weights(stem) for stem in recipe.stems]) if recipe.photos.public else None


def draw_invitation(request: AuditRequest | None) -> None:
    """Say what an audit asks and how long it takes, where there is none to show."""
    if request is not None:
        st.markdown(
            f"There are {len(CHECKS)} questions. With the settings chosen here the answers take "
            f"**about {spoken(estimate_seconds(request.recipe))}** on this machine when nothing else runs; they come "
            f"one by one, and you may cancel at any time. {controls.press('Run the audit')}."
        )
    draw_checks([])


def draw_checks(findings: Sequence[Finding], *, at_work: str | None = None) -> None:
    """Draw all checks, those that have ended with what they found.

    Args:
        findings: of the checks that have ended.
        at_work: key of the check that runs.
    """
    controls.small_header("The checks", key="checks")
    _groups(findings, only=list(CHECKS), at_work=at_work)


def _groups(findings: Sequence[Finding], *, only: Sequence[str], at_work: str | None) -> None:
    found = {finding.name: finding for finding in findings}
    for title, names in groups().items():
        shown = [name for name in names if name in only]
        if not shown:
            continue
        st.subheader(title, anchor=False)
        grid = st.grid(2, min_column_width=340, gap="small")
        for name in shown:
            with grid:
                if name in found:
                    _finding(found[name])
                else:
                    _question(name, at_work=name == at_work)


def _question(name: str, *, at_work: bool) -> None:
    """Draw a check that has not ended."""
    badge = ":blue-badge[:material/hourglass_top: At work]  \n" if at_work else ""
    st.container(border=True).markdown(f"{badge}**{plain(CHECKS[name].question)}**")


def _finding(finding: Finding) -> None:
    """Draw a check that has ended; one element, since there are many of them."""
    verdict = VERDICTS[finding.verdict]
    parts = [
        f":{verdict.colour}-badge[{verdict.icon} {verdict.word}]  \n**{plain(finding.question)}**",
        plain(finding.meaning),
        "\n".join(_figure(figure) for figure in finding.figures),
        f"**What to do:** {plain(finding.advice)}" if finding.advice else "",
    ]
    st.container(border=True).markdown("\n\n".join(filter(None, parts)))


def _figure(figure: Figure) -> str:
    limit = f" (limit: {plain(figure.limit)})" if figure.limit else ""
    return f"- {plain(figure.name)}: **{plain(figure_text(figure))}**{limit}"


def _asked(outcome: AuditOutcome) -> None:
    """Say what was audited, with what, and what it cost."""
    recipe, report = outcome.recipe, outcome.report
    behind = f" behind {recipe.defence}" if recipe.defence else ""
    against = f", compared with {controls.model_title(recipe.reference)}" if recipe.reference else ""
    count = len(recipe.photos.names)
    photos = f"{count} photo{'s' if count != 1 else ''} of {recipe.side} × {recipe.side} px"
    model = controls.model_title(f"{recipe.model}-{recipe.variant}")
    st.caption(
        f"{plain(model + behind + against)}. Attack: {plain(spell_attack(recipe.attack))}. {photos}. "
        f"{report.gradient_calls} gradients and {report.queries} scores of all photos in {report.seconds:.0f} s on "
        f"{outcome.device}."
    )


def _take_away(outcome: AuditOutcome) -> None:
    recipe = outcome.recipe
    name = f"audit-{recipe.model}-{recipe.variant}"
    with st.container(horizontal=True):
        st.download_button(
            "Findings (CSV)",
            findings_csv(outcome.report.findings),
            f"{name}.csv",
            "text/csv",
            key="download_audit_csv",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Findings (JSON)",
            json.dumps(outcome.to_json(), indent=2, ensure_ascii=False),
            f"{name}.json",
            "application/json",
            key="download_audit",
            on_click="ignore",
            icon=":material/download:",
        )
        own = not recipe.photos.public
        draw_share("audit", address(outcome), "" if own else KEPT_AN_HOUR, own_photos=own)
    st.markdown("**The same findings from the command line**")
    st.code(outcome.command, language=None, wrap_lines=True)
