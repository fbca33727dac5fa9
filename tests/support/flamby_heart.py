"""The Fed-Heart-Disease task of FLamby (Ogier du Terrail et al. 2022) in numpy: four centres of the
UCI heart data, prepared and trained as there, with a strategy of the product at the server.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from securefl.learning.strategies.strategy import NoisedSum, OwnRound

CENTRES = ("cleveland", "hungarian", "switzerland", "va")
BATCH, UPDATES, ROUNDS = 4, 100, 15
UNIT = float(1 << 40)


@cache
def _table(folder, centre):
    lines = (folder / f"processed.{centre}.data").read_text().splitlines()
    rows = [line.split(",") for line in lines if line.strip()]
    kept = [[c for i, c in enumerate(row) if i not in (10, 11, 12)] for row in rows]
    table = np.array([[float(c) for c in row] for row in kept if "?" not in row])
    levels = {column: (1.0, 2.0, 3.0, 4.0) if column == 2 else (0.0, 1.0, 2.0) for column in (2, 6)}
    # columns of levels come last, as pandas puts them: the first weights are drawn in this order, and
    # a model that is far from trained shows them
    features = [table[:, c] for c in range(table.shape[1] - 1) if c not in levels]
    for column, known in levels.items():
        features += [table[:, column] == level for level in known[1:]]
    return np.column_stack(features).astype(float), (table[:, -1] > 0).astype(int)


#: Public constants that stand for a middle and a width of each feature, in the order of ``_table``.
MIDDLES = np.array([55, 0.5, 130, 220, 0.5, 140, 0.5, 1, *[0.25] * 5])
WIDTHS = np.array([10, 0.5, 20, 60, 0.5, 25, 0.5, 1, *[0.5] * 5])


def centres(folder):
    """(train x, train y, test x, test y) of each centre, scaled by its own training rows."""
    found = []
    for x, y, test_x, test_y in _split(folder):
        middle, width = _scale(x)
        found.append(((x - middle) / width, y, (test_x - middle) / width, test_y))
    return found


def centres_in_fixed_ranges(folder):
    """The same, scaled by public constants: no figure of the data enters."""

    def scaled(x):
        return np.clip((x - MIDDLES) / WIDTHS, -4, 4)

    return [(scaled(x), y, scaled(tx), ty) for x, y, tx, ty in _split(folder)]


def pooled(folder):
    """The rows that FLamby's pooled model is trained on, scaled together, and those that it is
    tested on, each centre's scaled by itself: so the published figure was made.
    """
    split = _split(folder)
    middle, width = _scale(np.concatenate([x for x, _, _, _ in split]))
    tests = [(x, y) for _, _, x, y in centres(folder)]
    return [((x - middle) / width, y, *t) for (x, y, _, _), t in zip(split, tests, strict=True)]


def _scale(x):
    deviation = x.std(axis=0, ddof=1)
    return x.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def _split(folder):
    """FLamby's rows of each centre for training and for testing; the same for every seed."""
    from sklearn.model_selection import train_test_split

    found = []
    for centre in CENTRES:
        x, y = _table(folder, centre)
        split = {} if centre == "switzerland" else {"stratify": y}
        train, test = train_test_split(
            np.arange(len(y)),
            test_size=0.34,
            train_size=0.66,
            random_state=43,
            shuffle=True,
            **split,
        )
        found.append((x[train], y[train], x[test], y[test]))
    return found


def mean_accuracy(strategy, parts, seed):
    """Accuracy of the trained model, averaged over the centres."""
    return accuracy(trained(strategy, parts, seed), parts)


def trained(strategy, parts, seed, updates=None, batch=BATCH):
    """The model after the rounds, float64[p].

    Args:
        strategy: of the product.
        parts: as :func:`centres`.
        seed: of initial weights and batches.
        updates: local steps of each centre a round; FLamby's 100 unless said.
        batch: rows of a step; None for all of a centre's.
    """
    generator = np.random.default_rng(seed)
    updates = updates or [UPDATES] * len(parts)
    sizes = np.array([len(part[1]) for part in parts], dtype=float)
    shares = sizes / sizes.sum()
    width = parts[0][0].shape[1]
    state = strategy.start(_initial(width, seed))
    before = [None] * len(parts)
    for _ in range(ROUNDS):
        given = strategy.broadcast(state)
        total = np.zeros(strategy.sent_size(width + 1), dtype=np.int64)
        for place, (x, y, _, _) in enumerate(parts):
            unit = UNIT * shares[place]
            noised, local = np.zeros(width + 1, dtype=np.int64), strategy.weights(given)
            for rows in _batches(len(y), generator, updates[place], batch or len(y)):
                step = np.rint(_gradient(local, x[rows], y[rows]) * unit).astype(np.int64)
                noised += step
                local = strategy.local_step(local, step, unit, given, before[place])
            before[place] = OwnRound(given, noised, unit)
            total += strategy.contribution(NoisedSum(noised, unit, updates[place], 0.0))
        state = strategy.absorb(state, total, UNIT)
    return state.theta


def trained_together(parts, seed):
    """One model of all rows together: FLamby's Adam, 50 passes."""
    generator = np.random.default_rng(seed)
    x, y = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    theta = _initial(x.shape[1], seed)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    steps = 50 * -(-len(y) // BATCH)
    for number, rows in enumerate(_batches(len(y), generator, steps, BATCH), 1):
        g = _gradient(theta, x[rows], y[rows])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        root = np.sqrt(v / (1 - 0.999**number)) + 1e-8
        theta = theta - 1e-3 * m / (1 - 0.9**number) / root
    return theta


def auc(theta, parts):
    """AUC of all test rows together."""
    from securefl.learning.tasks.binary.evaluation import exact_auc

    scores = np.concatenate([x @ theta[:-1] + theta[-1] for _, _, x, _ in parts])
    return exact_auc(np.concatenate([y for _, _, _, y in parts]), scores)


def accuracy(theta, parts):
    """At a score of one half, averaged over the centres."""
    found = []
    for _, _, x, y in parts:
        found.append(np.mean((x @ theta[:-1] + theta[-1] > 0) == (y == 1)))
    return float(np.mean(found))


def _initial(width, seed):
    """Weights with which a linear layer of torch begins after its seed was set, as there."""
    import torch

    torch.manual_seed(seed)
    layer = torch.nn.Linear(width, 1)
    return np.append(layer.weight.detach().numpy()[0], layer.bias.detach().numpy()).astype(float)


def _batches(rows, generator, updates, batch):
    """Batches of a hospital's round: whole passes in random order, as a data loader gives them."""
    done = 0
    while done < updates:
        order = generator.permutation(rows)
        for start in range(0, rows, batch):
            yield order[start : start + batch]
            done += 1
            if done == updates:
                return


def _gradient(theta, x, y):
    scores = 1 / (1 + np.exp(-(x @ theta[:-1] + theta[-1])))
    wrong = (scores - y) / len(y)
    return np.append(wrong @ x, wrong.sum())
