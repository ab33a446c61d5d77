//! Requests that wait for a check together.
