"""How well is it going? Metrics as functions of arrays, figures, and the report."""
