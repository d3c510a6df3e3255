"""A study as HTML, Markdown, LaTeX and CSV."""
