//! The `select!` macro: parses cases into a list, then makes one expression of them.
//!
//! Each case brings identifiers of its own from the step that parses it, which hygiene keeps apart.

/// Waits until one of several channel operations can be done, does it, and goes on with its code. The syntax is that of
/// crossbeam-channel.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use std::time::Duration;
/// use fibra_scheduler::sync::{channel, select};
///
/// let (results, received) = channel::bounded(1);
/// let (stop, stopped) = channel::oneshot::<()>();
/// let (log, logged) = channel::unbounded();
///
/// fibra_scheduler::spawn(move || results.send(42));
/// let got = select! {
///     recv(received) -> result => result.ok(),
///     recv(stopped) -> _ => None,
///     default(Duration::from_secs(5)) => None,
/// };
/// assert_eq!(got, Some(42));
///
/// select! {
///     send(log, "done") -> sent => sent.expect("the log is there"),
///     default => println!("the log is full"),
/// }
/// # drop((stop, logged));
/// # }).unwrap();
/// ```
///
/// * `recv(receiver) -> result => ..`: `result` is what [`recv`](crate::sync::channel::Receiver::recv) returns.
/// * `send(sender, message) -> result => ..`: `result` is what [`send`](crate::sync::channel::Sender::send) returns.
/// * `join(handle) -> result => ..`: `result` is what joining the handle returns, such as that of a remote call. A handle that has given its
///   result is passed over. See [`Joinable`](crate::sync::Joinable).
/// * `default => ..`: if nothing is ready, do not wait. `default(timeout) => ..`: wait no longer than `timeout`, a
///   [`Duration`](std::time::Duration). One of them, as the last case.
///
/// Receivers, senders and handles may be given by value, which only borrows them, or by reference. A disconnected channel is ready, with an
/// error. If several cases are ready, a random one is taken, so none starves.
///
/// **Cancellation and ambient deadlines cut the wait**: the first case is then taken, and its result is the error `Interrupted`.
///
/// # Differences from crossbeam-channel
///
/// A message is evaluated before the wait, not after, and dropped if another case is taken. The default case comes last.
#[macro_export]
#[doc(hidden)]
macro_rules! select {
    ($($cases:tt)+) => {
        $crate::__select_parse!([] 0usize; $($cases)+)
    };
}

/// Parses case after case into `[{kind (arguments) side case result (number) pattern => code}*]`.
#[macro_export]
#[doc(hidden)]
macro_rules! __select_parse {
    // The end.
    ([$($done:tt)*] $number:expr;) => {
        $crate::__select_emit!([$($done)*] $crate::sync::__select::Patience::Endless, ::core::unreachable!())
    };
    // The default case: last.
    ([$($done:tt)*] $number:expr; default => $code:expr $(,)?) => {
        $crate::__select_emit!([$($done)*] $crate::sync::__select::Patience::None, $code)
    };
    ([$($done:tt)*] $number:expr; default() => $code:expr $(,)?) => {
        $crate::__select_emit!([$($done)*] $crate::sync::__select::Patience::None, $code)
    };
    ([$($done:tt)*] $number:expr; default($timeout:expr) => $code:expr $(,)?) => {
        $crate::__select_emit!([$($done)*] $crate::sync::__select::Patience::For($timeout), $code)
    };
    // A case with a block, a comma after it or not.
    ([$($done:tt)*] $number:expr; $kind:ident($($arguments:tt)*) -> $result:pat => $code:block, $($rest:tt)*) => {
        $crate::__select_parse!([$($done)* {$kind ($($arguments)*) side case result ($number) $result => $code}] $number + 1; $($rest)*)
    };
    ([$($done:tt)*] $number:expr; $kind:ident($($arguments:tt)*) -> $result:pat => $code:block $($rest:tt)*) => {
        $crate::__select_parse!([$($done)* {$kind ($($arguments)*) side case result ($number) $result => $code}] $number + 1; $($rest)*)
    };
    // A case with another expression.
    ([$($done:tt)*] $number:expr; $kind:ident($($arguments:tt)*) -> $result:pat => $code:expr, $($rest:tt)*) => {
        $crate::__select_parse!([$($done)* {$kind ($($arguments)*) side case result ($number) $result => $code}] $number + 1; $($rest)*)
    };
    ([$($done:tt)*] $number:expr; $kind:ident($($arguments:tt)*) -> $result:pat => $code:expr) => {
        $crate::__select_parse!([$($done)* {$kind ($($arguments)*) side case result ($number) $result => $code}] $number + 1;)
    };
    ($($anything:tt)*) => {
        ::core::compile_error!(
            "expected `recv(receiver) -> result => ..`, `send(sender, message) -> result => ..`, `join(handle) -> result => ..`, \
             and last `default => ..` or `default(timeout) => ..`"
        )
    };
}

/// Makes the expression: the operations are over, and what they borrow is free, before the code of the case that was taken runs.
#[macro_export]
#[doc(hidden)]
macro_rules! __select_emit {
    (
        [$({$kind:ident ($($arguments:tt)*) $side:ident $case:ident $result:ident ($number:expr) $pattern:pat => $code:expr})*]
        $patience:expr, $default:expr
    ) => {{
        $(let mut $result = ::core::option::Option::None;)*
        let taken = {
            $(let $side = $crate::__select_side!($kind ($($arguments)*));)*
            $(let mut $case = $crate::__select_case!($kind ($($arguments)*) $side $result);)*
            $crate::sync::__select::choose(&mut [$(&mut $case),*], $patience)
        };
        match taken {
            $(
                ::core::option::Option::Some(number) if number == $number => {
                    let $pattern = $result.expect("the case that is taken has a result");
                    $code
                }
            )*
            _ => $default,
        }
    }};
}

/// Borrows the channel's side, in a `let` of its own, which keeps a temporary alive.
#[macro_export]
#[doc(hidden)]
macro_rules! __select_side {
    (join ($handle:expr $(,)?)) => {
        &mut $handle
    };
    ($kind:ident ($side:expr $(, $($message:tt)*)?)) => {
        &$side
    };
}

/// Makes one case.
#[macro_export]
#[doc(hidden)]
macro_rules! __select_case {
    (recv ($receiver:expr $(,)?) $side:ident $result:ident) => {
        $crate::sync::__select::recv($side, &mut $result)
    };
    (join ($handle:expr $(,)?) $side:ident $result:ident) => {
        $crate::sync::__select::join($side, &mut $result)
    };
    (send ($sender:expr, $message:expr $(,)?) $side:ident $result:ident) => {
        $crate::sync::__select::send($side, $message, &mut $result)
    };
}
