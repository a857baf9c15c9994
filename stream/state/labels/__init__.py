"""What the state file knows of labels: rows that wait for each other, and quality panes."""
