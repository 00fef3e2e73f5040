"""New submissions, written from templates."""
