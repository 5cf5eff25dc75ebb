"""What a service process holds, and who may do what with it."""
