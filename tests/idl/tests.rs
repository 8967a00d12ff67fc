//! What source that is made of `.proto` files does: messages in both encodings, services on both sides. The source is that of `build.rs`.

mod a_contradiction_says_where_it_is;
mod a_message_is_a_map_of_its_fields;
mod comments_become_documentation;
mod messages_grow_without_breaking_peers;
mod names_that_rust_has_otherwise_work;
mod names_that_would_be_one_are_told;
mod no_file_is_too_strange;
mod proto2_has_what_it_had;
mod protobufs_encoding_is_kept;
mod services_are_those_of_the_macro;
mod stale_source_is_told;
mod support;
mod types_may_be_elsewhere;
mod well_known_types_are_what_json_has;
mod what_is_no_protobuf_says_where;
