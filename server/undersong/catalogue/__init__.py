"""What is known of features: names, evidence, search, calibrated doses; SQLite files. Knows no torch."""
