"""`python -m robustiqa_core` is `robustiqa`."""

import sys

from robustiqa_core.cli import main

sys.exit(main())
