//! Keywords, names of the standard library, and names that Rust writes in another way: all compile, and travel by their own names.

use fibra::rpc::codec::Value;
use fibra_idl_tests::api::r#type::self_::std as odd;
use fibra_idl_tests::api::{Nowhere, Where, nowhere};
use prost::Message;

use crate::support::{arriving, member, travelling};

#[test]
fn a_field_travels_by_its_name_in_the_file() {
    let fields = odd::Fields {
        camel_case: 1,
        leading: 2,
        double_under: 3,
        r#type: 4,
        r#async: 5,
        shouted: 6,
        _1: 7,
        ..odd::Fields::default()
    };
    let value = travelling(&fields);
    for (number, name) in
        ["camelCase", "_leading", "double__under", "type", "async", "SHOUTED", "_1"].iter().enumerate()
    {
        assert_eq!(member(&value, name), &Value::from(number + 1), "{name}");
    }
    assert_eq!(arriving::<odd::Fields>(&value).expect("it is one"), fields);
    let itself = odd::Self_ { super_: 1, crate_: 2, r#fn: 3, self_: Some(Box::default()) };
    let value = travelling(&itself);
    for (name, number) in [("super", 1), ("crate", 2), ("fn", 3)] {
        assert_eq!(member(&value, name), &Value::from(number), "{name}");
    }
}

#[test]
fn a_member_travels_by_its_name_in_the_file() {
    use odd::fields::TheKind;
    for (kind, name) in [
        (TheKind::Match(1), "match"),
        (TheKind::CaseOne(1), "caseOne"),
        (TheKind::Self_("x".into()), "self"),
        (TheKind::Default(Vec::new().into()), "default"),
    ] {
        let fields = odd::Fields { the_kind: Some(kind), ..odd::Fields::default() };
        let value = travelling(&fields);
        member(member(&value, "theKind"), name);
        assert_eq!(arriving::<odd::Fields>(&value).expect("it is one"), fields);
    }
}

#[test]
fn types_named_as_those_of_the_standard_library_are_the_files_own() {
    let option = odd::Option {
        result: Some(odd::Result { ok: "ok".into() }),
        vec: Some(odd::Vec { items: vec![1] }),
        string: Some(odd::String { string: "s".into() }),
        some: vec![odd::Some { none: None }],
        options: [("inner".to_owned(), odd::Option::default())].into(),
        ..odd::Option::default()
    };
    assert_eq!(arriving::<odd::Option>(&travelling(&option)).expect("it is one"), option);
    assert_eq!(odd::Option::decode(option.encode_to_vec().as_slice()), Ok(option));
    assert_eq!(odd::Ok::from_str_name("ERR"), Some(odd::Ok::Err));
}

#[test]
fn a_file_without_a_package_is_at_the_top() {
    let nowhere = Nowhere { name: "n".into(), kind: Some(nowhere::Kind::B(nowhere::Somewhere {})) };
    assert_eq!(arriving::<Nowhere>(&travelling(&nowhere)).expect("it is one"), nowhere);
    assert_eq!(Where::There.as_str_name(), "THERE");
    assert_eq!(fibra_idl_tests::api::NothingClient::DESCRIPTOR.methods()[0].full_name(), "nothing.ask");
}

#[test]
fn a_service_of_such_names_is_called() {
    struct Impl;
    impl odd::Service for Impl {
        fn clone(&self, _: odd::Clone) -> Result<odd::Result, fibra::proto::Status> {
            Ok(odd::Result { ok: "cloned".into() })
        }
        fn drop(
            &self,
            _: fibra::rpc::stream::Receiver<odd::Receiver>,
            _: fibra::rpc::stream::Sender<odd::Sender>,
        ) -> Result<(), fibra::proto::Status> {
            Ok(())
        }
        fn fmt(&self, _: odd::Option) -> Result<odd::String, fibra::proto::Status> {
            Ok(odd::String { string: "formatted".into() })
        }
        fn r#match(&self, _: fibra::rpc::stream::Receiver<odd::Vec>) -> Result<odd::Box, fibra::proto::Status> {
            Ok(odd::Box::default())
        }
        fn dispatch(
            &self,
            _: odd::Self_,
            _: fibra::rpc::stream::Sender<odd::Self_>,
        ) -> Result<(), fibra::proto::Status> {
            Ok(())
        }
    }
    let proxy = odd::ServiceClient::local(Impl);
    assert_eq!(proxy.clone(odd::Clone::default()).expect("a result").ok, "cloned");
    assert_eq!(proxy.fmt(odd::Option::default()).expect("a string").string, "formatted");
    assert_eq!(odd::ServiceClient::DESCRIPTOR.methods()[3].full_name(), "type.self.std.service.match");
}
