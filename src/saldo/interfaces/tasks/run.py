"""The worker process."""

from __future__ import annotations

from procrastinate.contrib.django import app


def run_worker(concurrency: int) -> None:
    """Take jobs until SIGTERM or SIGINT, then finish those at hand."""
    with app.replace_connector(app.connector.get_worker_connector()) as worker_app:
        worker_app.run_worker(
            concurrency=concurrency,
            install_signal_handlers=True,
            shutdown_graceful_timeout=8,
            delete_jobs="successful",
        )
