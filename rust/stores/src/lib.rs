//! Where shared accounts live: SQLite and Redis, and the thread that leases from them.
