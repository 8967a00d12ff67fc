//! Clients of other protocols on a server's one port, over real loopback connections: one behaviour per file, and each file's name is the claim.
//!
//! No test sleeps to let something happen: handlers stop at a [`Turnstile`](support::Turnstile) and say that they are there.

mod a_dialect_can_be_left_out;
mod a_drained_server_lets_foreign_clients_go;
mod a_foreign_call_begins_without_fiber_locals;
mod a_key_runs_once_whatever_the_network_does;
mod a_repeated_key_runs_once;
mod a_server_with_too_much_to_do_refuses_foreign_calls;
mod foreign_calls_keep_to_the_limits;
mod foreign_calls_pass_what_all_calls_pass;
mod http_clients_of_others_are_served;
mod http_requests_are_answered;
mod http_that_is_none_closes_its_connection_only;
mod json_rpc_clients_of_others_are_served;
mod json_rpc_examples_of_the_specification;
mod json_rpc_is_answered_as_specified;
mod msgpack_rpc_clients_of_others_are_served;
mod msgpack_rpc_is_answered_as_specified;
mod msgpack_rpc_that_is_none_closes_its_connection_only;
mod pipelined_requests_are_answered_together;
mod slow_clients_are_let_go;
mod support;
