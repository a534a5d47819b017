//! The ground under the handlers: TLS, connections, limits, problems. Loopback only.

mod answers;
mod connections;
mod handshakes;
mod listener;
mod operator;
