//! Which service has which method, by the full name that travels.

use crate::error::BindError;
use crate::reflection::{Catalogue, ReflectionServer};
use crate::service::{Method, Service};
use crate::session::fingerprint::hash;

/// The services of one server. Fixed once it serves.
pub(super) struct Registry {
    services: Vec<Box<dyn Service>>,
    /// By the hash of its name, in order: the number of the service, and of the method in it. Names that a peer sends are looked up and never
    /// entered, so it cannot choose what collides.
    methods: Vec<(u64, usize, usize)>,
    /// How many methods there are before those of each service.
    before: Vec<usize>,
}

/// A method, ready to run.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) service: &'a dyn Service,
    /// The method's number in its service.
    pub(super) number: usize,
    /// And among all of the server.
    pub(super) index: usize,
    pub(super) method: &'a Method,
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
        let mut names: Vec<_> = registry.methods.iter().filter_map(|place| registry.target(*place)).collect();
        names.sort_unstable_by_key(|target| target.method.full_name());
        let twice = names.windows(2).find(|pair| pair[0].method.full_name() == pair[1].method.full_name());
        if let Some(pair) = twice {
            return Err(BindError::DuplicateMethod { name: pair[0].method.full_name().to_owned() });
        }
        Ok(registry)
    }

    /// The methods of one service; of two that have one name, the last.
    pub(super) fn of(service: Box<dyn Service>) -> Self {
        Self::of_all(vec![service])
    }

    fn of_all(services: Vec<Box<dyn Service>>) -> Self {
        let (mut methods, mut before) = (Vec::new(), Vec::new());
        for (index, service) in services.iter().enumerate() {
            before.push(methods.len());
            for (number, method) in service.descriptor().methods().iter().enumerate() {
                methods.push((hash(method.full_name().as_bytes()), index, number));
            }
        }
        methods.sort_unstable();
        Self { services, methods, before }
    }

    /// The full names of all methods, by their numbers among all.
    pub(super) fn names(&self) -> Vec<String> {
        let methods = self.services.iter().flat_map(|service| service.descriptor().methods());
        methods.map(|method| method.full_name().to_owned()).collect()
    }

    /// The method of that name. The name is a peer's: any bytes.
    #[inline]
    pub(super) fn find(&self, full_name: &[u8]) -> Option<Target<'_>> {
        let hash = hash(full_name);
        let end = self.methods.partition_point(|&(other, ..)| other <= hash);
        let alike = self.methods[..end].iter().rev().take_while(|&&(other, ..)| other == hash);
        alike.filter_map(|place| self.target(*place)).find(|target| target.method.full_name().as_bytes() == full_name)
    }

    #[inline]
    fn target(&self, (_, index, number): (u64, usize, usize)) -> Option<Target<'_>> {
        let service = self.services.get(index)?.as_ref();
        let index = self.before.get(index)? + number;
        Some(Target { service, number, index, method: service.descriptor().methods().get(number)? })
    }
}
