"""From people's files to a first spec: what is there, what is wrong with it, and the settings that fit it."""
