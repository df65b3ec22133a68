"""What Alembic runs: the migrations, inside the transaction that `storage.store` has begun."""

from __future__ import annotations

from alembic import context

from storage.schema import Table


def run() -> None:
    """Bring the database of the connection that was handed over to the version asked for."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
    with context.begin_transaction():
        context.run_migrations()


# The name under which Alembic loads this file; whoever else imports it has no context to run in.
if __name__ == "env_py":
    run()
