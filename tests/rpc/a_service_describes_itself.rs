//! What a trait declares can be asked of its proxy's type: names, semantics, arguments.

use fibra::rpc::service::{Argument, Semantics};
use serde::{Deserialize, Serialize};

use crate::support::{DeskClient, Refusal};

#[test]
fn names_semantics_and_arguments() {
    let desk = DeskClient::DESCRIPTOR;
    assert_eq!(desk.name(), "desk");
    let [add, withdraw, ..] = desk.methods() else { panic!("{desk:?}") };
    assert_eq!(
        (add.full_name(), add.semantics(), add.to_string()),
        ("desk.add", Semantics::Idempotent, "desk.add(a: i64, b: i64) -> i64".to_owned())
    );
    assert_eq!((withdraw.semantics(), withdraw.name()), (Semantics::AtMostOnce, "withdraw"));
    assert_eq!((withdraw.value(), withdraw.error()), ("u64", Some("Refusal")));
    assert_eq!(withdraw.docs(), "Takes from an account that holds 100.");
    assert_eq!(desk.docs(), "What the tests call.");
    let unseen = desk.methods().iter().find(|method| method.full_name() == "desk.pass_unseen").expect("declared");
    assert_eq!((unseen.semantics(), unseen.arguments().len()), (Semantics::Maybe, 0));
}

#[fibra::service(name = "town.bank")]
#[allow(dead_code, reason = "described, not served")]
pub(crate) trait Bank {
    #[rpc(ordered)]
    fn open(&self);
    #[rpc(ordered = "accounts")]
    fn deposit(&self, cents: u64) -> Result<Vec<(String, u64)>, Refusal>;
    #[rpc(name = "start")]
    fn look(&self);
}

#[test]
fn a_name_on_the_wire_and_lanes() {
    let [open, deposit, look] = BankClient::DESCRIPTOR.methods() else { panic!("{:?}", BankClient::DESCRIPTOR) };
    assert_eq!(deposit.to_string(), "town.bank.deposit(cents: u64) -> Result<Vec<(String, u64)>, Refusal>");
    let (of_bank, of_accounts) = (open.lane().expect("ordered"), deposit.lane().expect("ordered"));
    assert_eq!((of_bank.name(), of_accounts.name()), ("town.bank", "town.bank.accounts"));
    assert_ne!(of_bank.number(), of_accounts.number());
    assert_eq!((look.full_name(), look.lane()), ("town.bank.start", None));
}

/// Whatever an argument or its type is called, the generated code does not trip over it.
#[fibra::service]
pub(crate) trait Names {
    fn awkward(&self, args: u8, reply: u8, number: u8, method: u8, proxy: u8, r#type: u8) -> u8;

    fn wrapped(&self, t: T) -> T {
        t
    }
}

/// Called as type parameters are.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct T(u8);

struct Sum;

impl Names for Sum {
    fn awkward(&self, args: u8, reply: u8, number: u8, method: u8, proxy: u8, r#type: u8) -> u8 {
        args + reply + number + method + proxy + r#type
    }
}

#[test]
fn names_are_free() {
    crate::support::on_one_worker(|| {
        let server =
            fibra::rpc::Server::builder().service(NamesServer::new(Sum)).bind("127.0.0.1:0").expect("a free port");
        let proxy = NamesClient::connect(server.local_addr()).expect("the server listens");
        assert_eq!(proxy.awkward(1, 2, 3, 4, 5, 6).expect("a sum"), 21);
        assert_eq!(proxy.wrapped(T(8)).expect("a value"), T(8));
        assert_eq!(NamesClient::DESCRIPTOR.methods()[0].arguments().last().map(Argument::name), Some("type"));
    });
}
