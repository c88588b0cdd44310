r"""Makes embeddings of images and words without an encoder of language: a stand-in, by class means.

    python experiments/stand_in_embeddings.py --model vgg16_gap --weights vgg16_gap.safetensors \
        --data folder:photographs --train-split train --eval-split val --words words.json --out runs/stand_in

    python experiments/discover_imagenet.py --data folder:photographs --train-split train --eval-split val \
        --embeddings runs/stand_in/embeddings.npz --out runs/discover_words

A word of a class lies where the trunk of a classifier puts the class's training images, a word of ``--words``
(``{"dog": ["beagle", "Samoyed"]}``) where those of its classes lie. It knows nothing beyond these classes.
"""

from jaxpath import runs

if __name__ == "__main__":
    runs.main(runs.discover.run_stand_in, runs.discover.StandInRun, __doc__)
