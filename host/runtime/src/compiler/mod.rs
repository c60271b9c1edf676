//! Compilation of plugin files, in a process of its own.
//!
//! A plugin file comes from somebody else, and the libraries that parse and compile it were written for
//! files of friends: they recurse as deep as the file nests, and take the memory that it asks for. A
//! child process with limits does this work. The gateway gets compiled code from it or an error, whatever
//! becomes of the child.
//!
//! - [`Compiler`]: what the rest of the runtime uses; the cache first, then a child;
//! - [`compile_standard_input`]: what the child does.

mod cache;
mod child;
mod code_config;
mod confinement;
mod error;
mod lane;
mod process;
mod report;
mod request;
mod settings;
mod system_calls;
mod translate;
mod version;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use tokio::task::spawn_blocking;
use tracing::warn;
use wasmtime::Engine;
use wasmtime::component::Component as WasmComponent;

pub(crate) use self::cache::CacheError;
pub use self::cache::CacheSettings;
use self::cache::CodeCache;
pub use self::child::compile_standard_input;
pub(crate) use self::code_config::code_config;
use self::confinement::Missing;
pub use self::error::{CompilerError, ComponentError};
use self::lane::Lane;
use self::process::Child;
use self::report::{Compiled, Outcome, Report};
pub use self::settings::{CompilerLimits, CompilerSettings};

/// The compiled code of a plugin file, and what its author says of it.
#[derive(Clone)]
pub(crate) struct Code {
    /// The code, which is not linked yet.
    pub(crate) component: WasmComponent,
    /// The version according to the author.
    pub(crate) version: Option<String>,
}

/// Compiles plugin files.
pub(crate) struct Compiler {
    engine: Engine,
    settings: Option<CompilerSettings>,
    cache: Option<Arc<CodeCache>>,
    quick: Arc<Lane>,
    slow: Arc<Lane>,
    /// True if it was logged that the kernel lacks something.
    has_told: AtomicBool,
}

impl Compiler {
    /// A compiler for an engine. Without settings, only what is in the cache directory can be had.
    ///
    /// # Errors
    ///
    /// Fails if the cache directory cannot be used.
    pub(crate) fn new(
        engine: Engine,
        settings: Option<CompilerSettings>,
        cache: Option<CacheSettings<'_>>,
    ) -> Result<Self, CacheError> {
        let cache = match cache {
            Some(settings) => CodeCache::open(settings, &engine)?.map(Arc::new),
            None => None,
        };
        // One compilation uses all processors most of the time, so a few at once are enough.
        let places = available_parallelism()
            .map_or(1, usize::from)
            .clamp(2, MAX_PLACES);
        Ok(Self {
            engine,
            settings,
            cache,
            quick: Lane::new(places),
            slow: Lane::new(places),
            has_told: AtomicBool::new(false),
        })
    }

    /// Compiles the content of a plugin file, whose SHA-256 is given in hexadecimal digits.
    ///
    /// # Errors
    ///
    /// Fails if the file contains no component, or if its compilation exceeds a limit.
    pub(crate) async fn compile(&self, wasm: &[u8], sha256: &str) -> Result<Code, CompilerError> {
        if let Some(code) = self.stored(sha256).await {
            return Ok(code);
        }
        let settings = self.settings.as_ref().ok_or(CompilerError::NoProgram)?;
        let report = self.run(settings, wasm).await?;
        self.tell(report.missing);
        match report.outcome {
            Outcome::Compiled(compiled) => self.keep(sha256, compiled).await,
            Outcome::Failed(text) => Err(CompilerError::Failed(text)),
            Outcome::Refused(error) => Err(CompilerError::Component(error)),
        }
    }

    /// Returns the code of a file with this SHA-256 if it is in the cache.
    async fn stored(&self, sha256: &str) -> Option<Code> {
        let cache = Arc::clone(self.cache.as_ref()?);
        let (engine, sha256) = (self.engine.clone(), sha256.to_owned());
        let found = spawn_blocking(move || load(&engine, &cache.get(&sha256)?).ok());
        // A panic is a line of the log.
        found.await.ok()?
    }

    /// Stores what was compiled from a file with this SHA-256, and returns its code.
    async fn keep(&self, sha256: &str, compiled: Compiled) -> Result<Code, CompilerError> {
        let cache = self.cache.clone();
        let (engine, sha256) = (self.engine.clone(), sha256.to_owned());
        let kept = spawn_blocking(move || {
            let code = load(&engine, &compiled)?;
            if let Some(cache) = cache {
                cache.put(&sha256, compiled);
            }
            Ok(code)
        });
        let panic = |panic| Err(CompilerError::Io(io::Error::other(panic)));
        kept.await.unwrap_or_else(panic)
    }

    /// Runs a child in the lane for quick work, and in the one for slow work if it takes longer.
    async fn run(&self, settings: &CompilerSettings, wasm: &[u8]) -> Result<Report, CompilerError> {
        if wasm.len() <= QUICK_SIZE {
            let quick = self.quick.enter(wasm.len()).await;
            let mut child = Child::start(settings, wasm)?;
            if let Some(report) = child.quick_report().await {
                return report;
            }
            // The file is small, and takes long. It goes on if there is room, and begins again later
            // if there is none: others wait for the place that it has.
            if let Some(_slow) = self.slow.try_enter() {
                drop(quick);
                child.make_way();
                return child.report().await;
            }
        }
        let _slow = self.slow.enter(wasm.len()).await;
        let mut child = Child::start(settings, wasm)?;
        child.make_way();
        child.report().await
    }

    /// Logs what the kernel lacks to confine a child, once.
    fn tell(&self, missing: Missing) {
        if missing != Missing::default() && !self.has_told.swap(true, Ordering::Relaxed) {
            let Missing { landlock, seccomp } = missing;
            warn!(
                landlock = !landlock,
                seccomp = !seccomp,
                "plugins are compiled with less confinement, for the system does not offer all of it"
            );
        }
    }
}

fn load(engine: &Engine, compiled: &Compiled) -> Result<Code, CompilerError> {
    // SAFETY: The octets are those that the same engine has serialized in a child of this process, which
    // hands them over in a pipe, or that this process has stored with the authentication code of its key.
    // The engine checks that they are of its own version and settings.
    #[expect(unsafe_code, reason = "the code was compiled by this program")]
    let component = unsafe { WasmComponent::deserialize(engine, &compiled.code) };
    Ok(Code {
        component: component.map_err(CompilerError::Code)?,
        version: compiled.version.clone(),
    })
}

/// The size in octets up to which a file is expected to compile quickly.
const QUICK_SIZE: usize = 4 << 20;

/// The most compilations of one lane at a time. Each may take as much memory as one may.
const MAX_PLACES: usize = 4;

#[cfg(test)]
mod tests;
