"""Deployment files, and the recipe of the bundled model."""
