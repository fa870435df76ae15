"""Recipes: what differs from the defaults in configs/. `--recipe=NAME` takes one."""
