//! What a process knows of every account: what it holds, has spent, and has leased from a store.
