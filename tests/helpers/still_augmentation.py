"""Settings of config.augment that leave images and labels as they are, for tests of what else is done to them."""

STILL = {
    "rotation_degrees": 0.0,
    "shear_degrees": (0.0, 0.0),
    "scale": (1.0, 1.0),
    "brightness": (1.0, 1.0),
    "contrast": (1.0, 1.0),
    "saturation": (1.0, 1.0),
    "hue": (0.0, 0.0),
}
