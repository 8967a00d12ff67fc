//! A call that is part of a trace says so in its metadata, by W3C Trace Context, and the calls that its handler makes go on with it, before
//! and after it has waited. What is in no trace sends none, unless a subscriber records spans: then ids are made, and a span a call on
//! each side, each the next one's parent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use fibra::rpc::{Channel, Metadata, Request, Server, TraceContext};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{LOOPBACK, on_one_worker, raw};

#[fibra::service]
pub(crate) trait Relay {
    /// The `traceparent` of this call, and of those that it leads to.
    fn pass_on(&self, hops: u32) -> Vec<Option<String>>;

    /// The `tracestate` of the last one.
    fn state(&self, hops: u32) -> Option<String>;
}

#[derive(Clone, Default)]
struct Node(Arc<Mutex<Option<RelayClient>>>);

impl Node {
    fn next(&self) -> RelayClient {
        self.0.lock().expect("no panic").clone().expect("it is set")
    }
}

fn incoming(key: &str) -> Option<String> {
    Request::current()?.metadata().text(key).map(str::to_owned)
}

impl Relay for Node {
    fn pass_on(&self, hops: u32) -> Vec<Option<String>> {
        let mut seen = vec![incoming("traceparent")];
        fibra::yield_now();
        if hops > 0 {
            seen.extend(self.next().pass_on(hops - 1).expect("an answer"));
        }
        seen
    }

    fn state(&self, hops: u32) -> Option<String> {
        if hops > 0 { self.next().state(hops - 1).expect("an answer") } else { incoming("tracestate") }
    }
}

fn with_relay(f: impl FnOnce(&RelayClient)) {
    on_one_worker(|| {
        let node = Node::default();
        let server = Server::builder().service(RelayServer::new(node.clone())).bind(LOOPBACK).expect("a free port");
        let proxy = RelayClient::connect(server.local_addr()).expect("it listens");
        *node.0.lock().expect("no panic") = Some(proxy.clone());
        f(&proxy);
        // The handler's proxy holds the server's own connection.
        node.0.lock().expect("no panic").take();
    });
}

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn without_a_subscriber_what_came_is_passed_on() {
    with_relay(|proxy| {
        assert_eq!(proxy.pass_on(2).expect("an answer"), [None, None, None]);
        let mut metadata = Metadata::new();
        metadata.insert("traceparent", TRACEPARENT).expect("room");
        metadata.insert("tracestate", "vendor=1,other=2").expect("room");
        let traced = proxy.with_metadata(metadata);
        assert_eq!(traced.pass_on(2).expect("an answer"), vec![Some(TRACEPARENT.to_owned()); 3]);
        assert_eq!(traced.state(2).expect("an answer").as_deref(), Some("vendor=1,other=2"));
        // What is none is not passed on.
        let mut metadata = Metadata::new();
        metadata.insert("traceparent", "hello").expect("room");
        let nonsense = proxy.with_metadata(metadata);
        assert_eq!(nonsense.pass_on(1).expect("an answer"), [Some("hello".to_owned()), None]);
    });
}

#[test]
fn a_caller_may_begin_one() {
    with_relay(|proxy| {
        let trace = TraceContext::generate();
        let seen = trace.scope(|| proxy.pass_on(1)).expect("an answer");
        assert_eq!(seen, vec![Some(trace.to_string()); 2]);
        assert_eq!(proxy.pass_on(0).expect("an answer"), [None]);
    });
}

/// Spans with their fields, in the order in which they began.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(Id, Recorded)>>>);

type Recorded = HashMap<&'static str, String>;

struct Fields<'a>(&'a mut Recorded);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut fields = HashMap::from([("name", attributes.metadata().name().to_owned())]);
        attributes.record(&mut Fields(&mut fields));
        self.0.lock().expect("no panic").push((id.clone(), fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.0.lock().expect("no panic");
        let (_, fields) = spans.iter_mut().rev().find(|(known, _)| known == id).expect("it is open");
        values.record(&mut Fields(fields));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let scope = context.event_scope(event).into_iter().flatten().map(|span| span.name()).collect::<Vec<_>>();
        self.0.lock().expect("no panic").push((Id::from_u64(u64::MAX), HashMap::from([("event", scope.join("<"))])));
    }
}

#[test]
fn a_subscriber_sees_a_span_on_each_side() {
    let spans = Spans::default();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(spans.clone()), || {
        with_relay(|proxy| {
            // A thread without a subscriber that comes first to a span may have it switched off for all, if there is but one subscriber in
            // the process.
            proxy.pass_on(0).expect("an answer");
            tracing::callsite::rebuild_interest_cache();
            spans.0.lock().expect("no panic").clear();

            let seen = proxy.pass_on(1).expect("an answer");
            assert_eq!(seen.len(), 2);
            assert!(seen[0].is_some() && seen[0] != seen[1], "{seen:?}");
        });
    });
    let spans = spans.0.lock().expect("no panic");
    let calls: Vec<_> =
        spans.iter().map(|(_, fields)| fields).filter(|fields| fields.contains_key("rpc.method")).collect();
    let names: Vec<_> = calls.iter().map(|span| span["name"].as_str()).collect();
    assert_eq!(names, ["rpc.client", "rpc.server", "rpc.client", "rpc.server"]);
    for (parent, child) in calls.iter().zip(&calls[1..]) {
        assert_eq!(parent["trace_id"], child["trace_id"]);
        assert_eq!(parent["span_id"], child["parent_span_id"]);
    }
    assert!(!calls[0].contains_key("parent_span_id"), "it begins the trace");
    assert!(calls.iter().all(|span| !span.contains_key("error.type") && span["rpc.method"] == "relay.pass_on"));
}

/// Which of several servers a call goes to is not known when its span begins.
#[test]
fn a_span_says_which_of_several_servers_it_was() {
    let spans = Spans::default();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(spans.clone()), || {
        on_one_worker(|| {
            let second = Server::builder().service(RelayServer::new(Node::default())).bind(LOOPBACK);
            let second = second.expect("a free port");
            let answering = second.local_addr();
            let channel = Channel::connect_to([raw::nowhere(), answering]).expect("the second listens");
            let proxy = RelayClient::new(channel);
            proxy.pass_on(0).expect("the second");
            tracing::callsite::rebuild_interest_cache();
            spans.0.lock().expect("no panic").clear();
            proxy.pass_on(0).expect("the second");
            proxy.start().pass_on(0).join().expect("the second");
            let spans = spans.0.lock().expect("no panic");
            let clients = spans.iter().filter(|(_, span)| span.get("name").is_some_and(|name| name == "rpc.client"));
            let peers: Vec<_> = clients.map(|(_, span)| span["peer"].as_str()).collect();
            assert_eq!(peers, vec![answering.to_string(); 2]);
        });
    });
}
