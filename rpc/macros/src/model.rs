//! The trait, taken apart and checked: what `expand` needs, or every error in it.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericParam, ItemTrait, Lit, LitStr, Meta, MetaNameValue, Pat, ReceiverKind,
    ReturnType, Safety, Signature, TraitItem, TraitItemFn, Type, Visibility, parse_quote,
};

use crate::expand::options;
use crate::options::{MethodOptions, Semantics};
use crate::streams::{self, Streams};
use crate::travel;

/// serde implements its traits for tuples up to this size.
const ARGUMENTS_MAX: usize = 16;

/// What one length byte on the wire can say: `fibra_rpc::limits::METHOD_NAME_BYTES_MAX`.
const NAME_BYTES_MAX: usize = 255;

/// The methods that every proxy has besides those of its trait, and those that set [options](options::NAMES).
const PROXY_METHODS: [&str; 6] = ["new", "connect", "local", "channel", "start", "batch"];

/// A service trait.
pub(crate) struct Model {
    pub(crate) vis: Visibility,
    /// The trait's name: `Calculator`.
    pub(crate) ident: Ident,
    /// The name on the wire: `calculator`.
    pub(crate) name: String,
    /// What is written above it.
    pub(crate) docs: String,
    pub(crate) methods: Vec<Method>,
}

/// A method of the trait.
pub(crate) struct Method {
    /// What the proxy's method carries too: documentation, deprecation.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) ident: Ident,
    /// What is written above it.
    pub(crate) docs: String,
    /// The name on the wire: `calculator.add`.
    pub(crate) full_name: String,
    pub(crate) options: MethodOptions,
    /// Those that travel with the call.
    pub(crate) arguments: Vec<(Ident, Type)>,
    /// All parameters, in order, those that are streams too.
    pub(crate) parameters: Vec<Ident>,
    pub(crate) streams: Streams,
    pub(crate) output: Output,
}

/// What a method returns.
pub(crate) enum Output {
    Value(Box<Type>),
    Fallible { value: Box<Type>, error: Box<Type> },
}

impl Model {
    /// Takes the trait apart, and the helper attributes out of it.
    pub(crate) fn take(item: &mut ItemTrait, name: Option<&LitStr>) -> syn::Result<Self> {
        let mut errors = Errors::default();
        if let Some(parameter) = item.generics.params.first() {
            errors.push(parameter, "a service has no type parameters: each must be one definite set of methods");
        }
        if let Some(unsafety) = &item.unsafety {
            errors.push(unsafety, "a service cannot be unsafe: its callers are in another process");
        }
        let name = name.map_or_else(|| snake_case(&item.ident.unraw().to_string()), LitStr::value);
        let docs = docs(&item.attrs);
        let mut methods = Vec::new();
        for item in &mut item.items {
            match item {
                TraitItem::Fn(method) => {
                    if let Some(method) = errors.take(Method::take(method, &name)) {
                        if methods.iter().any(|other: &Method| other.full_name == method.full_name) {
                            errors.push(&method.ident, "another method has this name on the wire");
                        }
                        methods.push(method);
                    }
                }
                other => errors.push(other, "a service has methods only: nothing else can be called from elsewhere"),
            }
        }
        errors.finish()?;
        Ok(Self { vis: item.vis.clone(), ident: item.ident.clone(), name, docs, methods })
    }
}

impl Method {
    fn take(item: &mut TraitItemFn, service: &str) -> syn::Result<Self> {
        let mut errors = Errors::default();
        let options = errors.take(MethodOptions::take(&mut item.attrs)).unwrap_or(MethodOptions::DEFAULT);
        if let Some(attr) = item.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            errors.push(attr, "both sides must have the same methods: put what is conditional in a service of its own");
        }
        let sig = &item.sig;
        check_signature(sig, &mut errors);

        let (mut arguments, mut parameters, mut streams) = (Vec::new(), Vec::new(), Streams::default());
        for input in &sig.inputs {
            if let FnArg::Typed(argument) = input {
                let stream = errors.take(streams::direction(&argument.ty)).flatten();
                if stream.is_none() {
                    errors.take(travel::check(&argument.ty));
                }
                match &*argument.pat {
                    Pat::Ident(name) if name.by_ref.is_none() && name.mutability.is_none() && name.subpat.is_none() => {
                        parameters.push(name.ident.clone());
                        match stream {
                            Some(direction) => {
                                errors.take(streams.add(direction, &name.ident, &argument.ty));
                            }
                            None => arguments.push((name.ident.clone(), (*argument.ty).clone())),
                        }
                    }
                    pattern => errors.push(pattern, "an argument needs a plain name, such as `amount`"),
                }
            }
        }
        if let Some((name, _)) = streams.first()
            && (options.semantics != Semantics::AtMostOnce || options.lane.is_some())
        {
            errors.push(name, "a call that streams is sent once, and in no order: remove the option of `#[rpc(..)]`");
        }
        if arguments.len() > ARGUMENTS_MAX {
            errors.push(&sig.ident, "more than 16 arguments: gather them in a struct");
        }

        let output = errors.take(Output::of(&sig.output)).unwrap_or(Output::unit());
        if options.semantics == Semantics::Maybe && !output.is_unit() {
            errors.push(&sig.output, "a `maybe` method returns nothing: no reply is awaited");
        }

        let name = options.name.clone().unwrap_or_else(|| sig.ident.unraw().to_string());
        let full_name = format!("{service}.{name}");
        if full_name.len() > NAME_BYTES_MAX {
            errors.push(&sig.ident, "`service.method` is longer than 255 bytes");
        }
        errors.finish()?;
        let attrs = item.attrs.iter().filter(|attr| attr.path().is_ident("doc") || attr.path().is_ident("deprecated"));
        let attrs = attrs.cloned().collect();
        let docs = docs(&item.attrs);
        Ok(Self { attrs, docs, ident: sig.ident.clone(), full_name, options, arguments, parameters, streams, output })
    }
}

impl Method {
    /// The arguments, as two lists.
    pub(crate) fn names_and_types(&self) -> (Vec<&Ident>, Vec<&Type>) {
        self.arguments.iter().map(|(name, ty)| (name, ty)).unzip()
    }
}

/// All about a method but its arguments' and its value's types.
fn check_signature(sig: &Signature, errors: &mut Errors) {
    if let Some(asyncness) = &sig.asyncness {
        errors.push(asyncness, "write a plain `fn`: a handler that blocks parks its fiber, and stalls no one");
    }
    if let Safety::Unsafe(unsafety) = &sig.safety {
        errors.push(unsafety, "a service's method cannot be unsafe: its callers are in another process");
    }
    if let Some(parameter) = sig.generics.params.first() {
        let message = match parameter {
            GenericParam::Lifetime(_) => "what travels to another process borrows nothing: remove the lifetime",
            GenericParam::Type(_) | GenericParam::Const(_) => {
                "a method that is called from elsewhere cannot be generic: name the types"
            }
        };
        errors.push(parameter, message);
    }
    if PROXY_METHODS.iter().chain(&options::NAMES).any(|name| sig.ident == name) {
        errors.push(&sig.ident, "every proxy has a method of this name already: choose another, and `#[rpc(name = \"..\")]` for the one on the wire");
    }
    match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => {
            if !matches!(receiver.kind, ReceiverKind::Reference(_, None, None)) {
                errors.push(receiver, "write `&self`: many calls run at once, so state goes behind a lock");
            }
        }
        _ => errors.push(&sig.ident, "write `&self` first: a method is called on the service"),
    }
}

impl Output {
    fn of(output: &ReturnType) -> syn::Result<Self> {
        let ReturnType::Type(_, ty) = output else { return Ok(Self::unit()) };
        travel::check(ty)?;
        streams::refuse_within(ty)?;
        Ok(match travel::result_types(ty)? {
            Some((value, error)) => Self::Fallible { value: Box::new(value.clone()), error: Box::new(error.clone()) },
            None => Self::Value(ty.clone()),
        })
    }

    fn unit() -> Self {
        Self::Value(parse_quote!(()))
    }

    fn is_unit(&self) -> bool {
        matches!(self, Self::Value(ty) if matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()))
    }
}

/// The text of documentation comments, less the blank that each line begins with.
fn docs(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter(|attr| attr.path().is_ident("doc")).filter_map(|attr| match &attr.meta {
        Meta::NameValue(MetaNameValue { value: Expr::Lit(ExprLit { lit: Lit::Str(line), .. }), .. }) => {
            Some(line.value())
        }
        _ => None,
    });
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n")
}

/// All errors of a trait, so that one compilation shows them.
#[derive(Default)]
struct Errors(Option<syn::Error>);

impl Errors {
    fn push(&mut self, at: &impl quote::ToTokens, message: &str) {
        self.add(syn::Error::new_spanned(at, message));
    }

    fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// `BankAccount` to `bank_account`, `HTTPCache` to `http_cache`.
fn snake_case(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    let mut chars = camel.chars().peekable();
    let mut last = None::<char>;
    while let Some(char) = chars.next() {
        if char.is_uppercase() {
            let after_word = last.is_some_and(|last| last.is_lowercase() || last.is_numeric());
            let ends_acronym =
                last.is_some_and(char::is_uppercase) && chars.peek().copied().is_some_and(char::is_lowercase);
            if after_word || ends_acronym {
                snake.push('_');
            }
        }
        snake.extend(char.to_lowercase());
        last = Some(char);
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn names_become_snake_case() {
        for (camel, snake) in [
            ("Calculator", "calculator"),
            ("BankAccount", "bank_account"),
            ("HTTPCache", "http_cache"),
            ("Utf8Text", "utf8_text"),
            ("KV", "kv"),
            ("Already_Snake", "already_snake"),
        ] {
            assert_eq!(snake_case(camel), snake);
        }
    }
}
