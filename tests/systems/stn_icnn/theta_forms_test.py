"""θ of hand-made centres, and back."""

import jax.numpy as jnp
import numpy as np

from fpliif_jax.systems.stn_icnn import theta_forms


def test_theta_of_centres_and_back() -> None:
    rng = np.random.default_rng(11)
    centres = rng.uniform(0, 200, (2, 6, 2)).astype(np.float32)
    theta = theta_forms.theta_of_centres(jnp.asarray(centres), 81, 201)
    assert theta.dtype == jnp.float32
    np.testing.assert_allclose(theta[1, 3], [[0.4, 0, centres[1, 3, 1] / 100 - 1],
                                             [0, 0.4, centres[1, 3, 0] / 100 - 1]], atol=1e-6)  # fmt: skip
    np.testing.assert_allclose(theta_forms.centres_of_theta(theta, 201), centres, rtol=0, atol=1e-4)
    half = theta_forms.theta_of_centres(jnp.asarray(centres), 81, 201, "eq21_half_pixel")
    found = theta_forms.centres_of_theta(half, 201, "eq21_half_pixel")
    np.testing.assert_allclose(found, centres, rtol=0, atol=1e-4)
    assert theta_forms.pixels_per_scale(201, "eq21_half_pixel") == 201
    assert theta_forms.pixels_per_scale(201) == 200
    literally = theta_forms.theta_of_centres(jnp.asarray(centres), 81, 200, "eq21")
    np.testing.assert_allclose(
        literally[0, 0, 0], [0.405, 0, centres[0, 0, 1] / 100 - 1], atol=1e-6
    )
