"""The training loop: steps, options, checkpoints, shards, what is written for people."""
