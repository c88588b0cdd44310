"""Names of the classes of data sets that everybody uses, in the order of their labels.

Those of ImageNet are torchvision's (BSD-3-Clause), each beside its WordNet id; no two are the same.
"""

from functools import cache
from importlib import resources

_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""


@cache
def known_names(data_set: str) -> tuple[str, ...]:
    """The names of the classes of ``imagenet``, ``cifar10`` or ``cifar100``; of any other, none.

    >>> known_names("imagenet")[207], known_names("cifar10")[3], len(known_names("cifar100"))
    ('golden retriever', 'cat', 100)
    """
    if data_set == "imagenet":
        text = resources.files("jaxpath.data").joinpath("imagenet.txt").read_text(encoding="utf-8")
        return tuple(line.partition(" ")[2] for line in text.splitlines())
    listed = {"cifar10": _CIFAR10, "cifar100": _CIFAR100}.get(data_set, "")
    return tuple(listed.split())
