"""Which forgery method arrives when: schedules, Avalanche streams, and the hidden truth about them."""
