"""What a command left on stderr, failures to order, and a small sweep."""

from __future__ import annotations

SWEEP = (
    *("sweep", "texas", "--num-layers", "2,4", "--treatments", "none,residual"),
    *("--seeds", "2", "--epochs", "2"),
)


def only_line(stderr):
    """The one line of an error, after what was said on the way."""
    lines = [line for line in stderr.splitlines() if line.startswith("benthic: ")]
    assert len(lines) == 1, stderr
    assert "Traceback" not in stderr
    return lines[0]


def raising(error):
    def fail(*_, **__):
        raise error

    return fail
