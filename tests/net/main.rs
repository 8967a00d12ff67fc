//! Sockets over real loopback connections: one behaviour per file, and each file's name is the claim.
//!
//! No test sleeps to let something happen. Most run on one worker, where fibers switch only when they wait: a flag that a
//! fiber sets right before a read, seen by another fiber, means that the reader is parked.

mod a_bound_address_is_in_use;
mod a_busy_connection_lets_others_run;
mod a_connection_attempt_times_out;
mod a_fin_after_a_short_read_is_seen;
mod a_lingering_close_holds_no_worker;
mod a_nonblocking_socket_never_waits;
mod a_plain_thread_talks_to_a_fiber;
mod a_read_timeout_leaves_the_stream_usable;
mod a_reader_that_gives_up_passes_its_turn_on;
mod a_refused_connection_has_stds_kind;
mod a_reset_wakes_those_who_wait;
mod a_seeded_run_has_no_sockets;
mod a_silent_peer_is_noticed;
mod a_slow_peer_holds_up_nobody;
mod a_socket_outlives_its_runtime;
mod a_steady_ping_pong_costs_no_extra_system_call;
mod a_unix_connect_waits_for_the_backlog;
mod a_write_waits_for_room;
mod accepting_outlives_running_out_of_descriptors;
mod buffers_of_no_length_wait_for_nothing;
mod cancelling_cuts_an_operation;
mod connections_that_come_and_go_leave_nothing;
mod datagrams_wake_their_receiver;
mod deadlines_and_cancellation_cut_every_wait;
mod descriptors_sent_along_do_not_strand_what_follows;
mod dropped_sockets_free_their_slots;
mod every_worker_accepts;
mod fibers_echo;
mod halves_are_used_by_two_fibers;
mod host_names_resolve;
mod no_connection_is_left_behind;
mod one_fiber_serves_many_sockets;
mod one_worker_serves_a_thousand_connections;
mod parity;
mod peeking_takes_nothing;
mod shutdown_wakes_those_who_wait;
mod sockets_are_as_sendable_as_stds;
mod sockets_convert_from_and_into_stds;
mod sockets_work_without_a_runtime;
mod support;
mod tcp_options_are_read_back;
mod ten_thousand_connections;
mod the_end_of_the_stream_wakes_a_parked_reader;
mod the_first_address_to_answer_is_taken;
mod the_peer_of_a_unix_stream_is_known;
mod trying_never_waits;
mod two_fibers_use_one_socket_both_ways;
mod unix_datagrams_wait_for_their_receiver;
mod urgent_data_does_not_strand_what_follows;
mod vectored_transfers_keep_the_bytes_in_order;
mod waiting_readers_are_served_in_order;
mod what_comes_with_the_deadline_is_taken;
mod workers_share_a_load_without_losing_wakeups;
