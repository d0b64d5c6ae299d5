"""`robustiqa score-table`: all figures from anybody's clean and attacked scores, under every convention."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from robustiqa_core.checks import check_choice
from robustiqa_core.cli.figures import mos_notes, print_summaries
from robustiqa_core.cli.options import add_json, print_json
from robustiqa_core.evaluation.tables.runs import clean_ranges, worst_runs
from robustiqa_core.evaluation.tables.score_table import read_score_table
from robustiqa_core.evaluation.tables.summary import Reference, Summary, summarise
from robustiqa_core.metrics.scale import CONVENTIONS, Convention
from robustiqa_core.scorer import ScoreRange


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "table",
        type=Path,
        metavar="FILE.csv",
        help="columns model, image, clean, attacked; optional attack, strength, mos (all scores: larger is better); or "
        "one column for each strength, such as attacked_eps=2/255",
    )
    parser.add_argument(
        "--baseline", metavar="MODEL", help="model whose range the convention baseline uses (default: the first)"
    )
    parser.add_argument(
        "--fixed-range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="nominal scale of the scores, such as 0 100; without it the convention fixed is omitted",
    )
    parser.add_argument(
        "--lower-is-better", action="store_true", help="scores in the table fall with quality, like NIQE; negate them"
    )
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap draws (default: %(default)s)")
    parser.add_argument("--csv", action="store_true", help="print CSV, one line for each run and convention")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the table and print its figures."""
    runs = read_score_table(arguments.table, lower_is_better=arguments.lower_is_better)
    own = clean_ranges(runs)
    baseline = check_choice("--baseline", arguments.baseline or next(iter(own)), own)
    fixed = _fixed_range(arguments)
    reference = Reference(own, dict.fromkeys(own, baseline), own, fixed)
    # A model's own range is that of the photos of the table, so that `photos` would say `own` again.
    left_out = {"photos"} if fixed is not None else {"photos", "fixed"}
    conventions: list[Convention] = [name for name in CONVENTIONS if name not in left_out]
    summaries = summarise([*runs, *worst_runs(runs)], reference, conventions, resamples=arguments.resamples)
    notes = mos_notes(summaries[0])
    if arguments.lower_is_better:
        notes.append("lower is better in this table: clean and attacked scores are shown with their sign turned")
    for note in notes:
        print(note, file=sys.stderr)
    if arguments.json:
        told = {"baseline": baseline, "lower_is_better": arguments.lower_is_better, "notes": notes}
        print_json({**told, "conventions": [summary.to_json() for summary in summaries]})
    elif arguments.csv:
        _frame(summaries).to_csv(sys.stdout, index=False)
    else:
        print(f"baseline: {baseline}")
        print_summaries(summaries, spell_strength)
        if fixed is None:
            print("\nfixed is left out: give the nominal scale of the scores with --fixed-range LOW HIGH")
    return 0


def _fixed_range(arguments: argparse.Namespace) -> ScoreRange | None:
    """Return the nominal scale in the sign that the scores are shown in."""
    if arguments.fixed_range is None:
        return None
    low, high = arguments.fixed_range
    return ScoreRange(-high, -low) if arguments.lower_is_better else ScoreRange(low, high)


def spell_strength(strength: float) -> str:
    """Return a strength of unknown unit: in 255ths where it is such a fraction, else as it is.

    Example:
        >>> spell_strength(4 / 255), spell_strength(0.1), spell_strength(4.0)
        ('4/255', '0.1', '4')
    """
    levels = strength * 255
    return f"{round(levels)}/255" if 0 < strength < 1 and abs(levels - round(levels)) < 1e-9 else f"{strength:g}"


def _frame(summaries: tuple[Summary, ...]) -> pd.DataFrame:
    return pd.json_normalize([run.to_json() for summary in summaries for run in summary.runs])
