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
    features = []
    for column in range(table.shape[1] - 1):
        if column in levels:
            features += [(table[:, column] == level) for level in levels[column][1:]]
        else:
            features.append(table[:, column])
    return np.column_stack(features).astype(float), (table[:, -1] > 0).astype(int)


def centres(folder, seed):
    """(train x, train y, test x, test y) of each centre, scaled by its own training rows."""
    from sklearn.model_selection import train_test_split

    del seed  # the split is fixed; the seed decides the batches
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
        mean, deviation = x[train].mean(axis=0), x[train].std(axis=0, ddof=1)
        scaled = (x - mean) / np.where(deviation > 0, deviation, 1.0)
        found.append((scaled[train], y[train], scaled[test], y[test]))
    return found


def mean_accuracy(strategy, parts, seed):
    """Accuracy at a score of one half, averaged over the centres, after the rounds."""
    generator = np.random.default_rng(seed)
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
            for rows in _batches(len(y), generator):
                step = np.rint(_gradient(local, x[rows], y[rows]) * unit).astype(np.int64)
                noised += step
                local = strategy.local_step(local, step, unit, given, before[place])
            before[place] = OwnRound(given, noised, unit)
            total += strategy.contribution(NoisedSum(noised, unit, UPDATES, 0.0))
        state = strategy.absorb(state, total, UNIT)
    scores = [x @ state.theta[:-1] + state.theta[-1] for _, _, x, _ in parts]
    return float(
        np.mean(
            [np.mean((s > 0) == (y == 1)) for s, (_, _, _, y) in zip(scores, parts, strict=True)]
        )
    )


def _initial(width, seed):
    """Weights with which a linear layer of torch begins after its seed was set, as there."""
    import torch

    torch.manual_seed(seed)
    layer = torch.nn.Linear(width, 1)
    return np.append(layer.weight.detach().numpy()[0], layer.bias.detach().numpy()).astype(float)


def _batches(rows, generator):
    """Batches of a hospital's round: whole passes in random order, as a data loader gives them."""
    done = 0
    while done < UPDATES:
        order = generator.permutation(rows)
        for start in range(0, rows, BATCH):
            yield order[start : start + BATCH]
            done += 1
            if done == UPDATES:
                return


def _gradient(theta, x, y):
    scores = 1 / (1 + np.exp(-(x @ theta[:-1] + theta[-1])))
    wrong = (scores - y) / len(y)
    return np.append(wrong @ x, wrong.sum())
