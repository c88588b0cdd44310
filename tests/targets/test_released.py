"""One word for published weights: what it means, what comes, and that nothing comes unasked."""

import hashlib
import http.server
import json
import re
import sys
import threading
import urllib.request
from functools import partial
from pathlib import Path
from types import ModuleType

import jax
import numpy as np
import pytest

from jaxpath import data, runs, targets
from jaxpath.naming import KNOWN_NAMES, is_word
from jaxpath.targets import registry
from jaxpath.targets.family import Released
from jaxpath.types import InputError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explain.md"
UNPUBLISHED = {"resnet8", "lenet", "resnet18_normless", "digit_cnn"}
TARGET = targets.resnet8(image_size=8)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("nobody asked for a download")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves a file of weights; ``server.asked`` are the paths that were asked for."""
    served = tmp_path / "served"
    params = TARGET.init(jax.random.key(0))
    targets.save_weights(TARGET, params, served / "resnet8.safetensors", class_names=list("abcdefghij"))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            here.asked.append(self.path)

    here = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(served)))
    here.asked, here.params, here.file = [], params, served / "resnet8.safetensors"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    threading.Thread(target=here.serve_forever, daemon=True).start()
    yield here
    here.shutdown()
    here.server_close()


@pytest.fixture
def publish(server, monkeypatch):
    """Makes the server's file the published weights of resnet8, with a hash."""

    def publish(sha256: str) -> None:
        address = f"http://127.0.0.1:{server.server_address[1]}/resnet8.safetensors"
        weights = Released(address, "us", "CC0-1.0", classes="cifar10", sha256=sha256)
        families = tuple(
            family._replace(released={"resnet8": weights}) if "resnet8" in family.makers else family
            for family in registry.FAMILIES
        )
        monkeypatch.setattr(registry, "FAMILIES", families)

    return publish


def test_every_published_network_has_weights_with_a_licence_and_names_of_its_classes():
    released = registry.released()
    without = {name for name in targets.names() if name not in released and not name.endswith("_gap")}
    assert without == UNPUBLISHED
    for name, weights in released.items():
        assert re.match(r"hf://\w+/[\w.]+$|https://[\w./-]+$", weights.address), name
        assert weights.license in {"BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"}
        assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}|", weights.sha256)
        # What has no library that checks it has a hash that does.
        assert weights.sha256 or weights.address.startswith("hf://")
        classes = registry.make_target(name).num_classes
        assert len(data.known_names(weights.classes)) == classes


def row(name: str, weights: Released) -> str:
    """Of the table in docs/explain.md."""
    sha256 = f"`{weights.sha256[:8]}...`" if weights.sha256 else "none published"
    return f"| `{name}` | `{weights.address}` | {weights.origin}, {weights.license} | {sha256} |"


def test_the_page_lists_what_the_words_mean():
    rows = re.findall(r"^\| `\w+` \| `(?:hf|https)://.*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [row(name, weights) for name, weights in registry.released().items()]


def test_a_word_is_an_address_and_a_file_of_that_name_comes_first(tmp_path, monkeypatch, no_network):
    asked = []
    library, errors = ModuleType("huggingface_hub"), ModuleType("huggingface_hub.errors")

    def hf_hub_download(repository, file):
        asked.append((repository, file))
        raise OSError("no route to host")

    library.hf_hub_download = hf_hub_download
    errors.EntryNotFoundError = errors.HfHubHTTPError = type("Missing", (Exception,), {})
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    with pytest.raises(InputError, match=r"^hf://timm/resnet18\.tv_in1k/model\.\w+ could not be .*host"):
        targets.describe_weights("resnet18")
    assert asked == [("timm/resnet18.tv_in1k", "model.safetensors")]

    monkeypatch.chdir(tmp_path)
    Path("resnet18").write_text("")
    assert not is_word("resnet18")
    with pytest.raises(InputError, match="suffix"):
        targets.describe_weights("resnet18")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("resnet8", r"no published weights of resnet8 are known; give a file, or one of resnet18, resnet34,"),
        ("resnet81", r"'resnet81' does not exist; give .* or the name of a network"),
    ],
)
def test_a_word_without_weights_is_refused_without_a_network(word, said, no_network):
    with pytest.raises(InputError, match=said):
        targets.load_weights(TARGET, word)


def test_published_weights_are_fetched_once_and_are_what_was_published(server, publish, capsys):
    digest = hashlib.sha256(server.file.read_bytes()).hexdigest()
    publish(digest[:8])
    net = runs.load_net(None, "resnet8")
    jax.tree.map(np.testing.assert_array_equal, net.params, server.params)
    assert server.asked == ["/resnet8.safetensors"]
    said = capsys.readouterr().out
    assert "by us, CC0-1.0" in said and f"weights: SHA-256 {digest}, as was published" in said
    # The file's own names come before those of the data set.
    assert net.class_names == tuple("abcdefghij")


def test_another_file_than_was_published_is_refused_and_not_kept(server, publish, tmp_path):
    publish("00000000")
    with pytest.raises(InputError, match="expected one that begins with 00000000"):
        targets.load_weights(TARGET, "resnet8")
    kept = tmp_path / "cache" / "jaxpath" / "weights"
    assert list(kept.iterdir()) == []
    kept.rmdir()

    publish(hashlib.sha256(server.file.read_bytes()).hexdigest())
    targets.load_weights(TARGET, "resnet8")
    (file,) = kept.iterdir()
    file.write_bytes(b"damaged")
    targets.load_weights(TARGET, "resnet8")
    assert file.read_bytes() == server.file.read_bytes()


def test_a_server_that_is_not_there_is_one_sentence(server, publish):
    publish("")
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match=r"^http://\S+ could not be downloaded: .*; without a network, give"):
        targets.load_weights(TARGET, "resnet8")


def test_known_names_stand_at_their_labels():
    imagenet = data.known_names("imagenet")
    assert len(imagenet) == len(set(imagenet)) == 1000
    known = {0: "tench", 207: "golden retriever", 281: "tabby", 404: "airliner", 999: "toilet tissue"}
    assert {label: imagenet[label] for label in known} == known
    hundred = data.known_names("cifar100")
    assert hundred == tuple(sorted(hundred)) and (hundred[0], hundred[99]) == ("apple", "worm")
    assert data.known_names("cifar10")[::9] == ("airplane", "truck")
    assert all(data.known_names(name) for name in KNOWN_NAMES) and data.known_names("else") == ()


def test_the_order_of_imagenet_is_that_of_its_folders(shared_data):
    ids = json.loads((shared_data / "imagenet" / "wnids.json").read_text())
    text = Path(data.__file__).with_name("imagenet.txt").read_text(encoding="utf-8")
    assert tuple(line.split()[0] for line in text.splitlines()) == tuple(ids)
