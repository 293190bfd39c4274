"""The seams between Dagster and the world: lake, project files, tracking, trainer. Local by default."""
