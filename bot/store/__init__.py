"""What is kept, and the named questions asked of it: the same tables and SQL on SQLite and PostgreSQL."""
