//! How `.proto` files become source, and what is said of those that cannot.

mod a_contradiction_says_where_it_is;
mod comments_become_documentation;
mod names_that_would_be_one_are_told;
mod no_file_is_too_strange;
mod stale_source_is_told;
mod support;
mod types_may_be_elsewhere;
mod what_is_no_protobuf_says_where;
