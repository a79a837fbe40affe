"""The worker process."""

from __future__ import annotations

from procrastinate.contrib.django import app

# A worker shows that it lives so often; one that has not for three times as long counts as gone.
HEARTBEAT_SECONDS = 10.0


def run_worker(concurrency: int, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
    """Take jobs until SIGTERM or SIGINT, then finish those at hand."""
    with app.replace_connector(app.connector.get_worker_connector()) as worker_app:
        worker_app.run_worker(
            concurrency=concurrency,
            install_signal_handlers=True,
            shutdown_graceful_timeout=8,
            delete_jobs="successful",
            update_heartbeat_interval=heartbeat_seconds,
            stalled_worker_timeout=3 * heartbeat_seconds,
        )
