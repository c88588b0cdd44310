"""The interpreter: attributes of a target's hidden layers, one linear layer on them, and a decoder."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from jaxpath.flint.attributes import Attributes
from jaxpath.flint.decoder import ConvDecoder, DenseDecoder
from jaxpath.layers import uniform_init
from jaxpath.places import grid_of, on_grid
from jaxpath.types import InputError, Params, Site, Target


class InterpreterOutput(NamedTuple):
    """What the interpreter says of a batch.

    Attributes:
        attributes: phi(x), [B, J].
        logits: [B, K], of the linear layer on the attributes.
        reconstruction: Normalised images [B, H, W, C], decoded from the attributes.
    """

    attributes: Array
    logits: Array
    reconstruction: Array


class Interpreter(nn.Module):
    """Psi, h and d of FLINT (Parekh et al. 2021, arXiv 2010.09345, official code).

    Attributes:
        sites: The target's feature maps that are read, from shallow to deep.
        num_classes: K.
        image_shape: (H, W, C).
        num_attributes: J.
        width: Channels of the attributes' convolutions.
        slope: Of the attributes' activations below 0; see :class:`~jaxpath.flint.attributes.Attributes`.
        decoder: Ends in a transposed convolution ("conv") or in a dense layer ("dense").
        grid_channels: Channels of the decoder's first grid.
        decoder_widths: Channels of the decoder's transposed convolutions that do not make the image.
        nonnegative: Whether normalised images have no values below 0.
    """

    sites: tuple[Site, ...]
    num_classes: int
    image_shape: tuple[int, int, int]
    num_attributes: int = 25
    width: int = 64
    slope: float = 0.01
    decoder: Literal["conv", "dense"] = "conv"
    grid_channels: int = 2
    decoder_widths: tuple[int, ...] = (8,)
    nonnegative: bool = True

    @nn.compact
    def __call__(self, features: Mapping[str, Array], keep: Array | None = None) -> InterpreterOutput:
        """Reads ``features``; ``keep`` [B, J] is the dropout before the linear layer, 0 or 1 / (1 - rate)."""
        maps = [on_grid(features[site.name], site) for site in self.sites]
        attributes = Attributes(self.num_attributes, self.width, self.slope, name="attributes")(maps)
        kept = attributes if keep is None else attributes * keep
        head = nn.Dense(self.num_classes, **uniform_init(self.num_attributes), name="head")
        maker = ConvDecoder if self.decoder == "conv" else DenseDecoder
        decode = maker(
            self.image_shape, self.grid_channels, self.decoder_widths, self.nonnegative, name="decoder"
        )
        return InterpreterOutput(attributes, head(kept), decode(attributes))


def make_interpreter(target: Target, sites: Sequence[str] = (), **options: Any) -> Interpreter:
    """An interpreter for ``target``.

    Args:
        target: The classifier.
        sites: Names of the feature maps to read, in any order; none takes :func:`default_sites`.
        **options: Further fields of :class:`Interpreter`, such as ``num_attributes``.

    Raises:
        InputError: A name is no site of the target, or a site without space.

    >>> from jaxpath import targets
    >>> interpreter = make_interpreter(targets.resnet8(image_size=8, channels=1), num_attributes=12)
    >>> [site.name for site in interpreter.sites], interpreter.num_attributes
    (['004.layer2.0.relu2', '006.layer3.0.relu2'], 12)
    """
    spatial = {site.name: site for site in target.sites if grid_of(site)}
    names = sites or default_sites(target)
    if unknown := [name for name in names if name not in spatial]:
        raise InputError(
            f"attributes were to read {unknown}, which are no feature maps of {target.name}; choose among "
            f"{list(spatial)}"
        )
    return Interpreter(
        tuple(spatial[name] for name in sorted(names)),
        target.num_classes,
        target.preprocessing.shape,
        nonnegative=not any(target.preprocessing.mean),
        **options,
    )


def default_sites(target: Target) -> tuple[str, ...]:
    """The last feature map of each of the two smallest sizes, or the only one. Our choice.

    >>> from jaxpath import targets
    >>> default_sites(targets.resnet20())
    ('012.layer2.2.relu2', '018.layer3.2.relu2')
    """
    last = {grid: site.name for site in target.sites if (grid := grid_of(site))}
    return tuple(sorted(last.values())[-2:])


def init_interpreter(
    interpreter: Interpreter, target: Target, target_params: Params, *, key: Array
) -> Params:
    """Fresh parameters for the features of ``target``: U(-1/sqrt(fan_in), 1/sqrt(fan_in)) everywhere."""

    @jax.jit
    def init(key: Array, target_params: Params) -> Params:
        images = jnp.zeros((1, *interpreter.image_shape), jnp.uint8)
        return interpreter.init(key, target.apply(target_params, images).features)

    return init(key, target_params)


def interpret(
    interpreter: Interpreter, params: Params, features: Mapping[str, Array], keep: Array | None = None
) -> InterpreterOutput:
    """What ``interpreter`` says of the features of a batch; see :meth:`Interpreter.__call__`."""
    return cast(InterpreterOutput, interpreter.apply(params, features, keep))


def head_kernel(params: Params) -> Array:
    """Weights of the linear layer, [J, K]."""
    return params["params"]["head"]["kernel"]
