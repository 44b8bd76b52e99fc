"""How the tests are spread over processes."""

import os


def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: many tests wait for a server that fails on purpose."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 1) * 3 // 2)
