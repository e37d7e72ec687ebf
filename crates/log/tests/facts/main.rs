//! What a log does, as facts. Limits are tiny so that rolls happen all the time; time is passed in.

mod append;
mod damaged;
mod derived;
mod faults;
mod indexes;
mod model;
mod patience;
mod producers;
mod recovery;
mod reserved;
mod retention;
mod support;
mod times;
mod transactions;
mod verified;
mod verify;
