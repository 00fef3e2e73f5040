"""Tables, figures and pages made from scores and records."""
