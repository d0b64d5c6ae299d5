"""Tables of robustness: photos x models x attacks x strengths, row by row, and what they say."""
