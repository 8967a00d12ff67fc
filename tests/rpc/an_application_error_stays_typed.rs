//! The handler's own error arrives as the type that it was, apart from what can go wrong with a call.

use std::error::Error;

use fibra::rpc::client::Proxy;
use fibra::rpc::{CallError, Channel, Executed, Server};

use crate::support::{Refusal, connect, on_one_worker, serve};

#[test]
fn a_method_with_an_error_type() {
    on_one_worker(|| {
        let (server, _) = serve();
        let proxy = connect(&server);
        assert_eq!(proxy.withdraw(30).expect("enough is there"), 70);

        let error = proxy.withdraw(130).expect_err("not enough is there");
        assert_eq!(error.executed(), Executed::Yes);
        assert_eq!(error.to_string(), "30 cents are missing");
        let CallError::Application(refusal) = error else { panic!("{error:?}") };
        assert_eq!(refusal, Refusal::NotEnough { missing: 30 });
    });
}

/// Text is an error's own type, too, and so is what is not known: whoever does not look at it hands it on.
#[test]
fn an_error_is_handed_on_whatever_its_type() {
    let server = Server::builder().fallible_method("calculator.divide", |(a, b): (i64, i64)| {
        a.checked_div(b).ok_or_else(|| "division by zero".to_owned())
    });
    let proxy = Proxy::new(Channel::local_server(server).expect("there is one method"));
    let divide = |a, b| -> Result<i64, Box<dyn Error>> { Ok(proxy.call_by_name("calculator.divide", &(a, b))?) };
    assert_eq!(divide(6, 3).expect("a quotient"), 2);
    assert_eq!(divide(6, 0).expect_err("there is none").to_string(), "\"division by zero\"");
    let divide = |a, b| -> Result<i64, Box<dyn Error>> {
        Ok(proxy.call_fallible::<_, _, String>(&"calculator.divide".into(), &(a, b))?)
    };
    assert_eq!(divide(6, 0).expect_err("there is none").to_string(), "division by zero");
}
