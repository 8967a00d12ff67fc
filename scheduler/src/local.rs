//! Values that belong to one fiber: `fiber_local!`.
//!
//! A fiber has few of them, so they are a short list searched by the key's address. Each is reference counted, so that no borrow of
//! the list is held while user code looks at a value: an initialiser may use other keys, and even park.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::control::contain;
use crate::worker::Worker;

/// The values of one fiber, or of one plain thread. Small as long as there are none, since every control block has one.
#[derive(Default)]
pub(crate) struct Locals {
    values: Cell<Option<Box<Values>>>,
    /// The fiber has ended: what is made from here on is used once and dropped.
    closed: Cell<bool>,
}

type Values = Vec<Value>;

struct Value {
    key: usize,
    value: Rc<dyn Any>,
    /// Until the fiber ends, whatever is [cleared](clear_locals).
    is_kept: bool,
}

impl Locals {
    fn get(&self, key: usize) -> Option<Rc<dyn Any>> {
        let values = self.values.take()?;
        let found = values.iter().find(|known| known.key == key).map(|found| found.value.clone());
        self.values.set(Some(values));
        found
    }

    fn insert(&self, value: Value) {
        if !self.closed.get() {
            let mut values = self.values.take().unwrap_or_default();
            values.push(value);
            self.values.set(Some(values));
        }
    }

    /// Drops all values, those first that were made last. Their destructors run on the fiber, and still find the others.
    ///
    /// Nothing is kept afterwards, since the control block may be freed on another thread.
    #[inline]
    pub(crate) fn close(&self) {
        self.closed.set(true);
        while let Some(last) = self.pop() {
            contain(|| drop(last));
        }
    }

    /// Takes out what was made last.
    fn pop(&self) -> Option<Rc<dyn Any>> {
        let mut values = self.values.take()?;
        let last = values.pop()?;
        self.values.set(Some(values));
        Some(last.value)
    }

    /// The same, but for what is kept.
    fn pop_cleared(&self) -> Option<Rc<dyn Any>> {
        let mut values = self.values.take()?;
        let last = values.iter().rposition(|value| !value.is_kept).map(|place| values.remove(place));
        self.values.set(Some(values).filter(|values| !values.is_empty()));
        last.map(|last| last.value)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        let values = self.values.take();
        let is_empty = values.is_none();
        self.values.set(values);
        is_empty
    }
}

thread_local! {
    static THREAD: Locals = Locals::default();
}

#[inline]
fn with_locals<R>(f: impl FnOnce(&Locals) -> R) -> R {
    let mut f = Some(f);
    let in_fiber = Worker::with(|worker| {
        worker?.running(|fiber| {
            // SAFETY: it runs on this thread.
            let locals = unsafe { &fiber.owned().locals };
            f.take().map(|f| f(locals))
        })?
    });
    match (in_fiber, f) {
        (Some(result), _) => result,
        (None, Some(f)) => THREAD.with(f),
        (None, None) => unreachable!("taken only to be called"),
    }
}

/// Drops the values of all [`fiber_local!`](crate::fiber_local) keys that the calling fiber, or thread, has made, as when it ends: for who runs
/// several jobs on one fiber that are to know nothing of each other. While they are dropped, what is made is used once, and not kept.
///
/// Costs a look at a pointer if there are none.
#[inline]
pub fn clear_locals() {
    if !with_locals(Locals::is_empty) {
        clear_some();
    }
}

#[cold]
fn clear_some() {
    // It may be a destructor that clears.
    let was_closed = with_locals(|locals| locals.closed.replace(true));
    // Their destructors may park, so nothing is borrowed over them.
    while let Some(last) = with_locals(Locals::pop_cleared) {
        contain(|| drop(last));
    }
    with_locals(|locals| locals.closed.set(was_closed));
}

/// A key to a value that each fiber has for itself; made by [`fiber_local!`](crate::fiber_local).
pub struct LocalKey<T: 'static> {
    initialise: fn() -> T,
    is_kept: bool,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(initialise: fn() -> T) -> Self {
        LocalKey { initialise, is_kept: false }
    }

    /// For the layers above: a key to what is a fiber's own, whatever jobs it runs one after the other, and is not [cleared](clear_locals).
    #[doc(hidden)]
    pub const fn kept(initialise: fn() -> T) -> Self {
        LocalKey { initialise, is_kept: true }
    }

    /// Hands `f` the calling fiber's value, made on first use. Plain threads have values of their own, too.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let key = std::ptr::from_ref(self).addr();
        let found = with_locals(|locals| locals.get(key)).unwrap_or_else(|| {
            let made: Rc<dyn Any> = Rc::new((self.initialise)());
            // The initialiser may have used this very key; then the inner value came first and stays.
            with_locals(|locals| {
                locals.get(key).unwrap_or_else(|| {
                    locals.insert(Value { key, value: made.clone(), is_kept: self.is_kept });
                    made
                })
            })
        });
        match found.downcast_ref::<T>() {
            Some(value) => f(value),
            None => unreachable!("a key is the address of one static, hence of one type"),
        }
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// Declares values that each fiber has for itself, as `thread_local!` does for threads.
///
/// They are made on a fiber's first use and dropped when it ends, before whoever joins it goes on; or when they are
/// [cleared](crate::clear_locals).
///
/// ```
/// use std::cell::Cell;
///
/// fibra_scheduler::fiber_local! {
///     /// How many requests this fiber has served.
///     static SERVED: Cell<u32> = Cell::new(0);
/// }
///
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// SERVED.with(|served| served.set(5));
/// let other = fibra_scheduler::spawn(|| SERVED.with(Cell::get));
/// assert_eq!(other.join().unwrap(), 0);
/// assert_eq!(SERVED.with(Cell::get), 5);
/// # }).unwrap();
/// ```
#[macro_export]
macro_rules! fiber_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $value:expr;)*) => {
        $(
            $(#[$attribute])*
            $visibility static $name: $crate::LocalKey<$type> = $crate::LocalKey::new(|| $value);
        )*
    };
}
