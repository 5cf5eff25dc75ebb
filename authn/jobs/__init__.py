"""Work that outlives a request: a table of jobs, what they need on disk, and the threads that do them."""
