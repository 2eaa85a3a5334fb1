"""Networks for MR volumes: what they take, label and measure."""
