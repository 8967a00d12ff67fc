//! The handler's own error arrives as the type that it was, apart from what can go wrong with a call.

use fibra::rpc::{CallError, Executed};

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
