"""The command line: `robustiqa COMMAND ...`.

JSON goes to standard output, progress to standard error, and so does whatever models of the user's own print; bad
input ends with one line and exit status 2. Places for results are checked before the work begins, and a file that is
there already is replaced only with --overwrite. Each command is a module of this package with `add_arguments(parser)`
and `run(arguments) -> exit status`; it is imported only when it is called, so that no command waits for what another
one needs.
"""

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

from robustiqa_core import __version__
from robustiqa_core.cli.messages import one_line, warn
from robustiqa_core.errors import RobustIQAError

COMMANDS: dict[str, str] = {
    "models": "list the bundled models and what their cards say",
    "score": "score photos",
    "certify": "bound a photo's score behind median smoothing against every small perturbation",
    "attack": "attack a photo and save the adversarial image",
    "train": "train a baseline on photos with human scores",
    "order-head": "refit a baseline's last layer so that scores fall when photos get worse",
    "train-scnn": "train DBCNN's second branch, which tells distortions apart, on clean photos",
    "train-uap": "train one perturbation for all photos, which the attack uap uses",
    "prune-plan": "say which filters of a model would go, layer by layer, and what that would save",
    "harden": "harden a model: a block, pruning and fine-tuning, with or without human scores",
    "evaluate-mos": "measure the agreement of a model with human scores",
    "measure-range": "measure the range of models' own clean scores, and write it into their cards",
    "measure-attacked": "attack hardened models once more as `harden` does, and write the figures into their cards",
    "evaluate": "attack photos with several models, attacks and strengths, and write one table",
    "evaluate-order": "attack photos against their rank, and say what is left of their order",
    "score-table": "compute all robustness figures from a table of clean and attacked scores",
    "series": "check that the score falls when photos get worse step by step",
    "audit": "say whether a model is robust or only looks so",
    "spectrum": "show in which frequencies and colours a perturbation's energy lies",
    "sensitivity": "measure how much waves of each frequency move a model's score",
    "amplification": "follow a perturbation through a model's layers, next to noise of the same size",
    "import-checkpoint": "make a published checkpoint ready for the app",
    "selfcheck": "check this installation: weights, gradients, attacks on a problem with a known answer",
}


class _Parser(argparse.ArgumentParser):
    """argparse with errors of one line."""

    def error(self, message: str) -> "None":  # type: ignore[override]
        self.exit(2, one_line(f"{self.prog}: {message} (see {self.prog} --help)") + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0, 1 for a failed check or a part that was left out, 2 for bad input.

    Args:
        arguments: the words of the command; without them those that the program was started with.
    """
    _print_any_name()
    words = list(sys.argv[1:] if arguments is None else arguments)
    overview = _Parser(
        prog="robustiqa",
        description="See, measure and repair the adversarial fragility of image-quality models.",
        epilog="commands: " + "; ".join(f"{name}: {text}" for name, text in COMMANDS.items()),
    )
    overview.add_argument("--version", action="version", version=f"robustiqa {__version__}")
    overview.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=", ".join(COMMANDS))
    command = overview.parse_args(words[:1] or ["--help"]).command
    module = importlib.import_module(f"robustiqa_core.cli.{command.replace('-', '_')}")
    parser = _Parser(prog=f"robustiqa {command}", description=COMMANDS[command].capitalize() + ".")
    module.add_arguments(parser)
    parsed = parser.parse_args(words[1:])
    # A pipe that was closed early, as by `| head`, ends the program quietly, as it does others.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Imported here, since they import torch, which the overview does not need.
    importlib.import_module("robustiqa_core.device").keep_freed_memory()
    explain = importlib.import_module("robustiqa_core.files").explain
    try:
        status = int(module.run(parsed))
        sys.stdout.flush()
    except RobustIQAError as error:
        warn(f"robustiqa {command}: {error}")
        return 2
    # What no check has foreseen, such as a disk that is full by now.
    except OSError as error:
        place = "" if error.filename is None else f" at {os.fsdecode(error.filename)}"
        warn(f"robustiqa {command}: expected a file that can be read or written{place}, got {explain(error)}; check it")
        return 2
    except MemoryError:
        warn(f"robustiqa {command}: the memory of this computer is used up; use smaller photos, as with --max-side")
        return 2
    except KeyboardInterrupt:
        warn(f"robustiqa {command}: interrupted")
        return 130
    if arguments is None:
        _end_results()
    return status


def _print_any_name() -> None:
    """Let names of files be printed that are no text in the terminal's encoding: as escapes, which JSON reads back."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end_results() -> None:
    """Send what is still printed while the program ends, as by the code of a model, to standard error."""
    sys.stdout = sys.stderr
    os.dup2(2, 1)
