"""STN-iCNN's protocols, a function each; `PROTOCOLS` has their names."""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections

from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.nn.applied import Applied
from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.labeller import NO_LABEL, labels_of
from fpliif_jax.systems.pixels import to_unit_range
from fpliif_jax.systems.protocol import IGNORE_LABEL, Measure, Prediction, Protocol
from fpliif_jax.systems.stn_icnn import framing, windows
from fpliif_jax.systems.stn_icnn import settings as stn_icnn_settings
from fpliif_jax.systems.stn_icnn.model import STNICNN

Array = jax.Array


class _Faces:
    """A batch and what the networks make of it, each part computed when a protocol first asks for it."""

    def __init__(
        self,
        model: nn.Module,
        settings: ml_collections.ConfigDict,
        variables: Variables,
        canvas: Array,
        truth: Array,
        image_sizes: Array,
    ) -> None:
        self._network, self._settings = Applied(model, variables), settings
        self._canvas, self._side = canvas, canvas.shape[1]
        self.truth, self._image_sizes = truth, image_sizes

    @functools.cached_property
    def truth_on_image(self) -> Array:
        """The truth, without the padding of the canvas."""
        is_image = framing.is_image(self._image_sizes, self._side)
        return jnp.where(is_image, self.truth, IGNORE_LABEL)

    @functools.cached_property
    def coarse_truth(self) -> Array:
        """The truth on the coarse network's grid."""
        settings = self._settings
        return framing.coarse_labels(
            self.truth, self._image_sizes, settings.coarse_size, settings.coarse_from
        )

    @functools.cached_property
    def _view(self) -> tuple[Array, Array | None]:
        return framing.coarse_view(self._canvas, self._image_sizes, self._settings)

    @functools.cached_property
    def coarse_logits(self) -> Array:
        """Logits of the coarse network, on its grid."""
        return self._network(STNICNN.label_coarsely, self._view[0])

    @functools.cached_property
    def mask(self) -> Array:
        """Class ids of the coarse network, on its grid."""
        return jnp.argmax(self.coarse_logits, axis=-1).astype(jnp.int32)

    @functools.cached_property
    def theta(self) -> Array:
        """The system's windows."""
        return self._network(STNICNN.localise, self.coarse_logits, self._side, self._view[1])

    @functools.cached_property
    def centred_theta(self) -> Array:
        """Windows around the centroids of the coarse mask."""
        return self._network(STNICNN.theta_of_mask, self.mask, self._side, self._view[1])

    @functools.cached_property
    def true_windows(self) -> tuple[Array, Array]:
        """See `windows.true_windows`."""
        return windows.true_windows(self.truth, self._settings)

    @functools.cached_property
    def labels(self) -> Array:
        """Class ids of the whole system, on the canvas."""
        return self.labels_in(self.theta, self.coarse_logits)

    @functools.cached_property
    def errors(self) -> dict[Measure, Array]:
        """Errors of the system's windows."""
        return self.errors_of(self.theta)

    def labels_in(self, theta: Array, coarse_logits: Array | None = None) -> Array:
        """Class ids of the fine networks in these windows, on the canvas; see `windows.are_numbers`."""
        parts = self._network(STNICNN.crop, self._canvas, theta)
        logits = self._network(STNICNN.label_parts, parts)
        probabilities = self._network(STNICNN.join, logits, theta, self._side)
        are_numbers = windows.are_numbers(theta, coarse_logits)[:, None, None]
        return jnp.where(are_numbers, labels_of(probabilities), NO_LABEL).astype(jnp.int32)

    def errors_of(self, theta: Array) -> dict[Measure, Array]:
        """See `windows.window_errors`."""
        return windows.window_errors(
            theta, *self.true_windows, self._side, self._settings.theta_form
        )


def _image(faces: _Faces) -> Prediction:
    """The whole system, scored on the pixels of the image."""
    return Prediction(faces.truth_on_image, faces.labels, faces.errors)


def _canvas(faces: _Faces) -> Prediction:
    """The same with the canvas's padding, as the authors' notebooks do (their test_ABC.py crops it off)."""
    return Prediction(faces.truth, faces.labels, faces.errors)


def _true_windows(faces: _Faces) -> Prediction:
    """The fine networks on windows around the true centroids: what localisation costs."""
    theta, has_window = faces.true_windows
    # A window of no extent covers nothing: a part without a true one is not looked for.
    labels = faces.labels_in(theta * has_window[:, :, None, None])
    return Prediction(faces.truth_on_image, labels, {})


def _centroid_windows(faces: _Faces) -> Prediction:
    """… around the centroids of the coarse mask: the baseline's cropper."""
    theta = faces.centred_theta
    labels = faces.labels_in(theta, faces.coarse_logits)
    return Prediction(faces.truth_on_image, labels, faces.errors_of(theta))


def _coarse(faces: _Faces) -> Prediction:
    """The coarse network alone, on its own grid."""
    are_finite = windows.are_finite(faces.coarse_logits)[:, None, None]
    labels = jnp.where(are_finite, faces.mask, NO_LABEL)
    return Prediction(faces.coarse_truth, labels, faces.errors)


PROTOCOLS: dict[str, Callable[[_Faces], Prediction]] = {
    "image": _image,
    "canvas": _canvas,
    "true_windows": _true_windows,
    "centroid_windows": _centroid_windows,
    "coarse": _coarse,
}


def parse_protocol(text: str, config: ml_collections.ConfigDict) -> Protocol:
    """Finds a protocol by its name.

    Raises:
      SettingsError: there is none of that name.
    """
    if text not in PROTOCOLS:
        raise SettingsError(f"{text!r}: a protocol is one of {', '.join(PROTOCOLS)}")
    side = config.data.image_size
    scored_at = config.model.coarse_size if text == "coarse" else side
    return Protocol(scored_at, scored_at, text, truth_size=side)


def make_predictor(
    model: nn.Module, config: ml_collections.ConfigDict, protocols: Sequence[Protocol]
) -> Callable[[Variables, dict[str, Array]], dict[str, Prediction]]:
    """Builds a function of (variables, batch) that gives each protocol's prediction by its key.

    Protocols with windows of their own measure them, see `windows.window_errors`.
    """
    settings = stn_icnn_settings.resolve(config.model)
    side = config.data.image_size

    def predict(variables: Variables, batch: dict[str, Array]) -> dict[str, Prediction]:
        canvas = to_unit_range(batch["images"])
        truth = batch[f"labels_{side}"].astype(jnp.int32)
        faces = _Faces(model, settings, variables, canvas, truth, batch["image_sizes"])
        return {protocol.key: PROTOCOLS[protocol.name](faces) for protocol in protocols}

    return predict
