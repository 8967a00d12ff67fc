//! Where things are in their files: from descriptors to problems.

use prost_reflect::{
    EnumDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor, OneofDescriptor,
    ServiceDescriptor,
};

use crate::error::{Error, Problem};
use crate::sources::Sources;

/// The field number of the name in the descriptors of messages, fields, enums, services, methods.
const NAME: i32 = 1;

/// What has a place in a file.
pub(crate) trait Placed {
    fn file(&self) -> FileDescriptor;
    /// The path to it, as `google.protobuf.SourceCodeInfo` has it.
    fn path(&self) -> Vec<i32>;
}

macro_rules! placed {
    ($($ty:ty => |$value:ident| $file:expr),* $(,)?) => {
        $(impl Placed for $ty {
            fn file(&self) -> FileDescriptor {
                let $value = self;
                $file
            }

            fn path(&self) -> Vec<i32> {
                <$ty>::path(self).to_vec()
            }
        })*
    };
}

placed! {
    MessageDescriptor => |value| value.parent_file(),
    EnumDescriptor => |value| value.parent_file(),
    FieldDescriptor => |value| value.parent_message().parent_file(),
    OneofDescriptor => |value| value.parent_message().parent_file(),
    ServiceDescriptor => |value| value.parent_file(),
    MethodDescriptor => |value| value.parent_service().parent_file(),
}

/// A file's package declaration.
impl Placed for FileDescriptor {
    fn file(&self) -> FileDescriptor {
        self.clone()
    }

    fn path(&self) -> Vec<i32> {
        vec![2]
    }
}

/// Problems as they are found, so that one run shows all.
pub(crate) struct Problems<'a> {
    sources: &'a Sources,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(sources: &'a Sources) -> Self {
        Self { sources, found: Vec::new() }
    }

    /// Something is wrong with `thing`; pointed at is its name.
    pub(crate) fn push(&mut self, thing: &impl Placed, message: String) {
        self.push_at(thing, &[NAME], message);
    }

    /// Something is wrong with a part of `thing`, or with itself if the part has no place.
    pub(crate) fn push_at(&mut self, thing: &impl Placed, part: &[i32], message: String) {
        let problem = self.at(thing, part, message);
        self.found.push(problem);
    }

    /// That there is something wrong with `thing`, to be added or not.
    pub(crate) fn of(&self, thing: &impl Placed, message: String) -> Problem {
        self.at(thing, &[NAME], message)
    }

    pub(crate) fn add(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    fn at(&self, thing: &impl Placed, part: &[i32], message: String) -> Problem {
        let file = thing.file();
        let mut path = thing.path();
        let whole = path.len();
        path.extend_from_slice(part);
        let (line, column) = span(&file, &path).or_else(|| span(&file, &path[..whole])).unwrap_or((1, 1));
        Problem { file: self.sources.path(file.name()), line, column, message }
    }

    pub(crate) fn finish(mut self) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self.found.dedup();
        Err(Error::Invalid(self.found))
    }
}

/// Line and column of what has that path, from 1.
fn span(file: &FileDescriptor, path: &[i32]) -> Option<(usize, usize)> {
    let info = file.file_descriptor_proto().source_code_info.as_ref()?;
    let location = info.location.iter().find(|location| location.path == path)?;
    match location.span[..] {
        [line, column, ..] => Some((usize::try_from(line).ok()? + 1, usize::try_from(column).ok()? + 1)),
        _ => None,
    }
}
