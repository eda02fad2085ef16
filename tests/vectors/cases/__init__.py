"""What the vectors say, by hand: each bad one is a good one with one thing wrong, and names the rule it breaks."""
