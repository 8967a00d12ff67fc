//! What source that is made of `.proto` files does: messages in both encodings, services on both sides. The source is that of `build.rs`.

mod a_message_is_a_map_of_its_fields;
mod messages_grow_without_breaking_peers;
mod names_that_rust_has_otherwise_work;
mod proto2_has_what_it_had;
mod protobufs_encoding_is_kept;
mod services_are_those_of_the_macro;
mod support;
mod well_known_types_are_what_json_has;
