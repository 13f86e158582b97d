"""What the README promises about runs, tried by force: short forms are tests, `make reliability` runs the long ones."""
