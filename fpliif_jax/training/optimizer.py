"""Adam, and its learning rate by step."""

import jax
import jax.numpy as jnp
import ml_collections
import optax

from fpliif_jax.fields import field_checks


def learning_rate_schedule(
    settings: ml_collections.ConfigDict, rate: float, steps_per_epoch: int
) -> optax.Schedule:
    """Learning rate by step of a stage.

    FP-LIIF §4.2: divided by 10 after every 20 epochs; STN-iCNN §2.5.2: halved every 5.

    Args:
      settings: config.train.
      rate: at the first step.
      steps_per_epoch: batches in an epoch.

    Raises:
      SettingsError: settings.schedule is unknown.
    """
    field_checks.check({"train.schedule": settings.schedule})
    if settings.schedule == "step":

        def step_schedule(step: jax.typing.ArrayLike) -> jax.Array:
            decays = (jnp.asarray(step) // steps_per_epoch) // settings.decay_every_epochs
            factor = jnp.float32(settings.decay_factor)
            return jnp.float32(rate) * factor ** decays.astype(jnp.float32)

        return step_schedule
    if settings.schedule == "cosine":
        return optax.cosine_decay_schedule(rate, settings.epochs * steps_per_epoch)
    return optax.constant_schedule(rate)


def make_optimizer(
    settings: ml_collections.ConfigDict,
    learning_rates: float | dict[str, float],
    steps_per_epoch: int,
) -> optax.GradientTransformation:
    """Adam as in both papers, with PyTorch's defaults (β 0.9 and 0.999, ε 1e-8), which optax shares.

    Args:
      settings: config.train.
      learning_rates: of all parameters, or by network: then for parameters under these keys.
      steps_per_epoch: batches in an epoch.

    Raises:
      SettingsError: settings.optimizer is unknown.
    """
    field_checks.check({"train.optimizer": settings.optimizer})

    def adam(rate: float) -> optax.GradientTransformation:
        own = optax.adam(learning_rate_schedule(settings, rate, steps_per_epoch))

        def update(
            updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
        ) -> tuple[optax.Updates, optax.OptState]:
            # Optax raises β, a float, to the power of the step, an int32.
            with jax.numpy_dtype_promotion("standard"):
                return own.update(updates, state, params)

        return optax.GradientTransformation(own.init, update)

    if not isinstance(learning_rates, dict):
        return adam(learning_rates)
    return optax.partition(
        {network: adam(rate) for network, rate in learning_rates.items()},
        lambda params: {
            network: jax.tree.map(lambda _, network=network: network, subtree)
            for network, subtree in params.items()
        },
    )
