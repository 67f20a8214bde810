"""nodegen: synthetic lung nodules, harmonised into chest radiographs.

The path of a pixel is :mod:`nodegen.pipeline`; every step of the method is a module under the
paper's word for it.
"""

__version__ = "1.0.0"
