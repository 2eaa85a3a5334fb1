"""Reading models of others: declared beside their weights, run in a process of their own."""
