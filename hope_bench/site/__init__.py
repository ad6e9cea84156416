"""Results in, a static leaderboard out."""
