//! The `#[service]` attribute: from a trait to the adapter that serves it and the proxy that calls it.
//!
//! ```text
//!   #[service] trait Calculator { fn add(&self, a: i64, b: i64) -> i64; }
//!        │ model: what was written, or what is wrong with it, with spans
//!        ▼
//!   trait Calculator             as written, without the #[rpc(..)] helpers
//!   struct CalculatorServer<T>   impl Service: descriptor, dispatch by number
//!   struct CalculatorClient      fn add(&self, a: i64, b: i64) -> Result<i64, CallError>
//!   struct CalculatorStart<'_>   fn add(&self, a: i64, b: i64) -> Pending<i64>
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `options` | what stands in the parentheses of `#[service(..)]` and `#[rpc(..)]` |
//! | `model` | the trait, taken apart and checked |
//! | `streams` | which arguments are streams |
//! | `travel` | which types can travel, and what to write in place of one that cannot |
//! | `expand` | the generated code |
//!
//! Users reach it as `fibra::service`.

#![forbid(unsafe_code)]

mod expand;
mod model;
mod options;
mod streams;
mod travel;

use proc_macro::TokenStream;
use quote::quote;
use syn::{Item, ItemTrait};

use model::Model;
use options::ServiceOptions;

/// Makes a trait a service: `CalculatorServer` serves an implementation, `CalculatorClient` calls it from elsewhere.
///
/// ```
/// use fibra_rpc::service; // fibra::service
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// pub enum BankError {
///     NoSuchAccount,
/// }
///
/// #[service(crate = fibra_rpc)] // just #[fibra::service] for who depends on fibra
/// pub trait Bank {
///     /// Running it twice does no harm, so a lost reply may be asked for again.
///     #[rpc(idempotent)]
///     fn balance(&self, account: u64) -> Result<u64, BankError>;
///
///     /// At most once, the default. The error is typed on both sides.
///     fn deposit(&self, account: u64, cents: u64) -> Result<u64, BankError>;
///
///     /// One-way: no reply is awaited.
///     #[rpc(maybe)]
///     fn log(&self, line: String);
/// }
/// ```
///
/// For a trait `Bank` it writes:
///
/// * `BankServer<T>`, with `BankServer::new(implementation)`: give it to `Server::builder().service(..)`.
/// * `BankClient`, with `connect(addr)`, `new(channel)`, `local(implementation)` for one in this process, `within(timeout)`, `channel()`, and a method for each of the
///   trait's. A method that returns `T` returns `Result<T, CallError>` there; one that returns `Result<T, E>` returns
///   `Result<T, CallError<E>>`.
/// * `BankStart`, which `proxy.start()` returns, with the same methods: each sends its call and returns a `Pending<T, E>`, a handle to be
///   joined later. So many calls of one fiber are under way at once.
///
/// On the wire a method is called `bank.deposit`: the trait's name in snake case, and the method's.
///
/// `BankClient::DESCRIPTOR` says all of that at run time: names, types as they are written, semantics, documentation. A server
/// tells it to whoever asks; see `fibra::rpc::reflection`.
///
/// # What a method may be
///
/// `fn name(&self, argument: Type, ..) -> Type`, with up to 16 arguments. What travels is owned: `String`, not `&str`.
/// Arguments, values and errors implement serde's `Serialize` and `DeserializeOwned`. `Result` names both its types. A
/// method may have a default body: that is the server's.
///
/// # Streams
///
/// An argument of type `Receiver<T>` takes items that the client sends while the method runs; one of type `Sender<T>` sends items
/// to the client. There may be one of each, beside other arguments. In the proxy's method they are no arguments: it returns a
/// `Streaming`, by which the caller sends, takes, and waits for the value.
///
/// ```
/// use fibra_rpc::stream::{Receiver, Sender, StreamError};
///
/// #[fibra_rpc::service(crate = fibra_rpc)]
/// pub trait Words {
///     fn count(&self, lines: Receiver<String>) -> Result<u64, StreamError>; // .count()? : Streaming<String, Nothing, u64, StreamError>
///     fn say(&self, text: String, words: Sender<String>);                  // .say(text)? : Streaming<Nothing, String, ()>
///     fn echo(&self, lines: Receiver<String>, out: Sender<String>);        // .echo()? : Streaming<String, String, ()>
/// }
/// ```
///
/// What is spelled `Receiver<..>` or `Sender<..>` is taken for a stream: give a type of your own another name.
///
/// # Options
///
/// Of a method, `#[rpc(..)]`:
///
/// * `idempotent`, `maybe`: what repeating a call does; see above.
/// * `ordered`, `ordered = "accounts"`: its calls run one at a time, in the order in which a client makes them, together with those of all
///   methods of its service that are `ordered` likewise. See `fibra::rpc::service::OrderedLane`.
/// * `name = "start"`: its name on the wire, in place of that in the trait.
///
/// Of the trait:
///
/// * `#[service(name = "bank.accounts")]`: the service's name on the wire, in place of the trait's.
/// * `#[service(crate = path)]`: where the items of `fibra::rpc` are, if not there.
#[proc_macro_attribute]
pub fn service(options: TokenStream, item: TokenStream) -> TokenStream {
    let options = match ServiceOptions::parse(options) {
        Ok(options) => options,
        Err(error) => return with_item(&error, item),
    };
    let mut item: ItemTrait = match syn::parse(item.clone()) {
        Ok(item) => item,
        Err(error) => return with_item(&no_trait(error, item.clone()), item),
    };
    // Takes the helper attributes out of the trait: what remains is the user's own.
    match Model::take(&mut item, options.name.as_ref()) {
        Ok(model) => {
            let server = expand::server::expand(&model, &options.krate);
            let client = expand::client::expand(&model, &options.krate);
            let start = expand::start::expand(&model, &options.krate);
            quote!(#item #server #client #start).into()
        }
        Err(error) => with_item(&error, quote!(#item).into()),
    }
}

/// What is wrong with an item that is no trait.
fn no_trait(error: syn::Error, item: TokenStream) -> syn::Error {
    match syn::parse::<Item>(item) {
        Ok(item @ (Item::Struct(_) | Item::Enum(_) | Item::Impl(_) | Item::Mod(_) | Item::Fn(_))) => {
            syn::Error::new_spanned(
                item,
                "a service is a trait: write `#[service]` above one, which this then implements",
            )
        }
        _ => error,
    }
}

/// The error, and what was written: so that its uses do not fail too.
fn with_item(error: &syn::Error, item: TokenStream) -> TokenStream {
    let mut tokens = TokenStream::from(error.to_compile_error());
    tokens.extend(item);
    tokens
}
