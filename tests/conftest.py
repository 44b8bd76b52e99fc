"""What holds for every test, and for every process that a test starts."""

import os

# Two processes of tests on two cores: threads of linear algebra would only wait for each other, by
# spinning (docs/experiments.md). Set before numpy or torch is loaded anywhere.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
