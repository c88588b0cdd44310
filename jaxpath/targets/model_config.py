"""``config.json`` beside timm's weights: which network they are of, and how their pictures were prepared."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxpath.naming import HUB
from jaxpath.targets import registry
from jaxpath.targets.downloads import address_of, download, parse_hub_path
from jaxpath.targets.headers import parse_object
from jaxpath.targets.linen import IMAGENET
from jaxpath.targets.preprocessing import deviations, interpolation, numbers, positive
from jaxpath.types import InputError, Preprocessing

_FILE = "config.json"
_POOLS = (None, "avg", "fast", "token")
"""Global pools of the networks here, by timm's names."""

_SAME_FUNCTION = frozenset(
    ("num_classes", "in_chans", "img_size", "pretrained", "drop_rate", "drop_path_rate", "global_pool")
)
"""Arguments of timm's models that do not change what a trained network computes, or that are looked at."""

_CROP_SHARE = 0.875
"""timm's, where a recipe does not say it; bicubic interpolation and ImageNet's colours are, too."""


class ModelConfig(NamedTuple):
    """What timm's ``config.json`` says.

    Attributes:
        source: Where it is.
        name: The target that computes the same function.
        num_classes: K; None if it is not said.
        channels: Of an image; None likewise.
        class_names: One name per class, or none.
        recipe: timm's ``pretrained_cfg``; None if there is none.
    """

    source: str
    name: str
    num_classes: int | None
    channels: int | None
    class_names: tuple[str, ...]
    recipe: Mapping[str, Any] | None

    def preprocessing(self, image_size: tuple[int, int] | None = None) -> Preprocessing | None:
        """The recipe's, at its own input size or at another; None if there is no recipe.

        As in timm, the shorter side becomes floor(size / crop_pct).
        """
        if self.recipe is None:
            return None
        crop = image_size or _input_size(self.recipe, self.source)[1:]
        mean = numbers(self.recipe.get("mean", IMAGENET.mean), "mean", self.source)
        return Preprocessing(
            resize=math.floor(min(crop) / _crop_share(self.recipe, self.source)),
            crop=crop,
            mean=mean,
            std=deviations(self.recipe.get("std", IMAGENET.std), len(mean), self.source),
            interpolation=interpolation(self.recipe.get("interpolation", "bicubic"), self.source),
        )


def find_config(path: str | Path) -> ModelConfig | None:
    """The configuration that belongs to a file of weights; None if there is none of timm's.

    Args:
        path: The file, beside which ``config.json`` lies; or ``hf://owner/name``, whose own is fetched.

    Raises:
        InputError: It is damaged or cannot be fetched, or it names a network or a preprocessing that is none
            of the library's.
    """
    address = address_of(path)
    if address.startswith(HUB):
        repository, _ = parse_hub_path(address)
        file = download(repository, _FILE, optional=True)
        source = f"{_FILE} of {HUB}{repository}"
    else:
        file = Path(address).expanduser().with_name(_FILE)
        source = str(file)
    if file is None or not file.is_file():
        return None
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{source} cannot be read ({error}); fetch it again, or move it away") from error
    return parse_config(parse_object(text, source), source)


def parse_config(config: Mapping[str, Any], source: str) -> ModelConfig | None:
    """What a ``config.json`` says; None if it is not of timm's form.

    Raises:
        InputError: It names a network or a preprocessing that is none of the library's.
    """
    architecture = config.get("architecture")
    if not isinstance(architecture, str):
        return None
    recipe = config.get("pretrained_cfg", config)
    if not isinstance(recipe, Mapping):
        raise InputError(f"{source} holds the pretrained_cfg {recipe!r}; expected an object with names")
    name = registry.published().get(architecture)
    arguments = config.get("model_args") or {}
    pool = config.get("global_pool", recipe.get("global_pool"))
    changed = sorted(set(arguments) - _SAME_FUNCTION) if isinstance(arguments, Mapping) else ["model_args"]
    if pool not in _POOLS or (isinstance(arguments, Mapping) and arguments.get("global_pool") not in _POOLS):
        changed.append("global_pool")
    if name is None or changed:
        what = f"{architecture} with {', '.join(changed)}" if name is not None else architecture
        raise InputError(
            f"{source} says that the weights are of {what}, which is none of the networks here, even if its "
            "tensors have the same names; give weights of one of them, or adapt your own network "
            f"(own-models.md); if {_FILE} belongs to other weights, keep these in a folder of their own"
        )
    has_recipe = "pretrained_cfg" in config or any(field in recipe for field in ("mean", "crop_pct"))
    num_classes = config.get("num_classes", recipe.get("num_classes"))
    result = ModelConfig(
        source,
        name,
        None if num_classes is None else positive(num_classes, "num_classes", source),
        _input_size(recipe, source)[0] if has_recipe else None,
        _class_names(config, recipe, num_classes),
        recipe if has_recipe else None,
    )
    result.preprocessing()
    return result


def _input_size(recipe: Mapping[str, Any], source: str) -> tuple[int, int, int]:
    size = recipe.get("input_size", (3, 224, 224))
    if not isinstance(size, list | tuple) or len(size) != 3 or size[1] != size[2]:
        raise InputError(
            f"{source} holds the input_size {size!r}; expected channels and a square, as [3, 224, 224]"
        )
    channels, height, width = (positive(length, "input_size", source) for length in size)
    return channels, height, width


def _crop_share(recipe: Mapping[str, Any], source: str) -> float:
    share = recipe.get("crop_pct", _CROP_SHARE)
    mode = recipe.get("crop_mode", "center")
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0.05 <= share <= 1:
        raise InputError(f"{source} holds the crop_pct {share!r}; expected a share from 0.05 to 1")
    if mode not in ("center", None):
        raise InputError(
            f"{source} holds the crop_mode {mode!r}; expected center, the only one that is known here: keep "
            f"the weights in a folder without {_FILE} and give --resize, --crop, --mean and --std"
        )
    return share


def _class_names(config: Mapping[str, Any], recipe: Mapping[str, Any], num_classes: Any) -> tuple[str, ...]:
    """Names only if there is one for each class."""
    for names in (config.get("label_names"), recipe.get("label_names"), config.get("labels")):
        if isinstance(names, list) and len(names) == num_classes:
            return tuple(map(str, names))
    return ()
