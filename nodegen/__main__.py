"""``python -m nodegen``."""

import sys

from nodegen.cli import main

if __name__ == "__main__":
    sys.exit(main())
