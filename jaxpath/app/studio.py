"""What the page asks: a classifier and its reference, opened once, and pathways that are data.

Opened by :func:`jaxpath.app.command.open_studio`; the page shows under "The same in Python" how.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxpath import explainers, report
from jaxpath.app.methods import by_hand, make_method
from jaxpath.app.uploads import read_upload
from jaxpath.cli.leaving import results_of
from jaxpath.cli.workplace import Workplace
from jaxpath.fills import as_one_program
from jaxpath.findings import (
    Asked,
    Assessment,
    ClassPathways,
    Conditions,
    Context,
    Control,
    Extent,
    ImageFinding,
    Measured,
    Pictures,
    Reference,
    Survey,
    Words,
    assess,
    find_images,
    others_for,
    put_to_test,
    survey,
)
from jaxpath.findings.assessing import probabilities
from jaxpath.findings.measuring import NUM_RANDOM
from jaxpath.findings.pairs import Pairs, predict_pairs, saliency_pairs
from jaxpath.findings.profiles import profile_channel
from jaxpath.metrics import Method
from jaxpath.pathways import top_fraction
from jaxpath.types import InputError, Target

GENERATOR = "generator"
"""What readers call the trained generator among the explainers."""

EXPLAINERS = ("taylor_signed", "taylor", "integrated_gradients", "activation", "random")
"""Those whose scores give a pathway of any density."""

ASKING = "taylor_signed"
"""An explainer that can be asked for any class."""

QUICK = Extent(random=0, foreign=8)
"""What is measured while a slider moves."""

_PLACE = np.zeros(1, np.int64)
"""Of the picture among all: what is drawn for it is what ``jaxpath explain`` draws for a single one."""


class Look(NamedTuple):
    """A picture, and what an explainer says about it.

    Attributes:
        pictures: The picture.
        survey: Scores of all channels, logits, strongest responses.
        explainer: Its name.
        against: The class rather than which the explained one is asked for; None: rather than all others.
    """

    pictures: Pictures
    survey: Survey
    explainer: str
    against: int | None

    @property
    def label(self) -> int:
        """The class that is explained."""
        return int(self.survey.classes[0])

    @property
    def clean(self) -> float:
        """Its probability in the whole network; among these two, if it is asked for rather than another."""
        return float(probabilities(self.survey.logits, self.survey.classes, self.against)[0])

    @property
    def own_mask(self) -> np.ndarray:
        """The pathway that the explainer gives by itself, bool [N]."""
        return self.survey.records.masks[0].astype(bool)


class RandomControl(NamedTuple):
    """Closing channels by hand beside closing as many random ones of the same pathway at the same sites.

    Attributes:
        by_hand: Probability of the class with these closed.
        random: With as many random ones closed, several draws.
    """

    by_hand: float
    random: Control


class Studio:
    """A classifier, opened once; safe to ask from several threads, one answer at a time.

    Args:
        workplace: Session, explainer, what closed channels hold, names of the classes.
        reference: Pictures to compare with; None: there are none.
        class_pathways: Learned from them; None: there are none.
        words: What channels stand for.
    """

    def __init__(
        self,
        workplace: Workplace,
        *,
        reference: Reference | None = None,
        class_pathways: ClassPathways | None = None,
        words: Words | None = None,
    ):
        self.workplace = workplace
        self.reference = reference
        self.class_pathways = class_pathways
        self.words = words
        self.target: Target = workplace.target
        self.names = report.Names(workplace.class_names)
        self._methods: dict[tuple[str, int | None], Method] = {}
        self._by_hand = by_hand(self.target)
        self._lock = threading.Lock()

    @property
    def explainers(self) -> tuple[str, ...]:
        """Names of the explainers, the first one that the studio was opened with."""
        first = GENERATOR if self._learned else self.workplace.method.name.split(" ")[0]
        return (first, *(name for name in EXPLAINERS if name != first))

    @property
    def _learned(self) -> bool:
        return bool(self.workplace.method.params)

    def read(self, picture: str | Path | bytes, name: str = "picture") -> Pictures:
        """A picture, from a file or the bytes of one.

        Raises:
            InputError: It is no picture, or too large.
        """
        if not isinstance(picture, bytes):
            path = Path(picture)
            try:
                picture, name = path.read_bytes(), str(path)
            except OSError as error:
                raise InputError(f"{path} cannot be read: {error.strerror}; give an image file") from error
        with self._lock:
            return read_upload(self.workplace.session, picture, name)

    def from_reference(self, place: int) -> Pictures:
        """A picture of the reference, by its place there.

        Raises:
            InputError: There is none.
        """
        count = 0 if self.reference is None else len(self.reference.pictures.names)
        if self.reference is None or not 0 <= place < count:
            raise InputError(f"picture {place} of the reference was asked for; it has {count}")
        return self.reference.pictures.take([place])

    def look(
        self,
        pictures: Pictures,
        explainer: str | None = None,
        *,
        label: int | None = None,
        against: int | None = None,
    ) -> Look:
        """What an explainer says about a picture.

        Args:
            pictures: The picture.
            explainer: One of :attr:`explainers`; None takes the first.
            label: The class that is explained; None: the predicted one.
            against: The class rather than which; None: rather than all others.

        Raises:
            InputError: The explainer cannot be asked for a class, or there is no such class.
        """
        name = self.explainers[0] if explainer is None else explainer
        if name not in self.explainers:
            raise InputError(
                f"there is no explainer {name!r} here; choose one of {', '.join(self.explainers)}"
            )
        if not self.asks(name) and (label is not None or against is not None):
            able = ", ".join(filter(self.asks, self.explainers))
            raise InputError(f"{name} explains the predicted class only; to ask for a class choose {able}")
        with self._lock:
            surveyed = survey(
                self._session, self._method(name, against), pictures, label=label, title="explaining"
            )
        if against == int(surveyed.classes[0]):
            raise InputError(f"{self.names.quoted(int(against))} was named as both classes; name two")
        return Look(pictures, surveyed, name, against)

    def asks(self, explainer: str) -> bool:
        """Whether an explainer can be asked for a class; others explain the predicted one."""
        return explainer != GENERATOR and explainers.BASELINES[explainer].asks

    def put_on(self, look: Look, mask: np.ndarray, pictures: Pictures) -> Look:
        """Another picture under the pathway of ``look``: the same class and the same scores.

        Args:
            look: Where the pathway is from.
            mask: Its open channels, bool [N].
            pictures: The other picture.
        """
        with self._lock:
            surveyed = self._surveyed(look._replace(pictures=pictures), mask)
        return look._replace(pictures=pictures, survey=surveyed)

    def cut(self, look: Look, density: float) -> np.ndarray:
        """The pathway of a density: the channels of the highest scores, as explainers cut it; bool [N]."""
        return np.asarray(top_fraction(jnp.asarray(look.survey.scores), density))[0] > 0

    def measure(self, look: Look, mask: np.ndarray) -> Measured:
        """The figures of a pathway that a moving slider shows, with fewer pictures than a verdict needs.

        Args:
            look: Its picture and class.
            mask: Its open channels, bool [N].
        """
        images, classes = look.pictures.images, look.survey.classes
        asked = Asked(images, _row(mask, look), classes, _PLACE, look.against, QUICK)
        conditions = self._conditions(look)
        with self._lock:
            return put_to_test(
                self._session,
                asked,
                fills=conditions.fills,
                others=conditions.others,
                seed=conditions.seed,
            )[0]

    def assess(self, look: Look, mask: np.ndarray) -> Assessment:
        """What may be concluded from a pathway: what ``jaxpath explain`` concludes from it.

        Args:
            look: Its picture and class.
            mask: Its open channels, bool [N].
        """
        with self._lock:
            surveyed = self._surveyed(look, mask)
            return assess(self._session, look.pictures, surveyed, self._conditions(look))[0]

    def beside_random(self, look: Look, start: np.ndarray, mask: np.ndarray) -> Mapping[str, RandomControl]:
        """Channels that were closed by hand, beside as many random ones of the same pathway: by ablation.

        Args:
            look: The picture and its class.
            start: The pathway before, bool [N].
            mask: What is left of it, bool [N].
        """
        closed = start & ~mask
        drawn = self._drawn_within(start, closed)
        table = np.concatenate([_row(mask, look), _row(drawn, look)])
        pictures, masks = np.zeros(len(table), np.int64), np.arange(len(table))
        pairs = Pairs(pictures, masks, np.repeat(look.survey.classes, len(table)), look.against)
        controls = {}
        with self._lock:
            for name, fill in as_one_program(self.workplace.fills).items():
                under = self._session._replace(fill=fill)
                outcome = predict_pairs(under, look.pictures.images, table, pairs)
                wins = outcome.predicted[1:] == look.label
                controls[name] = RandomControl(
                    float(outcome.probability[0]), Control.of(outcome.probability[1:], wins)
                )
        return controls

    def _drawn_within(self, start: np.ndarray, closed: np.ndarray) -> np.ndarray:
        """``start`` with as many random channels of it closed at each site, [draws, N]."""
        rng = np.random.default_rng([self.workplace.method.seed, 1])
        masks = []
        for _ in range(NUM_RANDOM):
            mask = start.copy()
            first = 0
            for site in self.target.sites:
                part = slice(first, first + site.channels)
                opened = first + np.flatnonzero(start[part])
                mask[rng.permutation(opened)[: int(closed[part].sum())]] = False
                first += site.channels
            masks.append(mask)
        return np.stack(masks)

    def saliency(self, look: Look, mask: np.ndarray) -> np.ndarray:
        """Input gradient of the class in the whole network and through the pathway, [2, H, W]."""
        row = _row(mask, look)
        table = np.concatenate([np.ones_like(row), row])
        classes = np.repeat(look.survey.classes, 2)
        pairs = Pairs(np.zeros(2, np.int64), np.arange(2), classes, look.against)
        with self._lock:
            return saliency_pairs(self._session, look.pictures.images, table, pairs)

    def finding(self, look: Look, mask: np.ndarray) -> ImageFinding:
        """Everything that a report says about exactly this pathway on this picture."""
        with self._lock:
            surveyed = self._surveyed(look, mask)
            conditions = self._conditions(look)._replace(class_pathways=self.class_pathways)
            assessments = assess(self._session, look.pictures, surveyed, conditions)
            return find_images(
                self._session,
                look.pictures,
                surveyed,
                context=Context(self.reference, self.class_pathways, self.words),
                assessments=assessments,
                seed=self.workplace.method.seed,
            )[0]

    def page(self, look: Look, finding: ImageFinding, *, by_hand: bool = False) -> str:
        """The report about a picture, as HTML."""
        return report.image_page(
            [finding], self._as_shown(look, finding, by_hand).setting(reference=self._said)
        )

    def results(self, look: Look, finding: ImageFinding, *, by_hand: bool = False) -> dict[str, Any]:
        """The same as plain values; see docs/results.md."""
        return results_of(self._as_shown(look, finding, by_hand), [finding.assessment], {})

    def profile(self, site: int, channel: int) -> str:
        """The page about a channel over the reference, as HTML.

        Raises:
            InputError: There is no reference.
        """
        if self.reference is None:
            raise InputError(
                "what a channel does is told over reference pictures; name some with --reference"
            )
        with self._lock:
            profile = profile_channel(
                self.reference.pictures,
                self.reference.survey,
                self.target.sites,
                (site, channel),
                words=self.words,
                seed=self.workplace.method.seed,
            )
        return report.channel_page(profile, self.workplace.setting(reference=self._said))

    def class_mask(self, label: int) -> np.ndarray:
        """The pathway of a class, bool [N].

        Raises:
            InputError: There is none.
        """
        learned = self.class_pathways
        if learned is None or not learned.known[label]:
            raise InputError(
                f"there is no pathway of {self.names.quoted(label)}: the reference has too few pictures of it"
            )
        return learned.masks[label].astype(bool)

    @property
    def _session(self) -> Any:
        return self.workplace.session

    @property
    def _said(self) -> str:
        return "" if self.reference is None else f"{len(self.reference.pictures.names)} pictures"

    def _method(self, name: str, against: int | None) -> Method:
        if name == self.explainers[0] and against is None:
            return self.workplace.plain_method or self.workplace.method
        if (name, against) not in self._methods:
            self._methods[name, against] = make_method(self.target, name, against, self.workplace.method.seed)
        return self._methods[name, against]

    def _surveyed(self, look: Look, mask: np.ndarray) -> Survey:
        """The survey with another pathway."""
        params = jnp.asarray(mask, jnp.float32), jnp.asarray(look.survey.scores[0])
        method = Method("by hand", self._by_hand, params, self.workplace.method.seed)
        return survey(self._session, method, look.pictures, label=look.label, title="pathway")

    def _conditions(self, look: Look) -> Conditions:
        others = others_for(look.pictures, look.survey, self.reference)
        return Conditions(self.workplace.fills, others, against=look.against, seed=self.workplace.method.seed)

    def _as_shown(self, look: Look, finding: ImageFinding, by_hand: bool) -> Workplace:
        """The workplace with what the pathway was made by."""
        name = f"{look.explainer} at density {finding.density:.3g}{', edited by hand' if by_hand else ''}"
        return self.workplace._replace(method=self.workplace.method._replace(name=name))


def _row(mask: np.ndarray, look: Look) -> np.ndarray:
    """Masks [N] or [M, N] in the form of the survey's table."""
    return np.atleast_2d(mask).astype(look.survey.records.masks.dtype)
