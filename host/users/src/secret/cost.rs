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

/// The most that verifying a password may take. A secret says in its parameters what it takes, so that
/// nothing has to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The memory in KiB.
    pub memory: u32,
    /// The time, in units of what the hash of a new user takes ([`Cost::DEFAULT`]).
    pub work: u32,
}

/// A secret that takes more than a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooCostly {
    /// The hash needs too much memory.
    #[error("a hash needs {needed} KiB of memory, and {allowed} are allowed")]
    Memory {
        /// The memory that the hash needs, in KiB.
        needed: u32,
        /// The memory that the budget allows, in KiB.
        allowed: u32,
    },
    /// Verifying a password would take too long.
    #[error(
        "a secret takes {needed} times as long as one of `postgate user`, and {allowed} times is allowed"
    )]
    Work {
        /// The time that the secret takes, rounded up.
        needed: u64,
        /// The time that the budget allows.
        allowed: u32,
    },
}

/// The time that something takes, in hundredths of what the hash of a new user takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Work(u64);

impl Work {
    pub(super) const fn hundredths(self) -> u64 {
        self.0
    }

    /// Argon2id with this memory in KiB and this number of passes.
    pub(super) const fn argon2id(memory: u32, passes: u32) -> Self {
        let one = Cost::DEFAULT.memory as u64 * Cost::DEFAULT.passes as u64;
        Self((memory as u64 * passes as u64 * 100).div_ceil(one))
    }

    /// bcrypt with this cost, at most 31.
    pub(super) const fn bcrypt(cost: u32) -> Self {
        Self((BCRYPT_10 << cost) >> 10)
    }

    /// SCRAM with this number of iterations.
    pub(super) const fn scram(iterations: u32) -> Self {
        Self((iterations as u64 * SCRAM_100000).div_ceil(100_000))
    }

    pub(super) fn check(self, budget: Budget) -> Result<(), TooCostly> {
        match self.0 > u64::from(budget.work) * 100 {
            true => Err(TooCostly::Work {
                needed: self.0.div_ceil(100),
                allowed: budget.work,
            }),
            false => Ok(()),
        }
    }
}

/// What bcrypt of cost 10 takes, measured in WebAssembly.
const BCRYPT_10: u64 = 300;
/// What 100,000 iterations of SCRAM-SHA-256 take, measured in WebAssembly.
const SCRAM_100000: u64 = 200;
