"""The page as it is written: no part of it is built, but for what build_page.py puts beside it."""
