"""Results as PNG figures for talks and documents, each with the command that makes it written below.

Drawn with matplotlib's objects, without its global state, so that any thread may draw.
"""
