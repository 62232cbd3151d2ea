//! What tests share.

pub mod balancer;
pub mod cells;
pub mod commands;
pub mod contract;
pub mod database;
pub mod load;
pub mod markup;
pub mod parties;
pub mod patroni;
pub mod plans;
pub mod pooler;
pub mod process;
pub mod proxy;
pub mod receiver;
pub mod servers;
pub mod service;
pub mod settings;
pub mod standby;
pub mod streams;
pub mod visitor;
pub mod waiting;
