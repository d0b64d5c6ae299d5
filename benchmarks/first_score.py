"""How long from the command to the first score, and what the time is spent on.

    python benchmarks/first_score.py [--photo FILE] [--repeats 5] [--json FILE]

Times `robustiqa score PHOTO` as a whole, from a warm disk, and, in fresh processes of their own, its parts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from robustiqa_core.images.samples import list_samples

_PARTS = """
import json, sys, time
marks = [("start", time.perf_counter())]
mark = lambda name: marks.append((name, time.perf_counter()))
import torch
mark("import torch")
from robustiqa_core.device import keep_freed_memory
from robustiqa_core.images.photo import read_image
from robustiqa_core.checkpoints.storage import load_scorer
from pathlib import Path
keep_freed_memory()
mark("import our code")
scorer = load_scorer("linearity", "baseline", device=torch.device("cpu"))
mark("load the checkpoint")
photo = read_image(Path(sys.argv[1]))
mark("decode the photo")
with torch.inference_mode():
    scorer(photo.images)
mark("first score")
with torch.inference_mode():
    scorer(photo.images)
mark("second score")
print(json.dumps({name: b - a for (_, a), (name, b) in zip(marks, marks[1:])}))
"""


def timed(command: list[str]) -> tuple[float, str]:
    """Return the seconds that a command takes and what it prints."""
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def main() -> None:
    """Print one table; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photo", type=Path, default=list_samples()[0].path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    photo = str(arguments.photo)
    wholes, parts, empty = [], [], []
    for _ in range(arguments.repeats + 1):
        empty.append(timed([sys.executable, "-c", "pass"])[0])
        wholes.append(timed([sys.executable, "-m", "robustiqa_core", "score", photo, "--json"])[0])
        parts.append(json.loads(timed([sys.executable, "-c", _PARTS, photo])[1]))
    # The first of each warms the disk.
    rows = {"python itself": statistics.median(empty[1:])}
    rows |= {name: statistics.median(part[name] for part in parts[1:]) for name in parts[0]}
    whole = statistics.median(wholes[1:])
    print(f"{'robustiqa score, whole':<24}{whole * 1e3:>8.0f} ms")
    for name, seconds in rows.items():
        print(f"  {name:<22}{seconds * 1e3:>8.0f} ms {seconds / whole:>6.0%}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"whole": whole, "parts": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
