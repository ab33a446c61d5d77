//! The rig: starts each variant, checks it, puts load on it and measures.
//!
//! How a measurement is made stands in [`measure`], what is compared in [`variant`], and the configurations of all
//! alternatives, with what was done for them, in `rig/configs/`.

pub(crate) mod arguments;
mod bursts;
mod checks;
mod connection;
mod cores;
pub(crate) mod growth;
mod load;
mod machine;
mod measure;
mod memory;
mod nginx;
mod open_loop;
mod output;
mod proxies;
pub(crate) mod run;
mod services;
pub(crate) mod start;
mod turns;
mod variant;
mod wrk;
