"""The single truth of a workspace: one database, one file a noun, functions that take a transaction first."""
