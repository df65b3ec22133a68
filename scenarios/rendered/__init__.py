"""The embedded scenario: procedurally rendered faces, and forgeries of them."""
