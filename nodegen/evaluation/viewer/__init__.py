"""Radiographs in a browser at full depth, in one page that needs no network."""
