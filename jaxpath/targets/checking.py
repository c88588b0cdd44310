"""Whether a target keeps its contracts: one row for each, for any classifier, with what was found."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath import markup
from jaxpath.layers import normalize
from jaxpath.types import InputError, Params, Site, Target, TargetOutput

_CLOSE = 1e-4
"""Largest difference, as a share of the largest logit, that counts as rounding."""

_EXPLODES = 100.0
"""Logits that grow so many times when a channel is closed are no longer those of the network."""


_FIRST = ("logits are [B, K]", "features have the sites' shapes")
"""Without these, nothing else can be tried."""


class Check(NamedTuple):
    """One contract.

    Attributes:
        name: What is expected, as a sentence.
        passed: Whether it is so.
        found: What was found.
    """

    name: str
    passed: bool
    found: str


class Checks(tuple[Check, ...]):
    """The contracts of a target, as a table where it is printed."""

    def failures(self) -> list[str]:
        """Those that are broken, one sentence each."""
        return [f"{check.name}: {check.found}" for check in self if not check.passed]

    def __str__(self) -> str:
        width = max((len(check.name) for check in self), default=0)
        return "\n".join(
            f"{'ok    ' if check.passed else 'FAILED'}  {check.name:{width}}  {check.found}" for check in self
        )

    def _repr_html_(self) -> str:
        failed = len(self.failures())
        rows = [(check.name, "ok" if check.passed else "failed", check.found) for check in self]
        return markup.table(f"{len(self)} checks, {failed} failed", ("contract", "", "found"), rows)


def check(target: Target, params: Params, images: np.ndarray | Array) -> Checks:
    """Tries all that explainers and metrics rely on.

    Args:
        target: The classifier.
        params: Its parameters.
        images: Two or more images [B, H, W, C], uint8 or normalised; eight are plenty.

    Raises:
        InputError: There are fewer than two images.

    >>> from jaxpath import targets
    >>> from jaxpath.types import Preprocessing
    >>> def forward(params, images):
    ...     return jax.nn.relu(images.reshape(len(images), -1)) @ params
    >>> def init(key):
    ...     return jax.random.normal(key, (2, 2))
    >>> weights, pixels = jnp.array([[2.0, 0.0], [-1.0, 0.0]]), Preprocessing(None, (1, 2), (0.0,), (1.0,))
    >>> target = targets.adapt_function(forward, init=init, name="two", preprocessing=pixels)
    >>> check(target, weights, np.array([[[[0], [255]]], [[[255], [51]]]], np.uint8)).failures()
    []
    """
    images = np.asarray(images)
    if len(images) < 2:
        raise InputError(f"{len(images)} images were given; expected two or more, to see whether they mix")
    run = jax.jit(target.apply)
    clean = run(params, images)
    quick = Checks(tuple(_quick_checks(target, run, params, images, clean)))
    if any(not check.passed for check in quick if check.name in _FIRST):
        return quick
    return Checks((*quick, *_gate_checks(target, run, params, images, clean), *_other_checks(target, params)))


def check_quickly(target: Target, params: Params) -> Checks:
    """The part of :func:`check` that takes a forward pass or two, on random images."""
    shape = (3, *target.preprocessing.shape)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    run = jax.jit(target.apply)
    return Checks(tuple(_quick_checks(target, run, params, images, run(params, images))))


def _quick_checks(
    target: Target, run: Callable[..., TargetOutput], params: Params, images: np.ndarray, clean: TargetOutput
) -> Iterator[Check]:
    logits = np.asarray(clean.logits)
    finite = bool(np.isfinite(logits).all())
    yield Check("logits are finite", finite, f"{np.isfinite(logits).mean():.0%} are")
    expected = (len(images), target.num_classes)
    yield Check("logits are [B, K]", logits.shape == expected, f"{logits.shape} for {expected}")
    sums = logits.sum(axis=1)
    are_odds = bool((logits >= 0).all() and np.abs(sums - 1).max() < 0.02)
    yield Check(
        "logits are no probabilities", not are_odds, f"rows add up to {sums.min():.3g} to {sums.max():.3g}"
    )
    apart = _difference(np.asarray(run(params, images[::-1]).logits)[::-1], logits)
    yield Check("images do not mix", apart < _CLOSE, f"logits move by {apart:.1e} in another order")
    named = set(clean.features) == {site.name for site in target.sites}
    shaped = named and all(
        clean.features[site.name].shape[1:] == (*(site.spatial or ()), site.channels) for site in target.sites
    )
    yield Check("features have the sites' shapes", shaped, f"{len(target.sites)} sites")


def _gate_checks(
    target: Target, run: Callable[..., TargetOutput], params: Params, images: np.ndarray, clean: TargetOutput
) -> Iterator[Check]:
    sites, batch = target.sites, len(images)
    # Of NumPy, here as below: JAX would compile a program for the shapes of each site.
    ones = {site.name: np.ones((batch, site.channels), np.float32) for site in sites}
    moved = _difference(run(params, images, ones).logits, clean.logits)
    yield Check("open gates change nothing", moved < _CLOSE, f"logits move by {moved:.1e}")
    found = [_close(site, run, params, images, clean, ones) for site in sites]
    names = [site.name for site in sites]
    leaks, silent, wild = (
        [name for name, closed in zip(names, found, strict=True) if closed[place]] for place in range(3)
    )
    yield _about_sites("a closed channel is 0 and no other changes", leaks, len(sites))
    yield _about_sites("closing a site changes the logits", silent, len(sites))
    yield _about_sites("closing a channel leaves the logits in their range", wild, len(sites))
    gradients = jax.jit(jax.grad(lambda gates: target.apply(params, images, gates).logits.sum()))(ones)
    dead = [name for name, value in gradients.items() if not np.isfinite(value).all() or not np.any(value)]
    yield _about_sites("a gradient reaches every site's gates", dead, len(sites))
    yield Check("a gate of no site is refused", _refuses(target), "with the sites' names")


def _close(
    site: Site,
    run: Callable[..., TargetOutput],
    params: Params,
    images: np.ndarray,
    clean: TargetOutput,
    ones: Mapping[str, np.ndarray],
) -> tuple[bool, bool, bool]:
    """Whether closing the site's strongest channel does something else, and whether closing it does nothing.

    The third value says whether the logits leave their range without that channel.
    """
    feature = np.asarray(clean.features[site.name], np.float32)
    strongest = int(np.abs(feature).reshape(-1, site.channels).max(axis=0).argmax())
    gates = ones[site.name].copy()
    gates[:, strongest] = 0
    closed = run(params, images, {**ones, site.name: gates})
    wanted = np.where(np.arange(site.channels) == strongest, 0, feature)
    apart = np.abs(np.asarray(closed.features[site.name], np.float32) - wanted).max()
    shut = run(params, images, {**ones, site.name: 0 * gates})
    growth = np.abs(np.asarray(closed.logits)).max() / max(float(np.abs(clean.logits).max()), 1e-30)
    return (
        bool(apart > _CLOSE * np.abs(feature).max()),
        _difference(shut.logits, clean.logits) == 0,
        not growth <= _EXPLODES,
    )


def _other_checks(target: Target, params: Params) -> Iterator[Check]:
    init = jax.jit(target.init).trace(jax.random.key(0))
    # One that takes no key returns what there is: its arrays need not be compiled into a program.
    draw = init.lower().compile() if init.jaxpr.eqns else target.init
    first, second = (draw(jax.random.key(seed)) for seed in (0, 1))
    shapes = [
        [
            (jax.tree_util.keystr(path), np.shape(leaf))
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        ]
        for tree in (params, first)
    ]
    yield Check(
        "init returns parameters of the same shapes", shapes[0] == shapes[1], f"{len(shapes[1])} arrays"
    )
    drawn = any(not np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (first, second)), strict=True))
    found = "it does" if drawn else "the same for any key: sanity checks need reinitialise='permute'"
    yield Check("init draws", drawn, found)
    raw = np.random.default_rng(0).integers(0, 256, (2, *target.preprocessing.shape), dtype=np.uint8)
    outputs = [
        jax.jit(target.apply)(params, images).logits
        for images in (raw, jax.jit(normalize, static_argnums=1)(raw, target.preprocessing))
    ]
    apart = _difference(*outputs)
    yield Check("raw pixels are normalised within", apart < _CLOSE, f"logits move by {apart:.1e}")
    seen = "; ".join(target.notes) or "all were taken"
    yield Check("nonlinearities that are no sites are known", True, seen)


def _about_sites(name: str, broken: list[str], count: int) -> Check:
    return Check(name, not broken, f"not so at {', '.join(broken)}" if broken else f"{count} sites")


def _difference(values: Any, reference: Any) -> float:
    """Largest difference as a share of the largest value; infinite where something is not finite."""
    a, b = np.asarray(values, np.float32), np.asarray(reference, np.float32)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-30))


def _refuses(target: Target) -> bool:
    unknown: Mapping[str, Array] = {"no site": jnp.ones((1, 1))}
    try:
        images = jax.ShapeDtypeStruct((1, *target.preprocessing.shape), jnp.float32)
        shapes = jax.eval_shape(target.init, jax.random.key(0))
        jax.eval_shape(lambda params, x: target.apply(params, x, unknown), shapes, images)
    except InputError:
        return True
    except Exception:  # anything else is no sentence for a user
        return False
    return False
