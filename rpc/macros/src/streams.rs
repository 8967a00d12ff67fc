//! Which arguments are streams: those of a type that is spelled `Sender<T>` or `Receiver<T>`, whatever path leads to it.
//!
//! That it is the type of `fibra::rpc::stream` the compiler sees to, where the handler is called.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, PathSegment, Type};

use crate::travel;

/// The streams of a method: each with its name, and the type of its items.
#[derive(Default)]
pub(crate) struct Streams {
    /// What the client sends.
    pub(crate) receiver: Option<(Ident, Type)>,
    /// What the server sends.
    pub(crate) sender: Option<(Ident, Type)>,
}

/// Whose items a stream carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Client,
    Server,
}

impl Streams {
    pub(crate) fn first(&self) -> Option<&(Ident, Type)> {
        self.receiver.as_ref().or(self.sender.as_ref())
    }

    /// `name` is such a stream.
    pub(crate) fn add(&mut self, direction: Direction, name: &Ident, ty: &Type) -> syn::Result<()> {
        let item = item(ty)?.clone();
        travel::check(&item)?;
        refuse_within(&item)?;
        let place = match direction {
            Direction::Client => &mut self.receiver,
            Direction::Server => &mut self.sender,
        };
        match place.replace((name.clone(), item)) {
            None => Ok(()),
            Some(_) => Err(syn::Error::new_spanned(
                ty,
                "a method has one `Receiver` and one `Sender` at most: let the items be an enum",
            )),
        }
    }
}

/// Whose stream a type is, if it is one.
pub(crate) fn direction(ty: &Type) -> syn::Result<Option<Direction>> {
    let direction = segment(ty).and_then(|segment| match &segment.arguments {
        PathArguments::AngleBracketed(_) if segment.ident == "Receiver" => Some(Direction::Client),
        PathArguments::AngleBracketed(_) if segment.ident == "Sender" => Some(Direction::Server),
        _ => None,
    });
    if direction.is_none() {
        refuse_within(ty)?;
    }
    Ok(direction)
}

/// Refuses a stream where none can be: within another type, or in what a method returns.
pub(crate) fn refuse_within(ty: &Type) -> syn::Result<()> {
    match find(ty.to_token_stream()) {
        None => Ok(()),
        Some(stream) => Err(syn::Error::new_spanned(
            stream,
            "a stream is an argument of its own: `items: Receiver<T>` or `items: Sender<T>`",
        )),
    }
}

/// A name of a stream that is followed by its item's type.
fn find(tokens: TokenStream) -> Option<Ident> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "Receiver" || name == "Sender" => {
                if matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == '<') {
                    return Some(name);
                }
            }
            TokenTree::Group(group) => {
                if let Some(found) = find(group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

fn segment(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last()
}

/// The `T` of `Receiver<T>`.
fn item(ty: &Type) -> syn::Result<&Type> {
    if let Some(PathSegment { arguments: PathArguments::AngleBracketed(arguments), .. }) = segment(ty) {
        let mut arguments = arguments.args.iter();
        if let (Some(GenericArgument::Type(item)), None) = (arguments.next(), arguments.next()) {
            return Ok(item);
        }
    }
    Err(syn::Error::new_spanned(ty, "name the one type of the stream's items: `Receiver<T>` or `Sender<T>`"))
}
