//! The command `fibra`, as a shell has it: each test runs the program beside a server of its own.

mod a_bench_measures_calls;
mod a_bench_that_is_interrupted_tells_what_it_has;
mod a_call_gives_what_the_method_returns;
mod a_reader_that_hangs_up_ends_the_call;
mod a_server_that_tells_nothing_is_called_by_name;
mod a_stream_is_lines;
mod an_open_loop_charges_a_stall;
mod arguments_are_read_by_their_types;
mod exit_codes_say_whether_it_ran;
mod metadata_goes_along;
mod names_that_are_nearly_right_are_recognised;
mod proto_files_become_source;
mod servers_of_other_protocols_are_called;
mod services_are_listed_and_described;
mod shells_know_the_command;
mod support;
mod what_cannot_be_an_address_is_said;
