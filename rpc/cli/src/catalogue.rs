//! What a server says that it serves, and which of it somebody means.

use fibra::rpc::CallError;
use fibra::rpc::client::Proxy;
use fibra::rpc::reflection::{MethodInfo, ReflectionClient, ServiceInfo};
use fibra::rpc::service::Descriptor;

use crate::failure::Failure;
use crate::names;

/// The services of a server, by its own word.
pub(crate) struct Catalogue<'a> {
    proxy: &'a Proxy,
}

/// A method that somebody has named.
#[derive(Debug)]
pub(crate) enum Found {
    /// As the server describes it.
    Known(Box<MethodInfo>),
    /// The server describes nothing: there is only the name.
    Named(String),
}

const REFLECTION: &Descriptor = ReflectionClient::DESCRIPTOR;

impl<'a> Catalogue<'a> {
    pub(crate) fn new(proxy: &'a Proxy) -> Self {
        Self { proxy }
    }

    /// The names of all services, in order.
    ///
    /// # Errors
    ///
    /// [`Failure::Call`]: the server does not say.
    pub(crate) fn services(&self) -> Result<Vec<String>, Failure> {
        self.list().map_err(|error| told(&error))
    }

    /// A service by its name.
    ///
    /// # Errors
    ///
    /// [`Failure::Call`]: there is none of that name, or the server does not say.
    pub(crate) fn service(&self, name: &str) -> Result<ServiceInfo, Failure> {
        match self.describe(name).map_err(|error| told(&error))? {
            Some(service) => Ok(service),
            None => {
                let services = self.services()?;
                let hint = names::hint(name, services.iter().map(String::as_str));
                let known = services.join(", ");
                Err(Failure::not_run(format!("the server has no service `{name}`{hint}\n  it serves {known}")))
            }
        }
    }

    /// A method by its name: `service.method`, or `method` if only one service has it.
    ///
    /// # Errors
    ///
    /// [`Failure::Call`]: there is none of that name, or several.
    pub(crate) fn method(&self, name: &str) -> Result<Found, Failure> {
        let service = name.rsplit_once('.').map_or("", |(service, _)| service);
        let described = match self.describe(service) {
            Ok(described) => described,
            // It tells nobody, or not us; which is no reason not to call it.
            Err(CallError::UnknownMethod { .. } | CallError::Denied { .. }) => {
                return Ok(Found::Named(name.to_owned()));
            }
            Err(error) => return Err(Failure::before_the_call(&error)),
        };
        let methods = described.map_or_else(Vec::new, |service| service.methods);
        if let Some(method) = methods.into_iter().find(|method| method.full_name == name) {
            return Ok(Found::Known(Box::new(method)));
        }
        let mut all = self.all_methods()?;
        if !name.contains('.') {
            let is_meant = |method: &MethodInfo| method.full_name.rsplit('.').next() == Some(name);
            let meant: Vec<_> = (0..all.len()).filter(|at| is_meant(&all[*at])).collect();
            match meant[..] {
                [] => {}
                [one] => return Ok(Found::Known(Box::new(all.swap_remove(one)))),
                _ => {
                    let names: Vec<_> = meant.iter().map(|at| format!("`{}`", all[*at].full_name)).collect();
                    let names = names.join(", ");
                    return Err(Failure::not_run(format!("several services have a method `{name}`: {names}")));
                }
            }
        }
        let hint = names::hint(name, all.iter().map(|method| &*method.full_name));
        let hint =
            if hint.is_empty() { "; `fibra list` and `fibra describe` tell what it has".to_owned() } else { hint };
        Err(Failure::not_run(format!("the server has no method `{name}`{hint}")))
    }

    fn all_methods(&self) -> Result<Vec<MethodInfo>, Failure> {
        let mut methods = Vec::new();
        for service in self.services()? {
            let described = self.describe(&service).map_err(|error| told(&error))?;
            methods.extend(described.into_iter().flat_map(|service| service.methods));
        }
        Ok(methods)
    }

    fn list(&self) -> Result<Vec<String>, CallError> {
        self.proxy.call(&REFLECTION.methods()[0], &[(); 0])
    }

    fn describe(&self, service: &str) -> Result<Option<ServiceInfo>, CallError> {
        self.proxy.call(&REFLECTION.methods()[1], &(service,))
    }
}

/// Of a server that was asked what it serves.
fn told(error: &CallError) -> Failure {
    match error {
        CallError::UnknownMethod { .. } => Failure::not_run(
            "the server does not tell what it serves: its reflection is switched off; a method can be called all the same, by its full name",
        ),
        error => Failure::before_the_call(error),
    }
}
