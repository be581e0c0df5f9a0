//! The whole system through its prompt.
