//! Calling servers that are not fibra's: `fibra::rpc::client::Foreign`.

mod a_call_ends_whatever_the_server_does;
mod a_fibra_server_is_called_by_every_protocol;
mod calls_share_a_connection;
mod servers_of_others_are_called;
mod support;
mod what_is_no_answer_ends_its_connection_only;
