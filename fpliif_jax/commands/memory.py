"""Tells errors of too little memory, of the host or of a device, from others."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is Python's MemoryError, or JAX's of a device that has no more."""
    # By name: a command that has not imported JAX has no such error, and need not import it to know.
    of_jax = any(
        (one.__module__, one.__name__) == ("jax.errors", "JaxRuntimeError")
        for one in type(error).__mro__
    )
    # The second is what is said of the host's memory, by an error of the kind INTERNAL.
    words = ("RESOURCE_EXHAUSTED", "Out of memory allocating")
    return isinstance(error, MemoryError) or (of_jax and any(word in str(error) for word in words))
