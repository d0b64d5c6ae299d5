"""Tables that people bring: read in every usual form, and human scores matched with photos."""
