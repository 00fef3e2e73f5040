"""Tables, figures and pages from scores and records."""
