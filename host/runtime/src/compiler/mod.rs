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
mod settings;
mod translate;
mod version;

use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::time::timeout;
use wasmtime::Engine;
use wasmtime::component::Component as WasmComponent;

pub(crate) use self::cache::CacheError;
use self::cache::CodeCache;
pub use self::child::compile_standard_input;
pub(crate) use self::code_config::code_config;
pub use self::error::{CompilerError, ComponentError};
use self::lane::{Lane, Turn};
use self::process::Child;
use self::report::Report;
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
    cache: Option<CodeCache>,
    quick: Arc<Lane>,
    slow: Arc<Lane>,
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
        cache: Option<&Path>,
    ) -> Result<Self, CacheError> {
        let processors = available_parallelism().map_or(1, usize::from);
        let limit = settings
            .as_ref()
            .map_or(0, |settings| settings.limits.cache);
        let cache = match cache {
            Some(directory) => Some(CodeCache::open(directory, limit, &engine)?),
            None => None,
        };
        Ok(Self {
            engine,
            settings,
            cache,
            // One compilation uses all processors most of the time, so a few at once are enough.
            quick: Lane::new(processors.max(2)),
            slow: Lane::new(processors.max(2)),
        })
    }

    /// Compiles the content of a plugin file, whose SHA-256 is given in hexadecimal digits.
    ///
    /// # Errors
    ///
    /// Fails if the file contains no component, or if its compilation exceeds a limit.
    pub(crate) async fn compile(&self, wasm: &[u8], sha256: &str) -> Result<Code, CompilerError> {
        if let Some(cache) = &self.cache
            && let Some(stored) = cache.get(sha256).await
            && let Ok(code) = self.load(&stored)
        {
            return Ok(code);
        }
        let settings = self.settings.as_ref().ok_or(CompilerError::NoProgram)?;
        let report = self.run(settings, wasm).await?;
        if let Some(cache) = &self.cache {
            cache.put(sha256, &report).await;
        }
        match report {
            Report::Compiled(compiled) => self.load(&compiled),
            Report::Refused(error) => Err(CompilerError::Component(error)),
        }
    }

    /// Runs a child in the lane for quick work, and in the one for slow work if it takes longer.
    async fn run(&self, settings: &CompilerSettings, wasm: &[u8]) -> Result<Report, CompilerError> {
        if wasm.len() <= QUICK_SIZE {
            let turn = self.quick.enter(wasm.len()).await;
            let mut child = Child::start(settings, wasm)?;
            if let Ok(report) = timeout(QUICK_TIME, child.report()).await {
                return report;
            }
            // The file is small, and takes long. It goes on if there is room; others wait for the
            // place that it has.
            if let Some(slow) = self.slow.try_enter() {
                return self.finish(turn, slow, child).await;
            }
            child.end().await;
        }
        let _turn = self.slow.enter(wasm.len()).await;
        Child::start(settings, wasm)?.report().await
    }

    async fn finish(
        &self,
        quick: Turn,
        _slow: Turn,
        mut child: Child<'_>,
    ) -> Result<Report, CompilerError> {
        drop(quick);
        child.report().await
    }

    fn load(&self, compiled: &report::Compiled) -> Result<Code, CompilerError> {
        // SAFETY: The octets are those that the same engine has serialized in a child of this process,
        // which hands them over in a pipe or has left them in the cache under the authentication code
        // of its key. The engine checks that they are of its own version and settings.
        #[expect(unsafe_code, reason = "the code was compiled by this program")]
        let component = unsafe { WasmComponent::deserialize(&self.engine, &compiled.code) };
        Ok(Code {
            component: component.map_err(CompilerError::Code)?,
            version: compiled.version.clone(),
        })
    }
}

/// The size in octets up to which a file is expected to compile quickly.
const QUICK_SIZE: usize = 1 << 20;

/// The time after which a compilation is slow.
const QUICK_TIME: Duration = Duration::from_secs(2);
