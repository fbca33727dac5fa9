"""From a researcher's model.py to a graph, and back to what PyTorch computes."""

from pathlib import Path
from types import SimpleNamespace

import every_operation
import numpy as np
import pytest
import torch
from classes_study import classes_protocol

from securefl.errors import StudyError
from securefl.learning.families.graph import OwnGraph
from securefl.learning.graphs.graph import read_graph
from securefl.learning.graphs.graph_export import export_model
from securefl.learning.graphs.operations import OPERATIONS
from securefl.learning.tasks import task_of

TASK = task_of(classes_protocol().data)
HEAD = "import torch\nfrom torch import nn\n\nclass Model(nn.Module):\n"
LAST = "        super().__init__()\n        self.last = nn.Linear(6, 3)\n"


@pytest.fixture(scope="module")
def exported():
    """The model that uses every operation there is."""
    return export_model(Path(every_operation.__file__).read_text(), 36, 3)


@pytest.fixture(scope="module")
def family(exported):
    return OwnGraph(SimpleNamespace(graph=exported.graph), 36, 3)


@pytest.fixture(scope="module")
def theta(family):
    return np.random.default_rng(1).normal(0, 0.5, family.parameters)


@pytest.fixture(scope="module")
def module(family, theta):
    made = every_operation.Model().double()
    names = {name: torch.from_numpy(value) for name, value in family.tensors(theta).items()}
    made.load_state_dict({**made.state_dict(), **names})
    return made


def rows(count):
    generator = np.random.default_rng(2)
    return generator.uniform(-1, 1, (count, 36)), generator.integers(0, 3, count).astype(float)


def test_every_operation_of_the_list_is_exported(exported):
    graph = read_graph(exported.graph)
    assert {node.name for node in graph.nodes} == set(OPERATIONS)
    assert {parameter.name for parameter in graph.parameters} == {
        name for name, _ in every_operation.Model().named_parameters()
    }
    lines = exported.source.splitlines()
    (row,) = [node for node in graph.nodes if node.layer == "row (Conv1d)"]
    assert "self.row(" in lines[row.line - 1]
    assert "Model" not in exported.graph.replace("(Model)", "")


def test_scores_and_gradients_are_those_of_pytorch(family, theta, module):
    x, y = rows(20)
    with torch.no_grad():
        np.testing.assert_allclose(
            family.scores(theta, np.vstack([x, np.zeros((44, 36))]))[:20],
            module(torch.from_numpy(x)).numpy(),
            atol=1e-12,
        )
    got = family.gradients(TASK)(theta, x, y)
    for number in range(20):
        module.zero_grad()
        scores = module(torch.from_numpy(x[number : number + 1]))
        slope = TASK.loss_gradient(scores.detach().numpy(), y[number : number + 1])
        scores.backward(torch.from_numpy(slope))
        want = torch.cat([p.grad.reshape(-1) for p in module.parameters()]).numpy()
        np.testing.assert_allclose(got[number], want, atol=1e-5 * np.abs(want).max())


def test_no_operation_moves_a_record_by_the_others(family, theta):
    x, y = rows(130)
    gradients = family.gradients(TASK)
    together = gradients(theta, x, y)
    padded = np.vstack([x, np.zeros((62, 36))])
    said = family.scores(theta, padded)
    for some in ([5], np.random.default_rng(3).permutation(130)[:67]):
        np.testing.assert_array_equal(gradients(theta, x[some], y[some]), together[some])
        turned = np.vstack([x[some], np.zeros((-len(some) % 64, 36))])
        np.testing.assert_array_equal(family.scores(theta, turned)[: len(some)], said[some])


def test_control_plain_torch_moves_a_record_by_the_others(module):
    """Without exact sums a record's last bit follows from where it stands: the wall is needed."""
    x, _ = rows(130)
    with torch.no_grad():
        together = module(torch.from_numpy(x))
        alone = torch.cat([module(torch.from_numpy(x[i : i + 1])) for i in range(130)])
    assert (together != alone).any()


def test_a_record_that_is_not_finite_spoils_itself_alone(family, theta):
    x, y = rows(70)
    whole = family.gradients(TASK)(theta, x, y)
    x[7] = np.nan
    x[9] = 1e300
    spoilt = family.gradients(TASK)(theta, x, y)
    others = np.delete(np.arange(70), [7, 9])
    np.testing.assert_array_equal(spoilt[others], whole[others])
    assert not np.isfinite(spoilt[7]).all()


def test_initial_weights_follow_from_the_seed_alone(family):
    first = family.tensors(family.initial_weights("a"))
    np.testing.assert_array_equal(family.initial_weights("a"), family.initial_weights("a"))
    assert (
        first["conv.weight"] != family.tensors(family.initial_weights("b"))["conv.weight"]
    ).any()
    assert (first["conv.bias"] == 0).all()
    assert (first["group.weight"] == 1).all()
    assert np.abs(first["conv.weight"]).max() <= np.sqrt(6 / (9 + 4 * 9))


@pytest.mark.parametrize(
    ("body", "said", "step"),
    [
        ("x = 1\n", "no class|0 classes", "Model"),
        ("import nothing_there\n", "ends with an error, line 1: ModuleNotFoundError", "model.py"),
        ("def broken(:\n", "line 1: SyntaxError", "model.py"),
        (
            (
                f"{HEAD}    def __init__(self):\n        super().__init__()\n"
                "        self.norm = nn.BatchNorm1d(6)\n"
            ),
            r"line 7: the layer norm \(BatchNorm1d\) takes statistics over a batch",
            "GroupNorm",
        ),
        (
            (
                f"{HEAD}    def __init__(self):\n        super().__init__()\n"
                "        self.drop = nn.Dropout(0.5)\n"
            ),
            r"drop \(Dropout\) draws at random",
            "Delete it",
        ),
        (
            (
                f"{HEAD}    def __init__(self):\n{LAST}"
                "    def forward(self, x):\n        return self.last(x - x.mean(0, keepdim=True))\n"
            ),
            "change with the other records",
            "one record at a time",
        ),
        (
            (
                f"{HEAD}    def __init__(self):\n{LAST}"
                "    def forward(self, x):\n        return self.last(torch.where(x > 0, x, 0 * x))\n"
            ),
            r"line 9, model \(Model\): the operation gt.Scalar decides by a value",
            "relu",
        ),
        (
            (
                f"{HEAD}    def __init__(self):\n{LAST}"
                "    def forward(self, x):\n"
                "        if x.sum() > 0:\n            return self.last(x)\n        return self.last(-x)\n"
            ),
            "line 9 decides by a value",
            "relu",
        ),
        (
            (
                f"{HEAD}    def __init__(self):\n{LAST}"
                "        self.register_buffer('seen', torch.zeros(6))\n"
                "    def forward(self, x):\n        self.seen.add_(x[0])\n        return self.last(x)\n"
            ),
            "changes seen while it runs",
            "keeps nothing",
        ),
        (
            (
                f"{HEAD}    def __init__(self):\n{LAST}"
                "    def forward(self, x):\n        return self.last(x + torch.randn(6))\n"
            ),
            "line 9, model .Model.: the operation randn draws at random",
            "Delete it",
        ),
        (
            (
                f"{HEAD}    def __init__(self):\n{LAST}"
                "    def forward(self, x):\n        return self.last(x)[:, :2]\n"
            ),
            "gives 1x2 numbers for a record.*wants 3 scores",
            "nn.Linear",
        ),
    ],
)
def test_a_model_that_cannot_be_a_graph_is_refused_with_its_line_and_the_mend(body, said, step):
    with pytest.raises(StudyError, match=said) as refused:
        export_model(body, 6, 3)
    assert step in refused.value.next_step


INIT = f"{HEAD}    def __init__(self):\n{LAST}        self.base = nn.Linear(6, 6)\n"
FORWARD = "    def forward(self, x):\n"
PLAIN = f"{FORWARD}        return self.last(self.base(x))\n"


@pytest.mark.parametrize(
    ("body", "said", "step"),
    [
        (
            f"{INIT}        self.base.weight.requires_grad = False\n{PLAIN}",
            r"line 9: base.weight is frozen \(requires_grad is False\)",
            "at most 4,096 numbers",
        ),
        (
            f"{INIT}        self.base.requires_grad_(False)\n{PLAIN}",
            "line 9: base.weight, base.bias are frozen",
            "frozen backbone",
        ),
        (
            (
                f"{INIT}{FORWARD}        with torch.no_grad():\n            y = self.base(x)\n"
                "        return self.last(y)\n"
            ),
            "line 11: the gradient of base.weight, base.bias is cut",
            "frozen backbone",
        ),
        (
            f"{INIT}    @torch.no_grad()\n{PLAIN}",
            "line 11: the gradient of last.weight, last.bias, base.weight, base.bias is cut",
            "frozen backbone",
        ),
        (
            f"{INIT}{FORWARD}        y = self.base(x)\n        return self.last(y + y.detach().tanh())\n",
            "line 11: the gradient of base.weight, base.bias is cut",
            "frozen backbone",
        ),
        (
            (
                f"{INIT}        nn.init.zeros_(self.last.weight)\n"
                f"{FORWARD}        return self.last(self.base(x).detach())\n"
            ),
            "line 11: the gradient of base.weight, base.bias is cut",
            "frozen backbone",
        ),
        (
            (
                "import torch\nclass Sign(torch.autograd.Function):\n"
                "    @staticmethod\n    def forward(ctx, x):\n        return x.tanh()\n"
                "    @staticmethod\n    def backward(ctx, slope):\n        return slope\n"
                f"{INIT}{FORWARD}        return self.last(Sign.apply(self.base(x)))\n"
            ),
            "the gradient of base.weight, base.bias is cut or changed",
            "frozen backbone",
        ),
        (
            f"{INIT}        self.unused = nn.Linear(64, 50)\n{PLAIN}",
            "line 9: unused.weight, unused.bias are never used",
            "Delete",
        ),
        (
            f"{INIT}{FORWARD}        y = self.base(x)\n        return self.last(x)\n",
            "line 8: base.weight, base.bias are never used",
            "Delete",
        ),
        (
            (
                f"{INIT}        self.twin = nn.Linear(6, 6)\n"
                "        self.twin.weight = self.base.weight\n"
                f"{FORWARD}        return self.last(self.base(self.twin(x)))\n"
            ),
            "line 9: twin.weight is shared with another layer",
            "call it twice",
        ),
    ],
)
def test_weights_that_pytorch_would_not_learn_so_are_refused(body, said, step):
    with pytest.raises(StudyError, match=said) as refused:
        export_model(body, 6, 3)
    assert step in refused.value.next_step


def test_constants_may_be_detached_and_one_layer_called_twice():
    """The control: cutting what no weight reaches changes no gradient."""
    body = (
        f"{INIT}        self.register_buffer('scale', torch.ones(6))\n{FORWARD}"
        "        x = x.detach() * torch.tensor([1.0, 2, 3, 4, 5, 6]) + self.scale.detach()\n"
        "        with torch.no_grad():\n            x = x.tanh()\n"
        "        return self.last(self.base(self.base(x)))\n"
    )
    graph = read_graph(export_model(body, 6, 3).graph)
    assert sum(np.prod(one.shape) for one in graph.parameters) == 42 + 21


def test_a_backbone_may_be_frozen():
    body = f"{INIT}        self.requires_grad_(False)\n{PLAIN}"
    export_model(body, 6, 3, learnt=False)
    with pytest.raises(StudyError, match="frozen"):
        export_model(body, 6, 3)


def test_torch_prints_no_graph_of_its_own_beside_the_refusal(capfd):
    body = (
        f"{INIT}{FORWARD}        y = self.base(x)\n        while y.sum() < 3:\n"
        "            y = y + 1\n        return self.last(y)\n"
    )
    with pytest.raises(StudyError, match="line 11 decides by a value"):
        export_model(body, 6, 3)
    assert capfd.readouterr() == ("", "")


def refused_with(words, named):
    """What a model is told that has these words in its line 10."""
    with pytest.raises(StudyError, match=f"line 10, model .Model.: .*{named}") as refused:
        export_model(with_words(words), 6, 3)
    return refused.value.next_step


def with_words(words):
    return (
        f"{HEAD}    def __init__(self):\n        super().__init__()\n"
        f"        self.a = nn.Linear(6, 4)\n{FORWARD}        y = z = self.a(x)\n"
        f"        y = {words}\n        return y.mean(1, keepdim=True).expand(-1, 3)\n"
    )


@pytest.mark.parametrize(
    ("wrong", "named", "right"),
    [
        ("y + y.mean()", "mean goes over all", "y.mean(1, keepdim=True)"),
        ("y + y.max()", "max goes over all", "y.amax(1, keepdim=True)"),
        ("y + y.amin(1, keepdim=True)", "amin is not", "-(-y).amax(1, keepdim=True)"),
        ("y / y.norm()", "vector_norm is not", "((y * y).sum(1, keepdim=True) + 1e-6).sqrt()"),
        (
            "nn.functional.softplus(y)",
            "log1p is not",
            "torch.relu(y) + torch.log(1 + torch.exp(-y.abs()))",
        ),
        ("torch.expm1(y)", "expm1 is not", "torch.exp(y) - 1"),
        ("nn.functional.log_softmax(y, 1)", "log_softmax is not", "torch.log(torch.softmax(y, 1))"),
        ("y * torch.ones(4)", "full fills", "1 + y"),
        ("y * y.prod(1, keepdim=True)", "prod.dim_int is not", "y[:, 0:1] * y[:, 1:2]"),
        ("torch.tan(y)", "tan is not", "torch.sin(y) / torch.cos(y)"),
        ("y ** y", "pow.Tensor_Tensor has a tensor", "torch.exp(z * torch.log(y))"),
        ("y.flip(1)", "flip is not", "torch.cat([y[:, 1:2], y[:, 0:1]], 1)"),
        ("y + y.sum()", "scores of a record change", "y.sum(1, keepdim=True)"),
    ],
)
def test_a_refusal_says_in_words_of_the_list_what_to_write(wrong, named, right):
    assert right in refused_with(wrong, named)
    export_model(with_words(right), 6, 3)


@pytest.mark.parametrize(
    ("wrong", "named", "step"),
    [
        ("y / y.std()", "var.correction is not", "(c * c).mean(1, keepdim=True)"),
        ("nn.functional.normalize(y)", "vector_norm is not", "divide by it"),
        (
            "nn.functional.interpolate(y[None], size=8)[0]",
            "arange.start_step fills",
            "y.unsqueeze(2).expand(1, 4, 2).reshape(1, 8)",
        ),
        ("y.float()", "changes the type", "Delete .float()"),
        ("torch.sign(y)", "sign decides by a value", "relu"),
        ("y + y.amax()", "scores of a record change", "and so mean and amax"),
    ],
)
def test_a_refusal_says_what_to_do(wrong, named, step):
    assert step in refused_with(wrong, named)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN", "GRUCell"])
def test_recurrent_layers_are_refused_by_name(kind):
    body = f"{HEAD}    def __init__(self):\n{LAST}        self.cell = nn.{kind}(6, 6)\n{FORWARD}        return x\n"
    with pytest.raises(StudyError, match=rf"line 8: the layer cell \({kind}\) runs its") as refused:
        export_model(body, 6, 3)
    assert "nn.Linear, sigmoid and tanh" in refused.value.next_step


@pytest.mark.parametrize(
    ("wrong", "named", "step"),
    [
        ("nn.functional.selu(y)", "elu is a SELU or CELU; use nn.ELU", "model.py"),
        ("y + nn.functional.one_hot(y.long(), 4)[0]", "looks numbers up", "as a category"),
        ("y.masked_fill(y > 0, 0.0)", "gt.Scalar decides by a value", "relu"),
        ("y.masked_fill(self.seen, 0.0)", "decides by a value", "a buffer of 0 and -1e9"),
        (
            "nn.functional.scaled_dot_product_attention(y[None], y[None], y[None])[0]",
            "looks for rows that see nothing",
            "need_weights=True",
        ),
        ("torch.zeros(1, 4) + y", "fills a tensor", "begin with the first step"),
    ],
)
def test_usual_parts_of_a_model_are_told_what_to_use(wrong, named, step):
    words = with_words(wrong)
    if "self.seen" in wrong:
        first = "        self.a = nn.Linear(6, 4)\n"
        seen = "self.register_buffer('seen', torch.tensor([True, False, True, True]))"
        words = words.replace(first, f"        self.a = nn.Linear(6, 4); {seen}\n")
    with pytest.raises(StudyError, match=f"line 10, model .Model.: .*{named}") as refused:
        export_model(words, 6, 3)
    assert step in refused.value.next_step


@pytest.mark.parametrize(
    ("body", "step"),
    [
        (f"from .blocks import Block\n{HEAD}{LAST}", "stands alone"),
        (
            f"{HEAD}    def __init__(self, width):\n{LAST}{FORWARD}        return x\n",
            "without arguments",
        ),
    ],
)
def test_a_text_that_does_not_run_alone_says_why(body, step):
    with pytest.raises(StudyError, match="ends with an error") as refused:
        export_model(body, 6, 3)
    assert step in refused.value.next_step
