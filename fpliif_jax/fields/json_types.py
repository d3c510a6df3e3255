"""What is read from JSON, or becomes JSON, where nothing says more of its keys."""

from typing import Any

JsonObject = dict[str, Any]
Fields = dict[str, Any]  # of a config, by name with dots
