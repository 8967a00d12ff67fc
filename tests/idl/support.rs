//! A message on its way: to a server of this process and back, as what travels. And `.proto` files in a directory of their own.

use std::fs;
use std::path::{Path, PathBuf};

use fibra::rpc::client::Proxy;
use fibra::rpc::codec::Value;
use fibra::rpc::{CallError, Channel, Server};
use fibra_idl::{Error, Generated, Generator};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What comes back of `sent` from a method that takes an `M` and returns it.
pub(crate) fn through<M, S, T>(sent: &S) -> Result<T, CallError<Value>>
where
    M: Serialize + DeserializeOwned + 'static,
    S: Serialize,
    T: DeserializeOwned,
{
    let server = Server::builder().method("test.echo", |(message,): (M,)| message);
    let channel = Channel::local_server(server).expect("one method");
    Proxy::new(channel).call_by_name("test.echo", &(sent,))
}

/// A message as it travels.
pub(crate) fn travelling<M: Serialize + DeserializeOwned + 'static>(message: &M) -> Value {
    through::<M, _, _>(message).expect("it travels")
}

/// A message that arrives as this.
pub(crate) fn arriving<M: Serialize + DeserializeOwned + 'static>(value: &Value) -> Result<M, CallError<Value>> {
    through::<M, _, _>(value)
}

/// A map by text.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// What a map has by that name.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    let entries = value.as_map().expect("a map");
    let entry = entries.iter().find(|(key, _)| key.as_str() == Some(name));
    entry.map_or_else(|| panic!("no {name} in {value}"), |(_, value)| value)
}

/// `.proto` files, in a directory that goes with this.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    /// Files by name and text.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let files = files.iter().map(|(name, text)| (directory.path().join(name), text));
        for (path, text) in files {
            fs::create_dir_all(path.parent().expect("it is in a directory")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        Self(directory)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is made of one of them.
    pub(crate) fn generate(&self, name: &str) -> Result<Generated, Error> {
        Generator::new().include(self.0.path()).generate(&[self.path(name)])
    }

    /// What is wrong with one of them, and those that it imports: a line each, as `file:line:column: message`.
    pub(crate) fn problems(&self, name: &str) -> Vec<String> {
        let error = self.generate(name).expect_err("something is wrong");
        let directory = format!("{}/", self.0.path().display());
        error.to_string().lines().map(|line| line.replace(&directory, "")).collect()
    }
}

/// A generated file's source.
pub(crate) fn source<'a>(generated: &'a Generated, name: &str) -> &'a str {
    let mut files = generated.files();
    files.find(|(path, _)| *path == Path::new(name)).map(|(_, source)| source).expect("there is such a file")
}
