"""`robustiqa audit`: is a model robust, or does it only look so?"""

import argparse
import shlex
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.attacks import parse_attack, spell_attack
from robustiqa_core.auditing import CHECKS, AuditPlan, AuditReport, AuditStep, Finding, audit, read_photos
from robustiqa_core.auditing.photos import SIDE
from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.cli.options import add_json, add_model, print_json, progress
from robustiqa_core.defences import DEFENCES, Defence, defend, parse_defence, spell_defence
from robustiqa_core.device import choose_device, describe_device
from robustiqa_core.files import as_word
from robustiqa_core.own_models import resolve_scorer

_DEFAULTS = AuditPlan()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="photo files (default: four samples)")
    add_model(parser)
    parser.add_argument(
        "--reference",
        metavar="MODEL-VARIANT",
        help="model to compare with, or none (default: the model's baseline, unless that is being audited)",
    )
    parser.add_argument(
        "--defence",
        action="append",
        default=[],
        metavar="NAME[:KEY=VALUE,...]",
        help=f"put the model behind a defence, such as jpeg:quality=50; may be repeated ({', '.join(DEFENCES)})",
    )
    parser.add_argument(
        "--attack",
        default=spell_attack(_DEFAULTS.attack),
        metavar="NAME[:KEY=VALUE,...]",
        help="attack whose results to check (default: %(default)s)",
    )
    parser.add_argument("--queries", type=int, default=_DEFAULTS.queries, help="queries of the black-box attack")
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="seed of the random directions")
    parser.add_argument(
        "--side", type=int, default=SIDE, help="crop photos to a square of this side (default: %(default)s px)"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run all checks; return 1 if one is in doubt."""
    device = choose_device(arguments.device)
    plan = AuditPlan(parse_attack(arguments.attack), queries=arguments.queries, seed=arguments.seed)
    defences = [parse_defence(text) for text in arguments.defence]
    reference = _reference(arguments, defences)
    images = read_photos(arguments.images, side=arguments.side).to(device)
    scorer = defend(resolve_scorer(arguments.model, arguments.variant, device=device), defences)
    compared = None if reference is None else resolve_scorer(*reference, device=device)
    report = _complete(audit(scorer, images, plan, reference=compared))
    facts = {
        "model": arguments.model,
        "variant": arguments.variant,
        "defences": [spell_defence(defence) for defence in defences],
        "reference": None if reference is None else "-".join(reference),
        "attack": spell_attack(plan.attack),
        "photos": len(images),
        "side": arguments.side,
        "device": str(device),
        "threads": torch.get_num_threads(),
    }
    if arguments.json:
        print_json(_to_json(facts, report) | {"command": _command(arguments, facts)})
    else:
        _print(facts, report, describe_device(device))
    return 0 if report.sound else 1


def _reference(arguments: argparse.Namespace, defences: list[Defence]) -> tuple[str, str] | None:
    """Return model and variant to compare with: what was asked for, else the baseline of a hardened model."""
    if arguments.reference == "none":
        return None
    if arguments.reference is not None:
        model, _, variant = arguments.reference.partition("-")
        return model, variant
    baseline = (arguments.model, "baseline")
    itself = arguments.variant == "baseline" and not defences
    return baseline if not itself and baseline in {(card.model, card.variant) for card in list_cards()} else None


def _complete(records: Iterable[AuditStep | AuditReport]) -> AuditReport:
    """Run an audit to its end, with a bar that grows by check."""
    reports: list[AuditReport] = []

    def findings() -> Generator[Finding, None, None]:
        count = 0
        for record in records:
            if isinstance(record, AuditReport):
                reports.append(record)
            elif len(record.findings) > count:
                count += 1
                yield record.findings[-1]

    for _ in progress(findings(), total=len(CHECKS), label="audit"):
        pass
    return reports[0]


def _command(arguments: argparse.Namespace, facts: dict[str, Any]) -> str:
    """Return the command that gives the same findings."""
    words = ["robustiqa", "audit", *(as_word(str(path)) for path in arguments.images)]
    words += ["--model", arguments.model, "--variant", arguments.variant, "--reference", facts["reference"] or "none"]
    for defence in facts["defences"]:
        words += ["--defence", defence]
    words += ["--attack", facts["attack"], "--queries", str(arguments.queries), "--seed", str(arguments.seed)]
    return shlex.join([*words, "--side", str(arguments.side), "--device", facts["device"], "--json"])


def _to_json(facts: dict[str, Any], report: AuditReport) -> dict[str, Any]:
    return facts | {
        "sound": report.sound,
        "findings": [finding.to_json() for finding in report.findings],
        "gradient_calls": report.gradient_calls,
        "queries": report.queries,
        "seconds": round(report.seconds, 2),
    }


def _print(facts: dict[str, Any], report: AuditReport, device: str) -> None:
    behind = f" behind {', '.join(facts['defences'])}" if facts["defences"] else ""
    print(f"{facts['model']} {facts['variant']}{behind}, against {facts['reference'] or 'no reference'}")
    print(f"{facts['attack']}; {facts['photos']} photos of {facts['side']} px; {device}")
    for finding in report.findings:
        print(f"{finding.verdict:<8} {finding.name:<19} {'; '.join(map(str, finding.figures))}".rstrip())
        if finding.verdict != "pass":
            cost = finding.cost
            told = "" if cost is None else f" What that costs: a gain of {cost[0]:.1f} % to {cost[1]:.1f} %."
            print(f"{'':9}{finding.meaning}{told} {finding.advice}".rstrip())
    counts = {verdict: sum(f.verdict == verdict for f in report.findings) for verdict in ("pass", "doubt", "not run")}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()), end="")
    print(f"; {report.gradient_calls} gradients and {report.queries} scores of all photos in {report.seconds:.0f} s")
