"""Thousands of files are uploaded with few of them open."""

import os
import subprocess
import sys

import pytest

from rapidata_core.sandbox.process import Sandbox

PROGRAM = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from rapidata_core import RapidataClient
paths = [os.path.join(sys.argv[1], f"{number}.jpg") for number in range(2000)]
for number, path in enumerate(paths):
    with open(path, "w") as file:
        file.write(str(number))
definition = RapidataClient().job.create_compare_job_definition(
    name="n", instruction="Which?", datapoints=list(zip(paths[::2], paths[1::2]))
)
print(definition.estimated_cost.datapoint_count)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_two_thousand_files_need_few_open_ones(tmp_path):
    with Sandbox.start() as sandbox:
        variables = {**os.environ, **sandbox.environ}
        variables |= {"RAPIDATA_cacheToDisk": "true", "RAPIDATA_cacheLocation": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.stdout, done.stderr) == ("1000\n", "")
