"""Signs of the verdicts and of the answers to planned questions, distinct in shape as well as by colour."""

SLUGS = {
    "reproduced": "same",
    "reproduced within margin": "near",
    "not reproduced": "off",
    "inconclusive": "open",
    "not comparable": "apart",
    "as expected": "same",
    "not as expected": "off",
}

# For text without pictures.
LETTERS = {
    "reproduced": "●",
    "reproduced within margin": "◐",
    "not reproduced": "✕",
    "inconclusive": "?",
    "not comparable": "⊘",
    "as expected": "●",
    "not as expected": "✕",
}

# Bodies of 16 by 16 pixel SVG symbols in the current colour.
SHAPES = {
    "same": (
        '<circle cx="8" cy="8" r="7.5" fill="currentColor"/>'
        '<path d="M4.4 8.3 7 10.9l4.8-5.4" fill="none" stroke="var(--paper)" stroke-width="1.8"/>'
    ),
    "near": (
        '<circle cx="8" cy="8" r="6.7" fill="none" stroke="currentColor" stroke-width="1.6"/>'
        '<path d="M8 1.3a6.7 6.7 0 0 0 0 13.4z" fill="currentColor"/>'
    ),
    "off": (
        '<rect x=".7" y=".7" width="14.6" height="14.6" rx="2" fill="currentColor"/>'
        '<path d="m4.6 4.6 6.8 6.8m0-6.8-6.8 6.8" stroke="var(--paper)" stroke-width="1.9"/>'
    ),
    "open": (
        '<path d="M8 .9 15.3 14.6H.7z" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        '<path d="M8 5.6v4.6m0 1.3v1.5" stroke="currentColor" stroke-width="1.6"/>'
    ),
    "apart": (
        '<circle cx="8" cy="8" r="6.8" fill="none" stroke="currentColor" stroke-width="1.4" '
        'stroke-dasharray="2.6 1.9"/><path d="M4.6 8h6.8" stroke="currentColor" stroke-width="1.6"/>'
    ),
}
