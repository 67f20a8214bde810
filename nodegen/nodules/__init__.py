"""CT nodules, prepared into a library: ``patches`` reads them, ``prepare`` projects them."""
