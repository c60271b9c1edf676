//! bcrypt in the format of `htpasswd -B` and `doveadm pw -s BLF-CRYPT`.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::secret::cost::{Budget, TooCostly, Work};

/// A bcrypt hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash {
    /// The letter after `$2`. The algorithm is the same for all accepted letters.
    variant: char,
    cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
}

impl Hash {
    /// Parses `$2y$10$`, 22 characters of salt and 31 characters of hash.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("$2")?.split('$');
        let variant = match parts.next()? {
            "a" => 'a',
            "b" => 'b',
            "y" => 'y',
            _ => return None,
        };
        let (cost, rest) = (parts.next()?, parts.next()?);
        let cost = cost.parse().ok()?;
        let (salt, hash) = rest.split_at_checked(SALT_LENGTH)?;
        let hash = Self {
            variant,
            cost,
            salt: BASE_64.decode(salt).ok()?.try_into().ok()?,
            hash: BASE_64.decode(hash).ok()?.try_into().ok()?,
        };
        let is_good = parts.next().is_none() && COSTS.contains(&cost);
        is_good.then_some(hash)
    }

    /// Checks that verifying a password stays within a budget.
    pub(super) fn check_cost(&self, budget: Budget) -> Result<(), TooCostly> {
        self.work().check(budget)
    }

    pub(super) const fn work(&self) -> Work {
        Work::bcrypt(self.cost)
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        #[cfg(test)]
        crate::secret::work::record(format!("bcrypt {}", self.cost));
        // bcrypt hashes the password and a NUL, at most 72 octets.
        let mut terminated = Zeroizing::new(password.to_vec());
        terminated.push(0);
        terminated.truncate(MAX_PASSWORD);
        let found = bcrypt::bcrypt(self.cost, self.salt, &terminated);
        found[..self.hash.len()].ct_eq(&self.hash).into()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, hash) = (BASE_64.encode(self.salt), BASE_64.encode(self.hash));
        write!(f, "$2{}${:02}${salt}{hash}", self.variant, self.cost)
    }
}

const BASE_64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);
const COSTS: std::ops::RangeInclusive<u32> = 4..=31;
const MAX_PASSWORD: usize = 72;
/// The length of 16 octets in base64.
const SALT_LENGTH: usize = 22;
