"""What a detector learns from synthetic nodules, measured on real ones.

One protocol (:mod:`~nodegen.evaluation.utility.protocol`), three depths: a small network on
patches, a network on whole radiographs, and the paper's own detector. The command is ``nodegen
utility``, the function :func:`nodegen.evaluation.utility.run.utility`.
"""
