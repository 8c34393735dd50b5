import os
import subprocess
import sys

import pytest

LOAD = "from jackcomp.brain.model import Brain; Brain.load()"


@pytest.mark.slow
def test_no_model_leaves_an_identity_or_reports_to_its_runtimes_maker(tmp_path):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    }
    threads = f"{LOAD}; import os; print(len(os.listdir('/proc/self/task')))"
    counts = [
        subprocess.run(
            [sys.executable, "-c", threads],
            env=environment | {"HOME": str(tmp_path)} | told,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for told in ({}, {"ORT_DISABLE_TELEMETRY": "1"})
    ]
    assert counts[0] == counts[1]
    assert list(tmp_path.rglob("*")) == []
