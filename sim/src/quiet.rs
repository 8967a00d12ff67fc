//! Panics of cases: where they were, and silence about those that are tried by the thousand.
//!
//! One hook for the process, set with the first case, which hands on to the one that was there. Threads that run no case notice nothing of it.
//!
//! Under `panic = "abort"` a panic is the end, so nothing is kept silent, and the seed is told first.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

/// A panic of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panicked {
    pub(crate) message: String,
    pub(crate) location: String,
}

#[derive(Default)]
struct Listening {
    /// What is running, if anything is; and whether it may be heard.
    recipe: Option<String>,
    is_loud: bool,
    last: Option<Panicked>,
}

thread_local! {
    static LISTENING: RefCell<Listening> = RefCell::default();
}

/// Runs `f`; the last panic in it, on this thread.
pub(crate) fn listen<T>(
    recipe: impl FnOnce() -> String,
    is_loud: bool,
    f: impl FnOnce() -> T,
) -> (T, Option<Panicked>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if is_to_be_told(info) {
                others(info);
            }
        }));
    });
    LISTENING.with_borrow_mut(|it| *it = Listening { recipe: Some(recipe()), is_loud, last: None });
    let value = f();
    let last = LISTENING.with_borrow_mut(|it| std::mem::take(it).last);
    (value, last)
}

fn is_to_be_told(info: &panic::PanicHookInfo<'_>) -> bool {
    let told = LISTENING.try_with(|listening| {
        let Ok(mut it) = listening.try_borrow_mut() else { return true };
        let Some(recipe) = &it.recipe else { return true };
        if cfg!(panic = "abort") {
            eprintln!("in the simulation FIBRA_SIM_CASE='{recipe}':");
            return true;
        }
        let message = text(info.payload());
        let location = info.location().map_or_else(String::new, ToString::to_string);
        it.last = Some(Panicked { message, location });
        it.is_loud
    });
    told.unwrap_or(true)
}

/// What a panic says.
pub(crate) fn text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}
