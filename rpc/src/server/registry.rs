//! Which service has which method, by the full name that travels.

use std::borrow::Cow;

use crate::error::BindError;
use crate::reflection::{Catalogue, ReflectionServer};
use crate::service::{Argument, Service, Streams};
use crate::session::fingerprint::hash;

/// The services of one server. Fixed once it serves.
pub(super) struct Registry {
    services: Vec<Box<dyn Service>>,
    /// By the hash of their names, in order. Names that a peer sends are looked up and never entered, so it cannot choose what collides.
    methods: Vec<Entry>,
}

struct Entry {
    hash: u64,
    name: Cow<'static, str>,
    streams: Streams,
    service: usize,
    number: usize,
    index: usize,
}

/// Where a method was found: the next call is often of the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hint(usize);

impl Hint {
    /// It was not.
    pub(super) const NONE: Self = Self(usize::MAX);
}

/// A name that has been looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    /// The name's.
    pub(super) hash: u64,
    /// Where the method of that name is.
    pub(super) hint: Hint,
}

/// A method, ready to run.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) service: &'a dyn Service,
    entry: &'a Entry,
}

impl<'a> Target<'a> {
    /// The method's number in its service.
    #[inline]
    pub(super) fn number(&self) -> usize {
        self.entry.number
    }

    /// And among all of the server.
    #[inline]
    pub(super) fn index(&self) -> usize {
        self.entry.index
    }

    /// Its full name.
    #[inline]
    pub(super) fn name(&self) -> &'a Cow<'static, str> {
        &self.entry.name
    }

    /// What it takes.
    pub(super) fn arguments(&self) -> &'a [Argument] {
        self.service.descriptor().methods().get(self.entry.number).map_or(&[], |method| method.arguments())
    }

    #[inline]
    pub(super) fn streams(&self) -> Streams {
        self.entry.streams
    }
}

impl Registry {
    /// With the service that tells of the others, if there is to be `reflection`.
    ///
    /// # Errors
    ///
    /// [`BindError::DuplicateMethod`]: two services have a method of one name.
    pub(super) fn new(mut services: Vec<Box<dyn Service>>, reflection: bool) -> Result<Self, BindError> {
        if reflection {
            let catalogue = Catalogue::of(services.iter().map(|service| service.descriptor()));
            services.push(Box::new(ReflectionServer::new(catalogue)));
        }
        let registry = Self::of_all(services);
        let mut names = registry.names();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(BindError::DuplicateMethod { name: pair[0].clone() });
        }
        Ok(registry)
    }

    /// The methods of one service; of two that have one name, the last.
    pub(super) fn of(service: Box<dyn Service>) -> Self {
        Self::of_all(vec![service])
    }

    fn of_all(services: Vec<Box<dyn Service>>) -> Self {
        let mut methods = Vec::new();
        for (service, of) in services.iter().enumerate() {
            for (number, method) in of.descriptor().methods().iter().enumerate() {
                let name = method.shared_name().clone();
                let (hash, index) = (hash(name.as_bytes()), methods.len());
                methods.push(Entry { hash, name, streams: method.streams(), service, number, index });
            }
        }
        methods.sort_by_key(|entry| entry.hash);
        Self { services, methods }
    }

    /// The full names of all methods, by their numbers among all.
    pub(super) fn names(&self) -> Vec<String> {
        let methods = self.services.iter().flat_map(|service| service.descriptor().methods());
        methods.map(|method| method.full_name().to_owned()).collect()
    }

    /// Looks up a name, at first where the last one was found. It is a peer's: any bytes.
    #[inline]
    pub(super) fn named(&self, full_name: &[u8], hint: Hint) -> Named {
        match self.methods.get(hint.0).filter(|entry| entry.name.as_bytes() == full_name) {
            Some(entry) => Named { hash: entry.hash, hint },
            None => self.look_up(full_name),
        }
    }

    #[inline(never)]
    fn look_up(&self, full_name: &[u8]) -> Named {
        let hash = hash(full_name);
        let end = self.methods.partition_point(|entry| entry.hash <= hash);
        let mut alike = (0..end).rev().take_while(|&at| self.methods[at].hash == hash);
        let found = alike.find(|&at| self.methods[at].name.as_bytes() == full_name);
        Named { hash, hint: found.map_or(Hint::NONE, Hint) }
    }

    /// The method of a name that has been looked up here, if there is one.
    #[inline]
    pub(super) fn target(&self, named: Named) -> Option<Target<'_>> {
        let entry = self.methods.get(named.hint.0)?;
        Some(Target { service: self.services.get(entry.service)?.as_ref(), entry })
    }
}
