//! What is shared between fibers of all workers and plain threads is `Send` and `Sync`, and errors fit a `Box<dyn Error>`.

use fibra::rpc::{BindError, CallError, Channel, ConnectError, ServeError, Server};

use crate::support::{Counter, DeskClient, DeskServer, Refusal};

fn is_shared<T: Send + Sync + 'static>() {}
fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn by_their_types() {
    is_shared::<DeskClient>();
    is_shared::<DeskServer<Counter>>();
    is_shared::<Channel>();
    is_shared::<Server>();
    is_an_error::<CallError>();
    is_an_error::<CallError<Refusal>>();
    is_an_error::<ConnectError>();
    is_an_error::<BindError>();
    is_an_error::<ServeError>();
}
