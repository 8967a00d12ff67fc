//! `fibra::net::tls` over real loopback connections: one behaviour per file, and each file's name is the claim.
//!
//! No test sleeps to let something happen. Most run on one worker, where fibers switch only when they wait.

#[path = "../certificates.rs"]
mod certificates;
mod support;

mod a_cut_write_goes_out_with_the_next_read;
mod a_flood_of_handshakes_is_limited;
mod a_peer_may_change_its_keys;
mod a_silent_peer_is_cut_at_the_deadline;
mod a_steady_ping_pong_costs_no_extra_system_call;
mod a_truncated_stream_is_an_error;
mod a_wrong_certificate_is_refused;
mod an_idle_connection_takes_little_memory;
mod application_protocols_are_agreed_on;
mod clients_prove_who_they_are;
mod deadlines_and_cancellation_cut_every_wait;
mod every_worker_makes_handshakes;
mod halves_do_not_hold_each_other_up;
mod plain_threads_talk_tls;
mod shutdown_is_seen_by_the_peer;
mod tampering_is_noticed;
mod two_fibers_talk_tls;
mod what_is_not_tls_is_named;
