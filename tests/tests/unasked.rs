//! A plugin that was not asked has not agreed: no step is accepted at which it could not be.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use postgate_contract::Event;
use postgate_dns::Dns;
use postgate_runtime::context::{Context, SessionFacts};
use postgate_runtime::metrics::PluginMetricsFamily;
use postgate_runtime::question::Question;
use postgate_runtime::{PluginError, Runtime, RuntimeSettings, load_file};
use postgate_tests::compiler::compiling;
use postgate_tests::gateway::{Setup, guest_file, program};
use postgate_tests::peer::run;
use postgate_tests::rogue::{PLUGIN, Rogue};
use prometheus_client::registry::Registry;

/// Events after a step, which nothing depends on.
const AFTERWARDS: [Event; 3] = [Event::Disconnect, Event::Outcome, Event::Reset];

/// First the plugin traps at the step, and then its breaker is open, so that it is not called. It handles
/// no other step, at which it could be missed before.
#[test]
fn no_step_is_accepted_without_the_plugin() {
    for event in Event::ALL {
        if AFTERWARDS.contains(&event) {
            continue;
        }
        for on_failure in ["reject", "tempfail"] {
            let behaviour = format!("trap@{}", event.name());
            let sidecar = format!(
                "on-failure = \"{on_failure}\"\nevents = [\"{event}\"]\nbreaker.failures = 1"
            );
            let rogue = Rogue::start(&[&behaviour], &sidecar);
            let before = rogue.backend.taken().len();
            for attempt in ["trapped", "open breaker"] {
                let reply = rogue.provoke(&behaviour);
                let is_refused = reply.starts_with(['4', '5']);
                assert!(is_refused, "{behaviour}, {on_failure}, {attempt}: {reply}");
            }
            let skipped = format!(
                "postgate_plugin_skipped_total{{plugin=\"{PLUGIN}\",event=\"{}\"}}",
                event.name()
            );
            assert_eq!(rogue.failures(event.name(), "trap"), 1, "{behaviour}");
            assert_eq!(rogue.metric(&skipped), 1, "{behaviour}");
            assert_eq!(rogue.backend.taken().len(), before, "{behaviour}");
        }
    }
}

/// The gateway never asks a plugin about an event that it does not export. Should it do so, the plugin
/// has not said "next".
#[test]
fn a_plugin_without_the_function_has_failed() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let metrics = PluginMetricsFamily::register(&mut Registry::default());
        let engine = Runtime::new(RuntimeSettings::of(&compiling()), Dns::default(), metrics);
        let file = guest_file("guests/hoard");
        let plugin = load_file(&Arc::new(engine.expect("an engine")), &file, u64::MAX).await;
        let plugin = plugin.expect("the guest handles rcpt only");
        let context = Arc::new(Context::new(Arc::new(facts())));
        let mut instance = plugin.start(&context).await.expect("an instance");
        let error = instance.call(Question::Connect, &context).await;
        let error = error.expect_err("there is nobody to answer");
        assert!(
            matches!(error, PluginError::NotExported(Event::Connect)),
            "{error}"
        );
        assert_eq!(error.to_string(), "has no function for connect");
        assert_eq!(error.cause(), "answer");
    });
}

/// Each step of the start, and what ends it there: the gateway serves nobody without its plugins or with
/// half of its configuration. What is the operator's has the exit code 64.
#[test]
fn a_start_that_fails_at_any_step_serves_nobody() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("a bound socket has an address");
    let of_operator = [
        (Setup::new().set("relay.domain = []"), "relay.domain"),
        (
            Setup::new()
                .listener("tls = \"optional\"")
                .set("certificate = [{ chain = \"postgate.toml\" }]"),
            "postgate.toml",
        ),
        (Setup::new().plugin_file("10-a", b"no plugin", ""), "10-a.wasm"),
        (Setup::new().plugin("10-a", "guests/init-fails", ""), "10-a.wasm"),
        (
            Setup::new().plugin("10-a", "guests/self-test-fails", ""),
            "10-a.wasm",
        ),
        (
            Setup::new().plugin("10-a", "guests/hoard", "listeners = []"),
            "10-a.toml",
        ),
        (
            Setup::new().set(
                "backend = [{ address = \"smtp://127.0.0.1:1\", tls = \"starttls\", tls-ca = \"postgate.toml\" }]",
            ),
            "postgate.toml",
        ),
        (Setup::new().set("auth-secret-file = \"plugins\""), "auth-secret-file"),
        (
            Setup::new().set("control.socket = \"postgate.toml/control.sock\""),
            "control.socket",
        ),
    ];
    let of_system = [(
        Setup::new().listener(&format!("address = \"{taken}\"")),
        "cannot listen",
    )];
    let of_operator = of_operator
        .into_iter()
        .map(|(setup, sign)| (setup, sign, true));
    let of_system = of_system
        .into_iter()
        .map(|(setup, sign)| (setup, sign, false));
    for (setup, sign, is_operator) in of_operator.chain(of_system) {
        let output = run(program()
            .args(["serve", "--config"])
            .arg(setup.write())
            .current_dir(setup.directory()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{sign}: {said}");
        assert_eq!(
            output.status.code() == Some(64),
            is_operator,
            "{sign}: {said}"
        );
        assert!(said.contains(sign), "{sign}: {said}");
        assert!(!said.contains("\"listening\""), "{sign}: {said}");
    }
}

fn facts() -> SessionFacts {
    let unspecified = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    SessionFacts {
        id: "test".into(),
        hostname: "mx.example.org".into(),
        ..SessionFacts::without_listener(unspecified)
    }
}
