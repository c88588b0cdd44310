"""What a file of weights may leave open: its network, its state, and how pictures become inputs."""

import dataclasses
from typing import TYPE_CHECKING, Any

from jaxpath.choices import LARGEST, Interpolation
from jaxpath.errors import InputError

if TYPE_CHECKING:
    from jaxpath.types import Preprocessing

NO_CLASSIFIER = (
    "no classifier was named; give --weights, or --target package.module:function for one of your own"
)
"""What is said where neither is given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreprocessingOptions:
    """How pictures become inputs, where the weights do not say it.

    Attributes:
        mean: Mean of each colour channel for pixel values in [0, 1], or one number for all; None keeps what
            the weights say, or what is usual for the model.
        std: Standard deviation of each channel, likewise.
        resize: Shorter side in pixels before the crop, likewise.
        crop: Side of the central crop, the same as the image size, likewise.
        interpolation: How pictures are resampled, likewise.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: int | None = None
    crop: int | None = None
    interpolation: Interpolation | None = None

    def check(self) -> None:
        """Raises an error if a number makes no sense."""
        for name, largest in LARGEST.items():
            values = getattr(self, name)
            if values is None:
                continue
            if not values or not all(0 <= value <= largest for value in values):
                raise InputError(
                    f"--{name} is {' '.join(map(str, values)) or 'empty'}; expected numbers for pixel values "
                    f"in [0, 1], from 0 to {largest:g}: divide those for values up to 255 by 255"
                )
            if name == "std" and min(values) == 0:
                raise InputError(
                    "--std has a 0, by which pixel values would be divided; expected numbers above it"
                )

    def given(self) -> tuple[str, ...]:
        """The flags that are set."""
        names = (field.name for field in dataclasses.fields(self))
        return tuple(f"--{name}" for name in names if getattr(self, name) is not None)

    def side(self, image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
        """(H, W) that the crop or ``image_size`` asks for; None if neither does.

        Raises:
            InputError: They ask for different ones.
        """
        by_size = (image_size, image_size) if isinstance(image_size, int) else image_size
        by_crop = None if self.crop is None else (self.crop, self.crop)
        if None not in (by_size, by_crop) and by_size != by_crop:
            raise InputError(
                f"--crop is {self.crop} and --image-size is {image_size}, which are the same thing; give one"
            )
        return by_crop or by_size

    def changed(self, preprocessing: "Preprocessing") -> "Preprocessing":
        """``preprocessing`` with what is set here, but for the crop, which a target has from its maker.

        Raises:
            InputError: There is not one number per channel, or the crop would be larger than the picture.
        """
        self.check()
        channels = len(preprocessing.mean)
        changes: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("resize", "interpolation")
            if getattr(self, name) is not None
        }
        for name in LARGEST:
            values = getattr(self, name)
            if values is None:
                continue
            if len(values) not in (1, channels):
                raise InputError(
                    f"--{name} has {len(values)} numbers; expected one for each of the {channels} channels, "
                    "or one for all"
                )
            changes[name] = tuple(map(float, values)) * (channels // len(values))
        result = preprocessing._replace(**changes)
        if self.resize is not None and self.resize < min(result.crop):
            raise InputError(
                f"--resize is {self.resize} and the crop is {result.crop[0]} x {result.crop[1]}; expected a "
                "shorter side that is not below the crop's: give a smaller --crop too"
            )
        return result


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightsOptions:
    """What a file of weights may leave open.

    Attributes:
        state: Of a checkpoint that holds several: ema (the averaged one), raw, or its key; None takes raw.
        target: A classifier of your own as package.module:function, in place of the model: a function that
            returns a target, or a target and its parameters, which needs no weights then.
    """

    state: str | None = None
    target: str | None = None
    preprocessing: PreprocessingOptions = dataclasses.field(default_factory=PreprocessingOptions)
