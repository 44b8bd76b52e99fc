"""The command line: leaves that hold no logic and that nothing imports."""
