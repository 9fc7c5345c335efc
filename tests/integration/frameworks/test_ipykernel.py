"""A notebook: retries in the cells of a real IPython kernel, interrupted as by its stop button."""

from __future__ import annotations

import time

import pytest
from framework_servers import PATIENCE, until
from jupyter_client.manager import KernelManager

SETUP = """
from retrying_elegant import RetryBudget, backoff, Policy, given_up, retry, retrying
budget, calls = RetryBudget(10), []

def down():
    calls.append(True)
    raise ConnectionError("down")

@retry(wait=600, budget=budget)
async def fetch():
    down()
"""
WAITING = "print(flush=True, end='waiting')"


class Notebook:
    """A kernel and a client of it."""

    def __init__(self, manager, client):
        self.manager = manager
        self.client = client

    def run(self, code, *, interrupt=False):
        """Run *code* as a cell; interrupt it as soon as it prints, if asked to; return it all."""
        outputs = {"stdout": "", "stderr": "", "data": {}, "error": None, "seconds": 0.0}
        cell = self.client.execute(code)
        asked = None
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != cell:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                outputs[content["name"]] += content["text"]
                if interrupt and asked is None and "waiting" in outputs["stdout"]:
                    time.sleep(0.05)  # what the hook has announced, it does now
                    asked = time.monotonic()
                    self.manager.interrupt_kernel()
                    # The kernel's handler does not wake an idle event loop: any message does.
                    self.client.kernel_info()
            elif kind in ("execute_result", "display_data"):
                outputs["data"] |= content["data"]
            elif kind == "error":
                outputs["error"] = content["ename"]
                outputs["traceback"] = "\n".join(content["traceback"])
            elif kind == "status" and content["execution_state"] == "idle":
                if asked is not None:
                    outputs["seconds"] = time.monotonic() - asked
                return outputs


@pytest.fixture(scope="module")
def notebook():
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(extra_arguments=["--log-level=CRITICAL"])
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield Notebook(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        until(lambda: not manager.is_alive(), "the kernel ends")


@pytest.fixture(autouse=True)
def setup(notebook):
    assert notebook.run(SETUP)["error"] is None


CALLS = {
    "decorator": "retry(wait=600, budget=budget, on_retry=note)(down)()",
    "loop": """
for attempt in retrying(wait=600, budget=budget, on_retry=note):
    with attempt:
        down()
""",
    "block": """
with retrying(wait=600, budget=budget, on_retry=note) as call:
    call(down)
""",
    "async": "await retry(fetch.policy, on_retry=note)(fetch.__wrapped__)()",
}


class TestInterrupt:
    """Interrupting the kernel ends a wait."""

    @pytest.mark.parametrize("form", CALLS)
    def test_in_the_middle_of_a_wait(self, notebook, form):
        """Within seconds: no attempt follows, the token is back, the kernel goes on."""
        note = f"note = lambda attempt: {WAITING}"
        cell = notebook.run(f"{note}\n{CALLS[form]}", interrupt=True)
        assert cell["error"] in ("KeyboardInterrupt", "CancelledError")
        assert cell["seconds"] < 5
        after = notebook.run("print(len(calls), budget.tokens)")
        assert after["stdout"] == "1 10.0\n"


class TestCells:
    """What a cell shows."""

    def test_top_level_await(self, notebook):
        """`await` and `async for`, without a function around them."""
        code = """
answers = iter([ConnectionError("down"), "well"])
async for attempt in retrying(3, wait=0):
    async with attempt:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
print(answer, attempt.number)
"""
        cell = notebook.run(code)
        assert cell["error"] is None
        assert cell["stdout"] == "well 2\n"

    def test_an_error(self, notebook):
        """The user's own, with the note below its traceback."""
        cell = notebook.run("retry(2, wait=0)(down)()")
        assert cell["error"] == "ConnectionError"
        assert "gave up on down after 2 attempts" in cell["traceback"]

    def test_a_preview(self, notebook):
        """A table and a drawing."""
        data = notebook.run("Policy(4, wait=backoff.exponential()).preview()")["data"]
        assert "<table" in data["text/html"]
        assert "<svg" in data["text/html"]
