"""The code of others on the page: Flower's client trains, and PySyft has what is called."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "from-others.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def block(word):
    (found,) = (text for text in BLOCKS if f"import {word}" in text or f"from {word}" in text)
    return found


def test_every_block_is_python():
    assert len(BLOCKS) == 5
    for text in BLOCKS:
        ast.parse(text)


def test_flowers_client_trains_a_step_and_tells_the_server_its_rows(tmp_path, monkeypatch):
    pytest.importorskip("flwr", reason="the optional part flower is not installed")
    import torch
    from flwr.app import ArrayRecord, Context, Message, RecordDict
    from flwr.supercore.task_identity import TaskIdentity

    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)

    there = {}
    exec(block("flwr"), there)  # noqa: S102 - a page of ours
    rows = torch.rand(30, 21).round()
    torch.save(rows, tmp_path / "rows.pt")
    start = torch.nn.Linear(20, 1).state_dict()
    content = RecordDict({"arrays": ArrayRecord(start)})
    message = Message(content=content, dst_node_id=1, message_type="train")
    context = Context(
        run_id=1,
        node_id=1,
        node_config={"table": str(tmp_path / "rows.pt")},
        state=RecordDict(),
        run_config={},
    )
    reply = there["client"](message, context)
    assert reply.content["metrics"]["num-examples"] == 30
    moved = reply.content["arrays"].to_torch_state_dict()
    assert not torch.equal(moved["weight"], start["weight"])


def test_pysyft_has_what_the_page_calls():
    client = importlib.import_module("syft_rds.client").SyftRDSClient
    login = importlib.import_module("syft_rds.login")
    job = importlib.import_module("syft_job.job").JobInfo
    text = block("syft_rds")
    for name in re.findall(r"sr\.(\w+)\(", text):
        assert hasattr(login, name)
    for name in re.findall(r"(?:researcher|owner)\.(\w+)", text):
        assert hasattr(client, name), name
    assert "job_name" in inspect.signature(client.submit_python_job).parameters
    assert (
        "share_outputs_with_submitter" in inspect.signature(client.process_approved_jobs).parameters
    )
    assert "reason" in inspect.signature(job.approve).parameters
