"""``jaxpath app``: the page in the browser on which pathways can be tried."""

import os
import time

from jaxpath import runs
from jaxpath.app.studio import Studio
from jaxpath.cli.closing import Given
from jaxpath.cli.commands import App
from jaxpath.cli.opening import (
    fit_pictures,
    names_to_show,
    open_classifier,
    open_pictures,
    read_class_names,
)
from jaxpath.cli.workplace import set_up
from jaxpath.findings import load_reference, load_words
from jaxpath.types import InputError


def run(options: App) -> None:
    """Opens the studio and shows its page until Ctrl-C."""
    # FastAPI, below NiceGUI, exports measurements where the environment says so.
    os.environ["OTEL_SDK_DISABLED"] = "true"
    try:
        from jaxpath.app.page import check_free, serve
    except ImportError as error:
        raise InputError(
            "the page needs NiceGUI, which is not installed: pip install 'nicegui>=3'"
        ) from error
    check_free(options.port)
    studio = open_studio(options)
    if options.reference is None:
        runs.say(
            "without --reference there are no pictures to choose from, none of other classes to test "
            "pathways on, and no pages about channels"
        )
    serve(studio, options)


def open_studio(options: App) -> Studio:
    """The classifier and its reference, as a page needs them.

    Raises:
        InputError: An option names something that is not there or does not fit.
    """
    began = time.perf_counter()
    reference = None
    if options.reference is not None:
        reference = open_pictures(options.reference, options.classifier, split=options.split)
    net = open_classifier(options.classifier)
    target = net.target
    words = None if options.words is None else load_words(options.words, target.sites)
    names = read_class_names(options.classifier.class_names, target.num_classes, net.class_names)
    if reference is not None:
        reference = fit_pictures(reference, target.num_classes, names)
    workplace = set_up(
        net,
        options.classifier,
        options.method,
        out=options.out,
        class_names=names_to_show(names, target.num_classes, reference),
        began=began,
        pictures=Given(reference, options.reference or ""),
    )
    if reference is None:
        return Studio(workplace, words=words)
    compared = load_reference(
        workplace.session,
        workplace.method,
        reference,
        range(target.num_classes) if target.num_classes <= options.most_classes else (),
        identity=workplace.identity,
    )
    learned = workplace.learn_from(compared)
    return Studio(workplace, reference=compared, class_pathways=learned, words=words)
