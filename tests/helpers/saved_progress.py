"""What tests save as the progress of a run."""


def saved_progress(step: int) -> dict:
    """Of a run of two classes, as JSON; it holds a number that decimals round."""
    config = {"model": {"num_classes": 11, "group_blocks": [1, 2]}, "eval": {"rows": ["256"]}}
    return {
        "step": step,
        "config": config,
        "fingerprint": "f" * 64,
        "class_names": ["background", "skin"],
        "exact": 0.1 + 0.2,
    }
