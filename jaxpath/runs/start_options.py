"""What a training begins with, and what of it stays as it is."""

import dataclasses

from jaxpath.targets.partition import NOTHING, TRUNK
from jaxpath.types import InputError


def fixed_views(views: int | None, augment: str) -> int | None:
    """Fixed views of each image, for which what is frozen is run once; None if it is run at each step.

    Args:
        views: What was asked for.
        augment: The augmentation that draws them.

    Raises:
        InputError: Less than one is asked for, or several of pictures that are not augmented.
    """
    if views is not None and views < 1:
        raise InputError(f"--views is {views}; expected 1 or more")
    if augment == "none" and views not in (None, 1):
        raise InputError(
            f"--views is {views}, but without augmentation all views of a picture are the same; "
            "leave --views out, or choose an augmentation"
        )
    return views


@dataclasses.dataclass(frozen=True)
class StartOptions:
    """Weights to begin with, and what of them stays.

    Attributes:
        init_from: Weights of another classifier on the same trunk: .safetensors, .pth, or hf://owner/name.
            What they lack of the head, or have in another shape, is drawn anew.
        freeze: What stays as it is: trunk (all up to the last map), none, or all up to a site that everything
            passes, such as layer3.1.relu2.
        trunk_learning_rate: Peak for the trunk, where it is trained; None takes that of the head.
        views: Fixed random views of each image, for which the frozen part is run once. None draws a view
            each time, and runs it each time; without augmentation there is one view.
    """

    init_from: str | None = None
    freeze: str = NOTHING
    trunk_learning_rate: float | None = None
    views: int | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether something stays as it is."""
        return self.freeze != NOTHING

    def num_views(self, augment: str) -> int | None:
        """Fixed views of each image; None if the frozen part is run at each step.

        Raises:
            InputError: Several views of pictures that are not augmented are asked for.
        """
        if not self.is_frozen:
            return None
        views = fixed_views(self.views, augment)
        return 1 if augment == "none" else views

    def check(self) -> None:
        """Raises an error for options that contradict each other."""
        if self.is_frozen and self.init_from is None:
            raise InputError(
                f"--freeze is {self.freeze}, and without --init-from what is frozen would stay as it was "
                "drawn; give weights to begin with"
            )
        if self.views is not None and not self.is_frozen:
            raise InputError(
                "--views has no effect where nothing is frozen; leave it out, or give --freeze trunk"
            )
        if self.views is not None and self.views < 1:
            raise InputError(f"--views is {self.views}; expected 1 or more")
        if self.trunk_learning_rate is not None and (self.freeze == TRUNK or self.trunk_learning_rate < 0):
            raise InputError(
                f"--trunk-learning-rate is {self.trunk_learning_rate} with --freeze {self.freeze}; expected "
                "0 or more, and a trunk that is trained"
            )
