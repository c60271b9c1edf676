//! The cost of verifying a password.

/// The cost of verifying a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The memory for Argon2id in KiB.
    pub memory: u32,
    /// The number of passes of Argon2id.
    pub passes: u32,
    /// The number of iterations of SCRAM-SHA-256.
    pub iterations: u32,
}

impl Cost {
    /// The cost of new secrets. The memory for Argon2id is the smallest that OWASP recommends, because
    /// each session that verifies a password needs it.
    pub const DEFAULT: Self = Self {
        memory: 7_168,
        passes: 5,
        iterations: 100_000,
    };
}

/// There is not enough memory to verify a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough memory to check a password whose hash needs {0} KiB")]
pub struct CannotVerify(
    /// The memory that the hash needs, in KiB.
    pub u32,
);
