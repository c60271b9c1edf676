//! The cost of verifying a password.

/// What checking a password costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The memory of Argon2id in KiB.
    pub memory: u32,
    /// The passes of Argon2id over that memory.
    pub passes: u32,
    /// The iterations of SCRAM-SHA-256.
    pub iterations: u32,
}

impl Cost {
    /// What new secrets cost: for Argon2id the least memory that OWASP recommends, since every session
    /// that checks a password needs it at the same time.
    pub const DEFAULT: Self = Self {
        memory: 7_168,
        passes: 5,
        iterations: 100_000,
    };
}

/// The machine cannot check a password; it says nothing about the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough memory to check a password whose hash needs {0} KiB")]
pub struct CannotVerify(
    /// What the hash needs, in KiB.
    pub u32,
);
