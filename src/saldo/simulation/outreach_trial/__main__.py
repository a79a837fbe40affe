"""One simulated year of outreach in the database of DATABASE_URL, which must be empty and migrated.

    python -m saldo.simulation.outreach_trial SEED DAYS [SIZE]

Prints one JSON object; days that are done are told on standard error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saldo.simulation.outreach_trial.run import Lived

# Channels that are set up, and that nothing is ever handed to.
_CHANNELS = """
["*".smtp]
host = "127.0.0.1"
port = 9
security = "none"
from = "Crediti <crediti@creditore.test>"

["*".imap]
host = "127.0.0.1"
port = 9
security = "none"
user = "crediti"
password = "none"
address = "crediti@creditore.test"
"""


def main(seed: int, days: int, size: str = "small") -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saldo.config.settings")
    with tempfile.TemporaryDirectory() as folder:
        channels = Path(folder) / "channels.toml"
        channels.write_text(_CHANNELS, encoding="utf-8")
        channels.chmod(0o600)
        os.environ["SALDO_CHANNELS"] = str(channels)
        import django

        django.setup()
        from saldo.simulation.outreach_trial.run import OutreachJob, run

        lived = run(OutreachJob(seed, days, size), _tell)
    print(json.dumps(lived.as_json()))
    return 1 if lived.violations else 0


def _tell(day: date, lived: Lived) -> None:
    print(f"{day} {lived.left}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4]))
