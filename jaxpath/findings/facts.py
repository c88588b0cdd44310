"""What a page says about a picture, measured: plain values and small arrays, no JAX."""

from typing import NamedTuple

import numpy as np

from jaxpath.findings.assessing import Assessment
from jaxpath.findings.words import Word
from jaxpath.types import Site


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
        score: Its score; those of one picture can be compared.
        strength: Its largest response here over the largest in the reference; None without one.
        words: What somebody says it stands for; empty if nobody does.
        here: The part of the picture that excites it most.
        crops: The parts of the reference images that excite it most, the strongest first.
    """

    site: Site
    channel: int
    score: float
    strength: float | None
    words: Word
    here: np.ndarray
    crops: tuple[Thumbnail, ...]


class Neighbour(NamedTuple):
    """A reference image, and the IoU of its pathway with the picture's."""

    thumbnail: Thumbnail
    iou: float


class ClassPathway(NamedTuple):
    """The pathway of the explained class.

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
        top: The most probable classes and their probabilities, the most probable first.
        assessment: What may be concluded about it.
        mask: bool [N], the open channels in forward order.
        dead_share: Share of the open gates whose activation is 0.
        saliency: [2, H, W], signed input gradient of the class's logit (less the other one's, if it is
            explained rather than another) in the whole network, and through the pathway.
        channels: The strongest channels.
        class_pathway: None if there is none.
        examples: Some of the pictures of other classes that the pathway was put on, those that get its class
            most probably first, with the class predicted by the whole network.
        probabilities: Of the pathway's class on each of the examples.
        same: Nearest reference images of the same predicted class.
        others: Nearest ones of other classes.
        words: What the pathway opens more than chance or, with class pathways, than other classes do.
        beside_class: The pathway in words beside its class's; None without words or class pathways.
        maps: Further maps of the class over the pixels of the whole network, by the attribution's name,
            [H, W] each.
    """

    name: str
    image: np.ndarray
    top: tuple[tuple[int, float], ...]
    assessment: Assessment
    mask: np.ndarray
    dead_share: float
    saliency: np.ndarray
    channels: tuple[StrongChannel, ...]
    class_pathway: ClassPathway | None
    examples: tuple[Thumbnail, ...]
    probabilities: tuple[float, ...]
    same: tuple[Neighbour, ...]
    others: tuple[Neighbour, ...]
    words: tuple[WordShare, ...] = ()
    beside_class: WordComparison | None = None
    maps: tuple[tuple[str, np.ndarray], ...] = ()

    @property
    def explained(self) -> int:
        """The class that the pathway is of."""
        return self.assessment.explained

    @property
    def density(self) -> float:
        """Share of open neurons."""
        return self.assessment.density

    @property
    def neurons(self) -> str:
        """What :attr:`density` counts: ``channels``, or ``units`` where a channel may be open in part."""
        return "channels" if abs(self.mask.mean() - self.density) < 1e-4 else "units"
