"""Questions put to the lab: the study, the store of its runs, and their execution."""
