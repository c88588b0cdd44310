"""Trains a small classifier on scikit-learn's digits, then a generator of its pathways, and evaluates it.

    python experiments/digits.py --out runs/digits

About two minutes on two CPU cores, under 2 GB of memory. Ends with results.json, pathways.png (held-out
digits and their pathways) and class_pathways.png in the output folder. Expected on held-out digits:
target accuracy at least 0.97, fidelity at least 0.95 at density at most 0.3.
"""

from jaxpath import runs

if __name__ == "__main__":
    runs.main(runs.run_digits, runs.Digits, __doc__)
