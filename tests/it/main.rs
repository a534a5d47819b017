//! The integration tests, one binary: whatever needs a database, a socket or a process, and what
//! holds for the tree as a whole.

<<<<<<< HEAD
<<<<<<< HEAD
<<<<<<< HEAD
mod flows;
=======
mod architecture;
mod dependencies;
mod readme;
>>>>>>> scaffold
=======
mod api;
mod authorisation;
mod openapi;
>>>>>>> api
=======
mod cli;
>>>>>>> opcli
mod store;
mod support;
mod web;
