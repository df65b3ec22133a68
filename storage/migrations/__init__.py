"""How a database gets from one version of the schema to the next; run by `storage.store` on opening."""
