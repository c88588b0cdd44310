"""What a page says about a picture, measured: plain values and small arrays, no JAX."""

from typing import NamedTuple

import numpy as np

from jaxpath.types import Site


class Confidence(NamedTuple):
    """Probability of the predicted class in the network as it is and with some channels closed.

    Attributes:
        clean: The whole network.
        pathway: The pathway alone.
        removed: Everything but the pathway.
        random: Random channels in the pathway's place, as many; the mean of a few draws.
        class_pathway: The class's pathway alone; None if there is none.
    """

    clean: float
    pathway: float
    removed: float
    random: float
    class_pathway: float | None


class Thumbnail(NamedTuple):
    """A picture or a part of one, uint8 [h, w, C], and what to write under it."""

    image: np.ndarray
    name: str
    predicted: int


class StrongChannel(NamedTuple):
    """A channel that counts much for a picture.

    Attributes:
        site: The site.
        channel: Its number there.
        strength: Its largest response here over the largest in the reference; None without one.
        words: What somebody says it stands for; empty if nobody does.
        here: The part of the picture that excites it most.
        crops: The parts of the reference images that excite it most, the strongest first.
    """

    site: Site
    channel: int
    strength: float | None
    words: str
    here: np.ndarray
    crops: tuple[Thumbnail, ...]


class Leakage(NamedTuple):
    """What the pathway makes of pictures of something else.

    Attributes:
        blank: Mean probability of the pathway's class on pictures of nothing.
        blank_share: Share of these that are predicted as it.
        num_foreign: Reference images of other classes that were tried; 0 without a reference.
        foreign: Mean probability on those; NaN if there are none.
        foreign_share: Share of them that are predicted as the pathway's class; NaN if there are none.
        examples: Some of them, those of the highest probability first, with the class predicted without
            a mask.
        probabilities: Of the pathway's class on each of the examples.
    """

    blank: float
    blank_share: float
    num_foreign: int
    foreign: float
    foreign_share: float
    examples: tuple[Thumbnail, ...]
    probabilities: tuple[float, ...]


class Neighbour(NamedTuple):
    """A reference image, and the IoU of its pathway with the picture's."""

    thumbnail: Thumbnail
    iou: float


class ClassPathway(NamedTuple):
    """The pathway of the predicted class.

    Attributes:
        frequency: [N], the share of the class's images whose pathway keeps each channel.
        mask: bool [N].
        num_images: Images that it was learned from.
        iou: With the picture's own pathway.
    """

    frequency: np.ndarray
    mask: np.ndarray
    num_images: int
    iou: float


class WordShare(NamedTuple):
    """A word, how many of the channels that bear it a pathway opens, and how many there are."""

    word: str
    num_open: int
    num_channels: int


class WordComparison(NamedTuple):
    """Two pathways in words.

    Attributes:
        both: Of the channels that both open.
        first: Of those that only the first one opens.
        second: Of those that only the second one opens.
    """

    both: tuple[WordShare, ...]
    first: tuple[WordShare, ...]
    second: tuple[WordShare, ...]


class ImageFinding(NamedTuple):
    """Everything about one picture.

    Attributes:
        name: Such as the path of its file.
        image: uint8 [H, W, C], as the classifier sees it.
        label: The true class; ``data.UNLABELLED`` if it is not known.
        top: The most probable classes and their probabilities, the most probable first.
        masked_predicted: The class predicted under the pathway.
        mask: bool [N], the open channels in forward order.
        density: Share of open neurons.
        dead_share: Share of the open gates whose activation is 0.
        confidence: With and without the pathway.
        saliency: [2, H, W], signed input gradient of the class's logit in the whole network, and through
            the pathway.
        channels: The strongest channels.
        class_pathway: None if there is none.
        leakage: What the pathway does to other pictures.
        same: Nearest reference images of the same predicted class.
        others: Nearest ones of other classes.
        words: What the pathway opens more than chance or, with class pathways, than other classes do.
        beside_class: The pathway in words beside its class's; None without words or class pathways.
    """

    name: str
    image: np.ndarray
    label: int
    top: tuple[tuple[int, float], ...]
    masked_predicted: int
    mask: np.ndarray
    density: float
    dead_share: float
    confidence: Confidence
    saliency: np.ndarray
    channels: tuple[StrongChannel, ...]
    class_pathway: ClassPathway | None
    leakage: Leakage
    same: tuple[Neighbour, ...]
    others: tuple[Neighbour, ...]
    words: tuple[WordShare, ...] = ()
    beside_class: WordComparison | None = None

    @property
    def predicted(self) -> int:
        """The class predicted by the whole network, which the pathway explains."""
        return self.top[0][0]

    @property
    def neurons(self) -> str:
        """What :attr:`density` counts: ``channels``, or ``units`` where a channel may be open in part."""
        return "channels" if abs(self.mask.mean() - self.density) < 1e-4 else "units"
