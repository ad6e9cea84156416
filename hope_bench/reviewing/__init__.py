"""People look at a benchmark's claims: the queue, the decisions file, agreement, label noise, and the page to decide on."""
