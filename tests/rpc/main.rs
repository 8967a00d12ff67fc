//! Calls over real loopback connections: one behaviour per file, and each file's name is the claim.
//!
//! No test sleeps to let something happen: handlers stop at a [`Turnstile`](support::Turnstile) and say that they are there.

mod support;

mod a_blocking_handler_stalls_no_other_call;
mod a_call_comes_from_fibers_and_threads_alike;
mod a_call_that_is_no_longer_awaited_does_not_run;
mod a_caller_is_never_held_by_a_write;
mod a_cancelled_caller_stops_waiting;
mod a_deadline_that_passes_is_a_typed_timeout;
mod a_deadline_travels_with_its_call;
mod a_full_connection_parks_or_refuses;
mod a_full_server_closes_new_connections;
mod a_lost_connection_says_whether_the_call_ran;
mod a_malformed_frame_closes_its_connection_only;
mod a_one_way_call_awaits_no_reply;
mod a_panicking_handler_fails_its_own_call_only;
mod a_peer_that_does_not_read_is_not_read_from;
mod a_refused_connection_says_so;
mod a_runtime_full_of_fibers_keeps_serving;
mod a_service_describes_itself;
mod a_thousand_calls_share_one_connection;
mod an_address_in_use_says_so;
mod an_application_error_stays_typed;
mod an_unknown_method_is_named;
mod an_unknown_version_is_told_ours;
mod deep_nesting_fails_its_own_call;
mod dropping_the_last_proxy_closes_the_connection;
mod outside_a_runtime_the_error_says_what_to_do;
mod proxies_and_servers_go_anywhere;
mod shutting_down_ends_every_handler;
mod the_wire_is_as_documented;
mod threads_serve_the_same_handlers;
mod what_cannot_be_a_service_does_not_compile;
mod what_is_too_large_fails_its_own_call;
