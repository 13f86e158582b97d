"""What runs and gates say: statistics over seeds, capture of gates, and their description."""
