"""The command lines of the commands on pictures: what may be given, and what is refused at once.

Importing this loads neither JAX nor the library: a command line is read and checked first.
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxpath.choices import ATTRIBUTIONS, CLIP, LEAST_PERMUTATIONS
from jaxpath.cli.limits import read_limit
from jaxpath.cli.options import MethodOptions, TargetOptions
from jaxpath.errors import InputError
from jaxpath.naming import look_for_data, look_for_file, look_for_names, look_for_weights


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explain:
    """Explains pictures by the channels that carry the classifier's decision, in one HTML report.

    jaxpath explain cat.jpg --weights resnet18.safetensors --class-names names.json --out report

    With --reference FOLDER (pictures, best in class folders) the report also shows what excites each
    channel, pictures with similar pathways, and what the pathway makes of pictures of other classes.

    Attributes:
        images: Picture files, and folders of them.
        out: Folder of report.html, results.json, pictures.csv, figures/, pathway.npz, manifest.json; beyond
            ten pictures also of pictures/, with --channels of channels/.
        class_: Explains this class, by its name or number, whatever the classifier says; None explains the
            class that it says.
        against: Explains the class rather than this one: the channels that speak for the difference.
        reference: Pictures to compare with: a folder, an .npz file, or another form of data set.
        class_pathways: The class_pathways.npz of jaxpath class-pathway, drawn beside each picture's own.
        words: What channels stand for: .json or .npz, words per site and channel.
        channels: Writes a page about each of the strongest channels, over the pictures of --reference, and
            links it from the report.
        details: How many pictures are shown in full; the list, results.json and pathway.npz hold all.
        fail_if: Ends with status 3 if a figure of the summary is beyond a limit, such as "leakage>0.5".
        skip_unreadable: Skip files that are not readable images.
    """

    images: tyro.conf.Positional[tuple[Path, ...]]
    out: Path
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None
    against: str | None = None
    reference: str | None = None
    class_pathways: Path | None = None
    words: Path | None = None
    attributions: Annotated[
        tuple[str, ...],
        tyro.conf.arg(
            help=f"Further maps of pixels that matter, beside the gradient: {', '.join(ATTRIBUTIONS[1:])}."
        ),
    ] = ()
    channels: bool = False
    details: int = 40
    fail_if: tuple[str, ...] = ()
    skip_unreadable: bool = False
    classifier: TargetOptions
    method: MethodOptions = dataclasses.field(default_factory=MethodOptions)

    def check(self) -> None:
        """Raises an :class:`InputError` if something is not there, or the options contradict each other."""
        if not self.images:
            raise InputError("no image was given; name image files or folders of them")
        for path in self.images:
            if not path.exists():
                raise InputError(f"there is no image {path}; give image files or a folder of them")
        if self.reference is not None:
            look_for_data(self.reference)
        look_for_file(
            self.class_pathways, "--class-pathways", "the class_pathways.npz of jaxpath class-pathway"
        )
        look_for_file(self.words, "--words", "the words.json of jaxpath dissect")
        for name in self.attributions:
            if name not in ATTRIBUTIONS:
                raise InputError(
                    f"there is no attribution named {name!r}; choose among {', '.join(ATTRIBUTIONS)}"
                )
        if self.channels and self.reference is None:
            raise InputError(
                "--channels was given without --reference, whose pictures the pages show; name some"
            )
        for option, value in (("--class", self.class_), ("--against", self.against)):
            if value is not None:
                self.method.check_asked(option)
        _check_limits(self.fail_if)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSetReport:
    """Explains a labelled data set: how alike pathways are within classes, how dense, which are unusual.

    jaxpath dataset-report --data cifar10.npz --split test --weights resnet20.safetensors --out report

    Attributes:
        data: digits, npz:FILE, folder:PATH, tar:FILE or tfds:NAME; a path alone is enough.
        out: Folder of data_set.html, results.json, pictures.csv, figures/, pathways.npz and manifest.json.
        split: Split to take; None takes train where there are splits, otherwise all.
        data_dir: Where TFDS data sets are prepared.
        images: Explains so many images, drawn by the seed; None takes all.
        controls: Puts the pathways of so many of these images to the test one by one, drawn by the seed.
        fail_if: Ends with status 3 if a figure of the summary is beyond a limit, such as "leakage>0.5".
        skip_unreadable: Skip files that are not readable images.
    """

    data: str
    out: Path
    split: str | None = None
    data_dir: str | None = None
    images: int | None = None
    controls: int = 100
    fail_if: tuple[str, ...] = ()
    skip_unreadable: bool = False
    classifier: TargetOptions
    method: MethodOptions = dataclasses.field(default_factory=MethodOptions)

    def check(self) -> None:
        """Raises an :class:`InputError` if something is not there."""
        look_for_data(self.data)
        _check_limits(self.fail_if)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnClassPathways:
    """Learns the pathways of classes from pictures, and puts them on pictures that were never seen.

    jaxpath class-pathway --data photographs --weights resnet18.safetensors --apply new.jpg --out classes

    The class of a picture is the one that the classifier says. A channel belongs to the pathway of a class
    if at least --threshold of its pictures keep it. jaxpath explain --class-pathways takes the file.

    Attributes:
        data: Pictures to learn from: a folder, an .npz file, or another form of data set.
        out: Folder of class_pathways.npz, class_pathways.png, results.json, pictures.csv and manifest.json,
            and with --apply of transfer.json.
        split: Split to take; None takes train where there are splits, otherwise all.
        data_dir: Where TFDS data sets are prepared.
        images: Learns from so many images, drawn by the seed; None takes all.
        threshold: Share of a class's pictures that must keep a channel.
        apply: Pictures to put the pathways on: files, folders, or one data set such as digits.
        apply_split: Split of that data set.
        words: What channels stand for, as jaxpath dissect leaves it: also writes class_words.html and .json.
        fail_if: Ends with status 3 if a figure of the summary is beyond a limit, such as "weak>0.5".
        skip_unreadable: Skip files that are not readable images.
    """

    data: str
    out: Path
    split: str | None = None
    data_dir: str | None = None
    images: int | None = None
    threshold: float = 0.5
    apply: tuple[str, ...] = ()
    apply_split: str | None = None
    words: Path | None = None
    fail_if: tuple[str, ...] = ()
    skip_unreadable: bool = False
    classifier: TargetOptions
    method: MethodOptions = dataclasses.field(default_factory=MethodOptions)

    def check(self) -> None:
        """Raises an :class:`InputError` if something is not there, or the options contradict each other."""
        look_for_data(self.data)
        if not self.apply and self.apply_split is not None:
            raise InputError("--apply-split was given without --apply; name a data set with --apply")
        if not 0 < self.threshold <= 1:
            raise InputError(
                f"the threshold is {self.threshold}; expected a share above 0 and up to 1, such as 0.5"
            )
        look_for_file(self.words, "--words", "the words.json of jaxpath dissect")
        _check_limits(self.fail_if)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dissect:
    """Names the channels of a classifier by the concepts that best describe the pictures that excite them.

    jaxpath dissect --data photographs --weights resnet18.safetensors --concepts words.txt --out words

    Pictures and concepts are embedded by CLIP (pip install torch transformers), whose embeddings are kept in
    ~/.cache/jaxpath, or are given. Without either, channels are named after the classes of the pictures; a
    class of which there is no picture is offered to none. The file words.json is for --words of jaxpath
    explain and jaxpath class-pathway.

    Attributes:
        data: Pictures: a folder, an .npz file, or another form of data set.
        out: Folder of words.json, dissection.npz and manifest.json.
        split: Split to take; None takes train where there are splits, otherwise all.
        data_dir: Where TFDS data sets are prepared.
        images: Looks at so many images, drawn by the seed; None takes all.
        concepts: A text file with one concept a line, to embed.
        encoder: CLIP or SigLIP model that embeds: a name on the Hugging Face Hub, or a folder.
        embeddings: .npz file with image_embeddings in the order of the data, text_embeddings and concepts.
        similarity: soft_wpmi, wpmi, rank_reorder, cosine, cosine_cubed or jensen_shannon.
        top_k: Pictures of a channel that count; None takes the similarity's own number.
        a: Sharpness of wpmi's softmax over concepts; None takes the similarity's own, which suits CLIP.
        permutations: Random orders of the pictures to compare every word's score with; 0: none.
        sites: Sites to name; none names all.
        reduce: What a feature map counts with.
        sampled: One draw per picture of units that compete, in place of the likeliest winners.
        winners_only: Leaves out pictures in which a unit that competes won nowhere.
        batch_size: Images at a time; None chooses.
        seed: Random seed.
        skip_unreadable: Skip files that are not readable images.
    """

    data: str
    out: Path
    split: str | None = None
    data_dir: str | None = None
    images: int | None = None
    concepts: Path | None = None
    encoder: str = CLIP
    embeddings: Path | None = None
    similarity: str = "soft_wpmi"
    top_k: int | None = None
    a: float | None = None
    permutations: int = LEAST_PERMUTATIONS
    sites: tuple[str, ...] = ()
    reduce: Literal["mean", "max"] = "mean"
    sampled: bool = False
    winners_only: bool = False
    batch_size: int | None = None
    seed: int = 0
    skip_unreadable: bool = False
    classifier: TargetOptions

    def check(self) -> None:
        """Raises an :class:`InputError` if something is not there, or the options contradict each other."""
        if self.embeddings is not None and self.concepts is not None:
            raise InputError(
                "--embeddings and --concepts were both given; the file of embeddings has concepts: leave one "
                "out"
            )
        look_for_data(self.data)
        look_for_file(self.concepts, "--concepts", "a text file with one concept a line")
        look_for_file(self.embeddings, "--embeddings", "an .npz file of embeddings")
        if self.permutations and self.permutations < LEAST_PERMUTATIONS:
            raise InputError(
                f"--permutations is {self.permutations}; expected {LEAST_PERMUTATIONS} or more, as fewer "
                "tell no word from chance, or 0 for none"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Channel:
    """Shows what one channel does: which pictures and classes excite it, and which channels go with it.

    jaxpath channel --site layer4.1.relu2 --channel 274 --data photographs --weights W --out out

    Attributes:
        site: Name of the channel's site, a part of it that no other has, or its position.
        channel: Number of the channel at that site.
        data: Pictures: a folder, an .npz file, or another form of data set.
        out: Folder of channel.html, results.json and pictures.csv.
        split: Split to take; None takes train where there are splits, otherwise all.
        data_dir: Where TFDS data sets are prepared.
        images: Looks at so many images, drawn by the seed.
        words: What channels stand for: .json or .npz, words per site and channel.
        skip_unreadable: Skip files that are not readable images.
    """

    site: str
    channel: int
    data: str
    out: Path
    split: str | None = None
    data_dir: str | None = None
    images: int = 500
    words: Path | None = None
    skip_unreadable: bool = False
    classifier: TargetOptions
    method: MethodOptions = dataclasses.field(default_factory=lambda: MethodOptions(ablation="zero"))

    def check(self) -> None:
        """Raises an :class:`InputError` if something is not there."""
        look_for_data(self.data)
        look_for_file(self.words, "--words", "the words.json of jaxpath dissect")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparePictures:
    """Sets two pictures, or two classifiers on one picture, side by side: what is shared, and what differs.

    jaxpath compare-pictures a.jpg b.jpg --weights resnet18.safetensors --out out
    jaxpath compare-pictures a.jpg --weights W --weights2 W2 --out out

    Attributes:
        images: Two pictures; one with --weights2.
        out: Folder of side_by_side.html, results.json, pictures.csv and manifest.json.
        weights2: Weights of a second classifier.
        model2: Its name; None reads it from the weights.
        class_names2: A .json list with its names of classes.
        reference: Pictures to compare with: a folder, an .npz file, or another form of data set.
        words: What channels stand for: .json or .npz, words per site and channel.
        words2: What those of the second classifier stand for.
    """

    images: tyro.conf.Positional[tuple[Path, ...]]
    out: Path
    weights2: str | None = None
    model2: str | None = None
    class_names2: Path | None = None
    reference: str | None = None
    words: Path | None = None
    words2: Path | None = None
    classifier: TargetOptions
    method: MethodOptions = dataclasses.field(default_factory=MethodOptions)

    def check(self) -> None:
        """Raises an :class:`InputError` if something is not there, or there are not two of anything."""
        wanted = 2 if self.weights2 is None else 1
        if len(self.images) != wanted:
            other = "two pictures" if wanted == 2 else "one picture, for there are two classifiers"
            raise InputError(f"{len(self.images)} pictures were given; expected {other}")
        for path in self.images:
            if not path.is_file():
                raise InputError(f"there is no image {path}; give image files")
        second = {"--model2": self.model2, "--class-names2": self.class_names2, "--words2": self.words2}
        for option, value in second.items():
            if value is not None and self.weights2 is None:
                raise InputError(
                    f"{option} was given without --weights2; give the weights of the second classifier"
                )
        look_for_weights(self.weights2)
        if self.reference is not None:
            look_for_data(self.reference)
        for option, words in (("--words", self.words), ("--words2", self.words2)):
            look_for_file(words, option, "the words.json of jaxpath dissect")
        look_for_names(self.class_names2, "--class-names2")


@dataclasses.dataclass(frozen=True, kw_only=True)
class App:
    """Opens a page in the browser on which pathways can be tried: drop a picture, close channels, watch.

    jaxpath app --weights resnet18.safetensors --reference photographs

    The page is served on this machine alone and asks nothing of any other.

    Attributes:
        reference: Pictures to choose from and to compare with: a folder, an .npz file, or another form of
            data set.
        split: Split of these to take; None takes train where there are splits, otherwise all.
        words: What channels stand for, as jaxpath dissect leaves it.
        port: Where the page is served.
        open: Opens it in the browser.
        most_classes: Reference pictures of every class are read up to so many classes.
        out: Folder of a generator that --train-on trains.
    """

    reference: str | None = None
    split: str | None = None
    words: Path | None = None
    port: int = 8080
    open: bool = False
    most_classes: int = 20
    out: Path = Path("runs/app")
    classifier: TargetOptions
    method: MethodOptions = dataclasses.field(default_factory=MethodOptions)

    def check(self) -> None:
        """Raises an :class:`InputError` if something is not there, or the port is none."""
        if self.reference is not None:
            look_for_data(self.reference)
        look_for_file(self.words, "--words", "the words.json of jaxpath dissect")
        if not 1 <= self.port <= 65535:
            raise InputError(f"the port is {self.port}; expected a number from 1 to 65535")


def _check_limits(limits: tuple[str, ...]) -> None:
    for limit in limits:
        read_limit(limit)
