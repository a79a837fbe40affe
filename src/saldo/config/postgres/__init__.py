"""The database Saldo runs on: its own PostgreSQL by default, any PostgreSQL >= 15 by its address.

Nothing here imports Django: the settings call it while Django is being loaded. ``docs/how-to/database.md``
tells the same story for the person who runs the machine.

The words: *home* is SALDO_HOME, the folder with everything Saldo keeps; the *cluster* is the folder with
PostgreSQL's data, socket, log, lock and passwords; the *account* is the system user the server runs as.
"""

from saldo.config.postgres.address import MINIMUM_VERSION, check_server, described, django_database, from_url
from saldo.config.postgres.cluster import default_home
from saldo.config.postgres.server import ServerStatus, ensure, erase, start, status, stop

__all__ = [
    "MINIMUM_VERSION",
    "ServerStatus",
    "check_server",
    "default_home",
    "described",
    "django_database",
    "ensure",
    "erase",
    "from_url",
    "start",
    "status",
    "stop",
]
