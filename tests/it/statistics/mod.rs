//! Tables of counts: over records that agencies delivered, decided, protected, logged, month by month.

mod commands;
mod numbered;
mod tables;
