"""A plain torch module of the product's layers: what its gradients are compared with."""

from __future__ import annotations

import torch
from binary_models import layer_sizes
from torch import nn


class TorchModel(nn.Module):
    """A binary model in float64: linear layers with tanh between them, one logit out."""

    def __init__(self, model, features: int) -> None:
        super().__init__()
        sizes = layer_sizes(model, features)
        self.layers = nn.ModuleList(
            nn.Linear(into, out, dtype=torch.float64) for out, into in sizes
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows [m, features] to logits [m]."""
        for layer in self.layers[:-1]:
            rows = torch.tanh(layer(rows))
        logits: torch.Tensor = self.layers[-1](rows)
        return logits.squeeze(1)
