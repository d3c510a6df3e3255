"""The devices and hosts of a run: sharing the work out, joining, and what is said when a process is lost."""
