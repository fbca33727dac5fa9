"""A small convolutional network for pictures of 8 x 8 points, in plain PyTorch.

It sees one picture at a time: x is float64[1, 64], and dimension 0 is always 1.
"""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        # Not BatchNorm: its statistics are taken over a batch, so a record would see the others.
        self.norm = nn.GroupNorm(2, 8)
        self.pool = nn.AvgPool2d(2)
        self.last = nn.Linear(8 * 4 * 4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        picture = x.reshape(-1, 1, 8, 8)
        seen = torch.tanh(self.norm(self.filters(picture)))
        scores: torch.Tensor = self.last(self.pool(seen).flatten(1))
        return scores
