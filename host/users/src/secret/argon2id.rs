//! Argon2id (RFC 9106) in the PHC string format.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::secret::cost::{Budget, CannotVerify, Cost, TooCostly, Work};

/// An Argon2id hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash {
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Hash {
    pub(super) fn new(password: &[u8], salt: [u8; 16], cost: Cost) -> Result<Self, CannotVerify> {
        let mut hash = Self::decoy(cost);
        hash.salt = salt.to_vec();
        hash.hash = hash.of(password)?;
        Ok(hash)
    }

    /// A hash of 32 zero octets, for which no password is known.
    pub(super) fn decoy(cost: Cost) -> Self {
        Self {
            memory: cost.memory,
            passes: cost.passes,
            lanes: 1,
            salt: vec![0; 16],
            hash: vec![0; 32],
        }
    }

    /// Parses `$argon2id$v=19$m=7168,t=5,p=1$SALT$HASH`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
        let (costs, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let mut costs = costs.split(',');
        let mut cost = |name| costs.next()?.strip_prefix(name)?.parse().ok();
        let hash = Self {
            memory: cost("m=")?,
            passes: cost("t=")?,
            lanes: cost("p=")?,
            salt: STANDARD_NO_PAD.decode(salt).ok()?,
            hash: STANDARD_NO_PAD.decode(hash).ok()?,
        };
        let is_whole = parts.next().is_none() && costs.next().is_none();
        let is_good = is_whole
            && (argon2::MIN_SALT_LEN..=64).contains(&hash.salt.len())
            && (16..=64).contains(&hash.hash.len())
            && hash.params().is_some();
        is_good.then_some(hash)
    }

    /// Checks that verifying a password stays within a budget.
    pub(super) fn check_cost(&self, budget: Budget) -> Result<(), TooCostly> {
        if self.memory > budget.memory {
            return Err(TooCostly::Memory {
                needed: self.memory,
                allowed: budget.memory,
            });
        }
        self.work().check(budget)
    }

    pub(super) const fn memory(&self) -> u32 {
        self.memory
    }

    pub(super) const fn work(&self) -> Work {
        Work::argon2id(self.memory, self.passes)
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, CannotVerify> {
        Ok(self.of(password)?.ct_eq(&self.hash).into())
    }

    fn of(&self, password: &[u8]) -> Result<Vec<u8>, CannotVerify> {
        #[cfg(test)]
        crate::secret::work::record(format!("argon2id {} {}", self.memory, self.passes));
        let params = self.params().ok_or(CannotVerify(self.memory))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut hash = vec![0; self.hash.len()];
        // The lengths of salt, password and output are valid: only the allocation can fail.
        argon2
            .hash_password_into(password, &self.salt, &mut hash)
            .map_err(|_| CannotVerify(self.memory))?;
        Ok(hash)
    }

    fn params(&self) -> Option<Params> {
        Params::new(self.memory, self.passes, self.lanes, Some(self.hash.len())).ok()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, hash) = (
            STANDARD_NO_PAD.encode(&self.salt),
            STANDARD_NO_PAD.encode(&self.hash),
        );
        let Self {
            memory,
            passes,
            lanes,
            ..
        } = self;
        write!(
            f,
            "$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"
        )
    }
}
