"""What loading costs: heavy libraries wait until something needs them."""

import subprocess
import sys


def printed(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_all_public_names_together_load_nothing_heavy():
    program = (
        "import sys, rapidata_core\n"
        "for name in dir(rapidata_core): getattr(rapidata_core, name)\n"
        "heavy = ('pandas', 'numpy', 'pyarrow', 'fsspec', 'sqlalchemy', 'starlette', 'uvicorn')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "print([name for name in sys.modules if name.startswith('rapidata_core.sandbox')])\n"
    )
    assert printed(program) == ["[]", "[]"]


def test_measures_of_quality_load_nothing_heavy():
    program = (
        "import sys\n"
        "from rapidata_core.results.quality import consensus, gate, geometry, metrics\n"
        "from rapidata_core.results.quality import painting, pairwise, words\n"
        "print([n for n in ('pandas', 'numpy', 'scipy', 'evalica') if n in sys.modules])\n"
    )
    assert printed(program) == ["[]"]
