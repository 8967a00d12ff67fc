//! Methods that are registered by name, each a closure: no trait, nothing generated.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::descriptor::{Argument, Descriptor, Method};
use super::message::{Answer, Args, Rejected, Reply};
use super::{Semantics, Service};
use crate::codec::Value;

/// A service of one method, which a closure runs. Made by [`Builder::method`](crate::server::Builder::method).
pub(crate) struct Dynamic<F> {
    descriptor: Descriptor,
    run: F,
}

impl<F> Dynamic<F>
where
    F: Fn(Args<'_>, Reply<'_>) -> Result<Answer, Rejected> + Send + Sync + 'static,
{
    /// A name without a dot is a method of the service of no name.
    pub(crate) fn new<A: Arguments>(
        mut method: Method,
        value: &'static str,
        error: Option<&'static str>,
        run: F,
    ) -> Self {
        let service = method.full_name().rsplit_once('.').map_or("", |(service, _)| service).to_owned();
        if method.arguments().is_empty() {
            method = method.with_arguments(A::DESCRIPTION);
        }
        if method.value() == "()" {
            method = method.with_value(value);
        }
        if let (None, Some(error)) = (method.error(), error) {
            method = method.with_error(error);
        }
        Self { descriptor: Descriptor::owned(service, vec![method]), run }
    }
}

impl<F> Service for Dynamic<F>
where
    F: Fn(Args<'_>, Reply<'_>) -> Result<Answer, Rejected> + Send + Sync + 'static,
{
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn dispatch(&self, _: usize, args: Args<'_>, reply: Reply<'_>) -> Result<Answer, Rejected> {
        (self.run)(args, reply)
    }
}

/// What a registered closure takes as its one argument: a tuple of up to 16 arguments, `()` for none; or, for whatever comes, a `Vec<Value>`.
pub trait Arguments: Sized {
    /// What is known of them.
    #[doc(hidden)]
    const DESCRIPTION: &'static [Argument];

    /// Decodes them.
    #[doc(hidden)]
    fn decode(args: Args<'_>) -> Result<Self, Rejected>;
}

impl Arguments for () {
    const DESCRIPTION: &'static [Argument] = &[];

    fn decode(args: Args<'_>) -> Result<Self, Rejected> {
        args.decode::<[(); 0]>(0).map(|[]| ())
    }
}

impl Arguments for Vec<Value> {
    const DESCRIPTION: &'static [Argument] = &[Argument::new("..", "Value")];

    fn decode(args: Args<'_>) -> Result<Self, Rejected> {
        args.decode_all()
    }
}

macro_rules! tuples {
    ($($name:ident $number:literal),+) => {
        impl<$($name: DeserializeOwned),+> Arguments for ($($name,)+) {
            const DESCRIPTION: &'static [Argument] = &[$(Argument::new($number, "_")),+];

            fn decode(args: Args<'_>) -> Result<Self, Rejected> {
                args.decode(Self::DESCRIPTION.len())
            }
        }
    };
}

tuples!(A "0");
tuples!(A "0", B "1");
tuples!(A "0", B "1", C "2");
tuples!(A "0", B "1", C "2", D "3");
tuples!(A "0", B "1", C "2", D "3", E "4");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6", H "7");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6", H "7", I "8");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6", H "7", I "8", J "9");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6", H "7", I "8", J "9", K "10");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6", H "7", I "8", J "9", K "10", L "11");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6", H "7", I "8", J "9", K "10", L "11", M "12");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6", H "7", I "8", J "9", K "10", L "11", M "12", N "13");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6", H "7", I "8", J "9", K "10", L "11", M "12", N "13", O "14");
tuples!(A "0", B "1", C "2", D "3", E "4", F "5", G "6", H "7", I "8", J "9", K "10", L "11", M "12", N "13", O "14", P "15");

/// A service of the method that `f` runs.
pub(crate) fn of_value<A, T, F>(method: Method, f: F) -> impl Service
where
    A: Arguments,
    T: Serialize,
    F: Fn(A) -> T + Send + Sync + 'static,
{
    let run = move |args: Args<'_>, reply: Reply<'_>| Ok(reply.value(&f(A::decode(args)?)));
    Dynamic::new::<A>(method, std::any::type_name::<T>(), None, run)
}

/// A service of the method that `f` runs, which may fail.
pub(crate) fn of_result<A, T, E, F>(method: Method, f: F) -> impl Service
where
    A: Arguments,
    T: Serialize,
    E: Serialize,
    F: Fn(A) -> Result<T, E> + Send + Sync + 'static,
{
    let run = move |args: Args<'_>, reply: Reply<'_>| Ok(reply.result(&f(A::decode(args)?)));
    Dynamic::new::<A>(method, std::any::type_name::<T>(), Some(std::any::type_name::<E>()), run)
}

/// By name alone, at most once.
impl From<&str> for Method {
    fn from(full_name: &str) -> Self {
        Self::named(full_name, Semantics::AtMostOnce)
    }
}

/// By name alone, at most once.
impl From<String> for Method {
    fn from(full_name: String) -> Self {
        Self::named(full_name, Semantics::AtMostOnce)
    }
}
