"""What usually comes next."""
