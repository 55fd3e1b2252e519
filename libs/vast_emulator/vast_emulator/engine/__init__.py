"""The database behind the wire face: transactions over tables of Arrow row groups, durable by a redo log."""
