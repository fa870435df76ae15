"""Tools for the folder's content: weights to start from and weights to hand on."""
