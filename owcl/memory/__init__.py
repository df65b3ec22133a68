"""What is kept of earlier experiences: exemplars, prototypes and the sums of the analytic head."""
