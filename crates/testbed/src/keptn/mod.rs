//! Stand-ins for Keptn 0.6.2's two services, as go-swagger's servers behave.
//!
//! [`ApiService`] and [`ConfigurationService`] answer as the real ones do, [record](Records) what they receive, and
//! obey [orders](Orders) to misbehave. Both are a [`StandIn`] and share its methods. They run on the tokio runtime
//! that started them and end with it.

mod answer;
mod api_service;
mod configuration_service;
mod jwt;
mod log_stream;
mod orders;
mod records;
mod request;
mod sending;
mod server;
mod serving;
mod store;
mod swagger;
mod tap;

pub use self::{
    api_service::ApiService,
    configuration_service::ConfigurationService,
    jwt::sign as sign_channel_token,
    orders::{Gate, Order, Orders, Reply, Scope},
    records::{Outcome, Received, Records},
    server::{Settings, StandIn},
};
