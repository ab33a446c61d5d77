//! How a request would get to Keptn's services without a good token, tried in every mode.

#[path = "attacks/deletions.rs"]
mod deletions;
#[path = "attacks/forged.rs"]
mod forged;
#[path = "attacks/hosts.rs"]
mod hosts;
#[path = "attacks/loading.rs"]
mod loading;
#[path = "attacks/neighbours.rs"]
mod neighbours;
#[path = "attacks/strangers.rs"]
mod strangers;
