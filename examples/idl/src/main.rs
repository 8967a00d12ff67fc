//! A service that is defined in a `.proto` file: a shop, served and called.
//!
//! `proto/shop.proto` says what it can do. `src/api` is the source that was made of it, by the command `fibra` (`rpc/cli`), in this folder:
//!
//! ```text
//! fibra gen proto/shop.proto --out src/api
//! ```
//!
//! It is committed, so that it can be read, and nobody needs more than Cargo to build it. The same with `--check` says when it is stale; so does the test of
//! this package, which with `FIBRA_IDL=overwrite` makes it anew. `src/shop.rs` implements its trait, and what follows calls it by its proxy.
//!
//! In one process:
//!
//! ```text
//! cargo run --release -p fibra-example-idl
//! ```
//!
//! In two:
//!
//! ```text
//! cargo run --release -p fibra-example-idl -- serve 127.0.0.1:7000
//! cargo run --release -p fibra-example-idl -- order 127.0.0.1:7000 lamp 2
//! cargo run --release -p fibra-example-idl -- order 127.0.0.1:7000 lamp 2000
//! ```

mod api;
mod shop;

use std::error::Error;
use std::process::ExitCode;

use fibra::rpc::{CallError, Server};

use api::shop::v1::order::{Card, Payment};
use api::shop::v1::{Order, OrdersClient, OrdersServer, Praise, Refusal, refusal};
use shop::Shop;

const USAGE: &str = "usage: idl [serve ADDR | order ADDR ITEM COUNT]";

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [] => fibra::run(demo),
        ["serve", addr] => fibra::run(|| serve(addr)),
        ["order", addr, item, count] => match count.parse() {
            Ok(count) => fibra::run(|| order(&OrdersClient::connect(addr)?, item, count)),
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("idl: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("idl: {USAGE}");
    ExitCode::from(2)
}

fn demo() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().service(OrdersServer::new(Shop::new())).bind("127.0.0.1:0")?;
    let orders = OrdersClient::connect(server.local_addr())?;
    order(&orders, "lamp", 2)?;
    match order(&orders, "lamp", 2_000) {
        Err(refused) => println!("{refused}"),
        Ok(()) => return Err("nobody has so many lamps".into()),
    }
    orders.praise(Praise { text: "so many lamps".to_owned() })?;
    Ok(())
}

fn serve(addr: &str) -> Result<(), Box<dyn Error>> {
    let server = Server::builder().service(OrdersServer::new(Shop::new())).bind(addr)?;
    println!("shop on {}", server.local_addr());
    Ok(server.wait()?)
}

/// Buys, and follows the order home.
fn order(orders: &OrdersClient, item: &str, count: u32) -> Result<(), Box<dyn Error>> {
    let stock = orders.stock().map_err(explain)?.items.get(item).copied().unwrap_or(0);
    println!("{item}: {stock} in stock");
    let card = Card { number: "4000 0000".to_owned(), holder: "Ada".to_owned() };
    let order = Order { item: item.to_owned(), count, payment: Some(Payment::Card(card)) };
    let receipt = orders.place(order).map_err(explain)?;
    println!("order {}: {count} of {item}, due {}", receipt.number, receipt.due.unwrap_or_default());
    for step in orders.track(receipt).map_err(explain)? {
        let step = step.map_err(explain)?;
        println!("after {}: {}", step.after.unwrap_or_default(), step.place().as_str_name());
    }
    Ok(())
}

/// The shop's own error, with what it says, is apart from those of the call.
fn explain(error: CallError<Refusal>) -> Box<dyn Error> {
    let CallError::Application(refusal) = error else { return error.map_application(|_| "").to_string().into() };
    match refusal.reason {
        Some(refusal::Reason::Left(left)) => format!("refused: {left} left").into(),
        Some(refusal::Reason::Unknown(name)) => format!("refused: there is no {name}").into(),
        Some(refusal::Reason::Unpaid(_)) => "refused: not paid".into(),
        None => "refused, for a reason that this program is too old for".into(),
    }
}
