"""The devices and hosts of a run: sharing the work out, joining, and messages about a process that is lost."""
