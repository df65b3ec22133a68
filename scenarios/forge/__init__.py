"""The same forgeries, made of a folder of real face photographs."""
