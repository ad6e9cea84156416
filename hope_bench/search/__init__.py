"""From a spec to a benchmark: inputs, sample, encode, guard, search, write; and the strategies and guards, a module each."""
