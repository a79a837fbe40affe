"""Workers as `saldo worker` runs them, on a day of the test's choosing: python -m tests.sending_worker SHIFT.

SHIFT: seconds from the real time to the test's. Loading the application takes seconds, so this process loads
it once and becomes a worker anew for each line that it reads: it forks, and tells the worker's pid. Workers
show more often than real ones that they live, and what may be tried again is so at once.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta


def main(shift_seconds: float) -> None:
    import django

    django.setup()
    from saldo.flows import send_messages
    from saldo.interfaces import clock
    from saldo.interfaces.tasks import tasks
    from saldo.interfaces.tasks.run import run_worker

    assert tasks.send_message is not None
    clock.now = lambda: datetime.now(UTC) + timedelta(seconds=shift_seconds)  # type: ignore[assignment]
    send_messages.BACKOFF = tuple(timedelta(0) for _ in send_messages.BACKOFF)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    for _ in sys.stdin:
        if (pid := os.fork()) == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            run_worker(2, heartbeat_seconds=0.5)
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
