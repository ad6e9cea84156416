"""Files of other tools: official POPE splits and answers files in."""
