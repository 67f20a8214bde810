"""Radiographs in a browser at full depth: pixels packed into a page, and modules that show them.

The report and the reader study are both built on it. A page is one file that needs no network.
"""
