"""LAP-extended networks: targets whose pools attend, built new or from trained ones, and what they show."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array

from jaxpath.attributions import Attribution, upsample
from jaxpath.lap.layers import AttentionMaps, AttentionPooling
from jaxpath.targets import Pooling
from jaxpath.types import InputError, Params, Target, TargetOutput

MakeTarget = Callable[..., Target]
"""A maker of targets that takes ``pooling``, such as ``targets.resnet18``."""

MOST_CONCEPTS = 50
"""Classes up to which every site has a concept for each; beyond, inner sites have one for all: foreground."""

_DEFAULT_SITES = 3


class LapOutput(NamedTuple):
    """What a LAP net says of a batch.

    Attributes:
        logits: [B, K].
        features: Site name -> activation.
        scores: Module of a LAP site -> scores before the sigmoid, [B, H, W, K] or [B, H, W, 1]; sorted by
            name, they are in forward order.
        pooled_scores: The scores in [0, 1], pooled: [B, H', W', K], [B, K] after the final pool.
        attended: Features of the last LAP site, pooled by each concept, [B, K, C].
        complement: The same of what each concept leaves out.
    """

    logits: Array
    features: dict[str, Array]
    scores: dict[str, Array]
    pooled_scores: dict[str, Array]
    attended: Array
    complement: Array


def extend(
    make_target: MakeTarget,
    *,
    sites: Sequence[str] | None = None,
    num_concepts: int | None = None,
    alpha: float = 0.1,
    gate: float | None = -6.0,
    read_out: Literal["class", "merged"] = "class",
    bias: float = -2.0,
    **options: Any,
) -> Target:
    """Makes a target that pools by local attention, near its ordinary pooling at the start.

    The result is a target like any other; its outputs carry maps of attention, which :func:`read` reads. With
    ``alpha=2, gate=None, bias=-9`` it is the net to train from scratch, with the defaults the one to put
    :func:`keep_weights` into.

    Args:
        make_target: ``targets.resnet18``, ``targets.vgg16_bn`` or any maker that takes ``pooling``.
        sites: Places that attend, of :func:`places`; None: the last three.
        num_concepts: K of the sites but the final pool; None: one for each class up to
            :data:`MOST_CONCEPTS` classes, else one.
        alpha: Initial sharpness.
        gate: Initial value, before the sigmoid, of the gates of strides and maximum pools; None: no gates.
        read_out: See :class:`~jaxpath.lap.layers.AttentionPooling`.
        bias: Initial score of every pixel, before the sigmoid: -2 is a probability of .119, -9 one of .0001.
            The lower it is, the less background has to be unlearnt, and the later foreground is learnt.
        **options: Keywords of ``make_target``.

    Raises:
        InputError: A site is no place of the network, or ``alpha`` is out of range.

    >>> from jaxpath import targets
    >>> target = extend(targets.resnet8, image_size=8, channels=1)
    >>> key, images = jax.random.key(0), jnp.zeros((2, 8, 8, 1))
    >>> output = jax.eval_shape(lambda key: target.apply(target.init(key), images), key)
    >>> {name: scores.shape for name, scores in read(output).scores.items()}
    {'lap0_layer2': (2, 8, 8, 10), 'lap1_layer3': (2, 4, 4, 10), 'lap2_avgpool': (2, 2, 2, 10)}
    """
    known = places(make_target, **options)
    sites = known[-_DEFAULT_SITES:] if sites is None else tuple(sites)
    if not sites or (unknown := [site for site in sites if site not in known]):
        raise InputError(
            f"attention was asked for at {unknown if sites else 'no place'}; choose among the places of "
            f"this network, {', '.join(known)}"
        )
    attending = tuple(place for place in known if place in sites)
    plain = make_target(**options)
    inner = num_concepts or (plain.num_classes if plain.num_classes <= MOST_CONCEPTS else 1)
    final = known[-1] == "avgpool"
    counts = [plain.num_classes if final and site == known[-1] else inner for site in attending]
    pooling = AttentionPooling(attending, tuple(counts), alpha, gate, read_out, bias)
    return make_target(pooling=pooling, **options)._replace(name=f"{plain.name}_lap")


def places(make_target: MakeTarget, **options: Any) -> tuple[str, ...]:
    """The places of a network where attention can be put, in forward order.

    >>> from jaxpath import targets
    >>> places(targets.resnet20)
    ('layer2', 'layer3', 'avgpool')
    """
    names: dict[str, None] = {}
    make_target(pooling=_Lister(names), **options)
    return tuple(names)


def keep_weights(target: Target, trained: Params, *, key: Array) -> Params:
    """Parameters of a LAP target from those of the target that it extends; the rest is drawn anew.

    Raises:
        InputError: ``trained`` are not the parameters of the same network with ordinary pooling.
    """
    fresh, kept = flatten_dict(dict(target.init(key))), flatten_dict(dict(trained))
    plain = {path: leaf.shape for path, leaf in fresh.items() if not _is_lap(path)}
    if plain != {path: leaf.shape for path, leaf in kept.items()}:
        wrong = sorted("/".join(path) for path in plain.keys() ^ kept.keys())[:4]
        raise InputError(
            f"the weights do not fit {target.name}: {', '.join(wrong) or 'shapes differ'}; give those of the "
            "same network with ordinary pooling"
        )
    return unflatten_dict({**fresh, **kept})


def plain_weights(params: Params) -> Params:
    """The inverse of :func:`keep_weights`: a LAP target's parameters without those of its attention."""
    return unflatten_dict({path: leaf for path, leaf in flatten_dict(params).items() if not _is_lap(path)})


def read(output: TargetOutput) -> LapOutput:
    """The maps of a LAP target's output.

    Raises:
        InputError: The target has no LAP site.
    """
    maps = output.records(AttentionMaps)
    if not maps:
        raise InputError("the target records no attention; make it with jaxpath.lap.extend")
    last = list(maps.values())[-1]
    return LapOutput(
        output.logits,
        output.features,
        {name: m.scores for name, m in maps.items()},
        {name: m.pooled for name, m in maps.items()},
        cast(Array, last.attended),
        cast(Array, last.complement),
    )


def explain(
    output: LapOutput, classes: Array, *, size: tuple[int, int], combine: Literal["mean", "product"] = "mean"
) -> tuple[Array, dict[str, Array]]:
    """Where the evidence for ``classes`` [B] lies, at the image's ``size``.

    Returns:
        The geometric mean of the sites' maps, or their product, [B, *size] in [0, 1]: coarse maps gate fine
        ones; and the map of each site.
    """
    maps = {
        name: upsample(own_concept(jax.nn.sigmoid(scores), classes), size)
        for name, scores in output.scores.items()
    }
    logs = jnp.stack([jnp.log(values + 1e-12) for values in maps.values()])
    return jnp.exp(logs.mean(axis=0) if combine == "mean" else logs.sum(axis=0)), maps


def own_concept(values: Array, classes: Array) -> Array:
    """The concept of each image's class, [B, ..., K] -> [B, ...]; a single concept belongs to all classes."""
    if values.shape[-1] == 1:
        return values[..., 0]
    index = classes.reshape((-1,) + (1,) * (values.ndim - 1))
    return jnp.take_along_axis(values, index, axis=-1)[..., 0]


def make_attention(target: Target, *, combine: Literal["mean", "product"] = "mean") -> Attribution:
    """The attention of a LAP target as an attribution beside all others: one forward pass, no gradient."""

    def attribute(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        output = read(target.apply(params, images))
        return explain(output, labels, size=(images.shape[1], images.shape[2]), combine=combine)[0]

    return attribute


def _is_lap(path: Sequence[str]) -> bool:
    """Whether a parameter belongs to a LAP site."""
    return any(name.startswith("lap") and name[3:4].isdigit() for name in path)


@dataclasses.dataclass(frozen=True, eq=False)
class _Lister(Pooling):
    """Ordinary pooling that notes the places it is asked for."""

    names: dict[str, None] = dataclasses.field(default_factory=dict)

    def transition(self, place, x):
        self._note(place)
        return super().transition(place, x)

    def max_pool(self, place, *arguments):
        self._note(place)
        return super().max_pool(place, *arguments)

    def average_pool(self, place, x, window):
        self._note(place)
        return super().average_pool(place, x, window)

    def read_out(self, place, x, classifier):
        self._note(place)
        return super().read_out(place, x, classifier)

    def _note(self, place: str) -> None:
        self.names[place] = None
