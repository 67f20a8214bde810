"""What a detector learns from synthetic nodules, measured on real ones.

One protocol (:mod:`~nodegen.evaluation.utility.protocol`), three models: a small detector on
whole radiographs, a classifier of patches, and the paper's own detector. The command is ``nodegen
utility``, the function :func:`nodegen.evaluation.utility.run_utility.utility`.
"""
