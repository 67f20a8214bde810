"""What a detector learns from synthetic nodules, measured on real ones: ``nodegen utility``.

:mod:`~nodegen.evaluation.utility.run_utility` holds the steps in their order.
"""
