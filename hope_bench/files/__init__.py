"""What users see on disk: one module for each kind of file, the rules they share, and where packaged ones are found."""
